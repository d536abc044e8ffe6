/**
 * Suites that take long begin first, so that no worker waits for one that began last. Jest knows durations of earlier runs;
 * in a fresh clone it goes by the size of the files, and these are small.
 */
const { default: Sequencer } = require('@jest/test-sequencer');

const longest = [
  'test/crash-matrix.test.ts',
  'test/simulation.test.ts',
  'test/planted-bugs.test.ts',
  'e2e/cluster.test.ts',
  'e2e/failure-doors.test.ts',
  'e2e/three-brokers.test.ts',
  'e2e/elastic.test.ts',
  'e2e/cuts.test.ts',
  'e2e/kafka-faults.test.ts',
  'e2e/witness.test.ts',
  'e2e/plan-crashes.test.ts',
  'e2e/plans.test.ts',
  'e2e/healing.test.ts',
];

const place = ({ path }) => {
  const at = longest.findIndex((suite) => path.endsWith(`/${suite}`));
  return at < 0 ? longest.length : at;
};

module.exports = class LongFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => place(a) - place(b));
  }
};
