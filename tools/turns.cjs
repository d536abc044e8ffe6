// Suites that show a neighbour's fault in another place, and are run in turns: docs/decisions/0066-drawn-variants.md.
const { createHash } = require('node:crypto');

/** By what they show; each is in test/e2e. A whole quick run has one of each. */
const turns = {
  'a journal that lost its end': ['rolled-back', 'short-journal'],
  'records of strangers': ['foreign-records', 'forged-records'],
  'a Kafka that lost what it had acknowledged': ['lost-records', 'witness'],
  'a Kafka that asks who it is': ['kafka-acls', 'secure-kafka'],
  'a disk that is not what it was': ['damaged-disk', 'swapped-units'],
};

/** Those that a run of this seed leaves to others, as `{shows, suite}`. */
function leftToOthers(seed) {
  return Object.entries(turns).flatMap(([shows, suites]) => {
    const drawn = createHash('sha1').update(`${seed} ${shows}`).digest().readUInt32BE() % suites.length;
    return suites.filter((_, at) => at !== drawn).map((suite) => ({ shows, suite }));
  });
}

module.exports = { turns, leftToOthers };
