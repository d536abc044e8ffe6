/**
 * Suites that take long begin first, so that no worker waits for one that began last. Jest knows durations of earlier runs;
 * in a fresh clone it goes by the size of the files, and these are small.
 */
const { default: Sequencer } = require('@jest/test-sequencer');

const longest = [
  'test/crash-matrix.test.ts',
  'data-node/test/aging-topic.spec.ts',
  'data-node/test/bound-proof.spec.ts',
  'portal/test/nobody.spec.ts',
  'data-node/test/proof.spec.ts',
  'audit/test/export.spec.ts',
  'data-node/test/witness.spec.ts',
  'log-embedded/test/contract.spec.ts',
  'data-node/test/plans.spec.ts',
  'data-node/test/users.spec.ts',
  'data-node/test/holes.spec.ts',
  'data-node/test/damage.spec.ts',
  'test/door-fuzz.test.ts',
  'sdk/test/direct-on-cluster.spec.ts',
  'portal/test/auth.spec.ts',
  'data-node/test/node-resources.spec.ts',
  'master/test/plan-driver.spec.ts',
  'test/simulation.test.ts',
  'healing/healing-simulation.spec.ts',
  'test/planted-bugs.test.ts',
  // Those that bring three brokers of their own stand apart: they start the most processes.
  'e2e/three-brokers.test.ts',
  'log-kafka/test/kafka-log.kafka.spec.ts',
  'e2e/bound-topics.test.ts',
  'e2e/failure-doors.test.ts',
  'e2e/bound-proof.test.ts',
  'e2e/rolling-upgrade.test.ts',
  'e2e/healing.test.ts',
  'e2e/cluster.test.ts',
  'e2e/elastic.test.ts',
  'e2e/witness.test.ts',
  'e2e/nest-orders.test.ts',
  'e2e/foreign-producers.test.ts',
  'e2e/kafka-faults.test.ts',
  'e2e/cuts.test.ts',
  'e2e/secure-cluster.test.ts',
  'e2e/secure-kafka.test.ts',
  'audit/test/export.kafka.spec.ts',
  'e2e/many-namespaces.test.ts',
  'e2e/node-failure.test.ts',
  'e2e/disks.test.ts',
  'e2e/continuous-proof.test.ts',
  'e2e/journal-hole.test.ts',
  'e2e/plans.test.ts',
  'e2e/short-journal.test.ts',
  'e2e/plan-crashes.test.ts',
  'e2e/rolling-restart.test.ts',
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
