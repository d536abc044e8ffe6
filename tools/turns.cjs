// Suites that a whole quick run has in turns: docs/decisions/0067-turns.md.
const { createHash } = require('node:crypto');

const e2e = (...names) => names.map((name) => `test/e2e/${name}.test.ts`);
const lib = (...names) => names.map((name) => `libs/${name}.spec.ts`);

/**
 * By what they show. Of each a whole quick run has one place, which the seed draws; a place is one long suite, or several
 * short ones that take about as long together, so that no seed makes a long run.
 */
const turns = {
  'three brokers, or as many records': [e2e('failure-doors'), e2e('three-brokers'), lib('audit/test/export.kafka')],
  'what dies and comes back': [
    e2e('healing'),
    [...e2e('node-failure'), ...lib('log-kafka/test/leader-kills.kafka')],
    e2e('kafka-faults', 'healing-in-one-process'),
  ],
  'topics and records of others': [
    e2e('bound-topics'),
    e2e('bound-proof', 'real-topics'),
    e2e('aging-topics', 'foreign-producers'),
  ],
  'records of strangers': [e2e('foreign-records'), e2e('forged-records')],
  'a log that lost what it had acknowledged': [
    e2e('witness'),
    e2e('lost-records', 'damaged-disk', 'swapped-units'),
    e2e('short-journal', 'rolled-back'),
  ],
  'parts that are replaced one by one, or in the middle of a plan': [
    e2e('rolling-upgrade'),
    e2e('rolling-restart', 'freeze'),
    e2e('plan-crashes', 'long-copies'),
  ],
  'who may come in': [e2e('secure-cluster'), e2e('kafka-acls', 'locked-doors'), e2e('secure-kafka')],
  'pages, packages and strangers': [
    e2e('first-hour', 'getting-started'),
    e2e('nest-orders'),
    e2e('client-package', 'nest-package', 'strangers'),
  ],
  'clients in an application': [e2e('client'), e2e('local'), e2e('direct')],
  'disks, and what is proved of them': [e2e('disks'), e2e('continuous-proof'), e2e('journal-hole')],
  'commands of an operator': [e2e('many-namespaces'), e2e('damage', 'doctor-commands'), e2e('foreign-logs')],
  'the past of a namespace': [e2e('export'), e2e('rewind'), e2e('repartition')],
  'the past on Kafka': [
    lib('audit/test/proof.kafka'),
    lib('log-kafka/test/retention.kafka', 'master/test/takeover.kafka'),
    lib('audit/test/repartition.kafka', 'log-kafka/test/compressed.kafka'),
  ],

  // In one process, on the embedded log in memory.
  'bound topics in one process': [
    lib('data-node/test/aging-topic'),
    lib('data-node/test/bound-proof'),
    lib('data-node/test/bound', 'audit/test/prove-bound'),
  ],
  'replicas that are proved, and healed': [
    lib('data-node/test/proof'),
    lib('data-node/test/witness', 'data-node/test/left-witness'),
    lib('data-node/test/damage', 'data-node/test/repair'),
  ],
  'nodes in one process': [
    lib('data-node/test/plans'),
    lib('data-node/test/holes', 'data-node/test/allocation'),
    lib('data-node/test/node-resources', 'data-node/test/format'),
  ],
  'users in one process': [
    lib('portal/test/nobody'),
    lib('data-node/test/users', 'auth/test/authenticator'),
    [...lib('portal/test/auth'), 'apps/portal/test/auth.spec.ts'],
  ],
  'clients that mean no good': [['test/door-fuzz.test.ts'], lib('wire/src/hostile-clients'), lib('portal/test/faults')],
  'the SDK in one process': [
    lib('sdk/test/direct-on-cluster'),
    lib('sdk/test/local-on-cluster'),
    lib('sdk/test/local-rules', 'sdk/test/lying-portal'),
  ],
  'disks of one process': [
    lib('data-node/test/full-disk'),
    lib('data-node/test/faults'),
    lib('chunk-store/test/leveldb-files', 'chunk-store/test/power-loss'),
  ],
  'masters in one process': [lib('master/test/plan-driver'), lib('master/test/node-watch', 'master/test/long-journal')],
  'the past in one process': [
    lib('audit/test/export'),
    [...lib('audit/test/digest-fold'), 'apps/portal/test/repartition.spec.ts', 'apps/portal/test/rewind.spec.ts'],
    lib('follow/test/feed-walk', 'journal/test/journal-holes', 'journal/test/journal-short'),
  ],
  'portals in one process': [lib('portal/test/lost-positions'), lib('portal/test/connection-pools')],
  'doors of one process': [lib('portal/test/flush'), ['apps/portal/test/decoded-values.spec.ts']],
  'links to nodes': [lib('client/test/damaged-bytes', 'client/test/own-writes'), lib('wire/src/tls/tls-network')],
  'much in one process': [lib('chunk-store/test/format-crash'), lib('portal/test/capacity', 'portal/test/max-ttl')],
  'nodes that stand still, or heal': [
    lib('cluster/test/healing/healing-simulation'),
    ['test/long-stalls.test.ts', ...lib('data-node/test/digest-queue', 'data-node/test/completeness')],
  ],
};

/** Those that a run of this seed leaves to others, as `{shows, suite}`. */
function leftToOthers(seed) {
  return Object.entries(turns).flatMap(([shows, places]) => {
    const drawn = createHash('sha1').update(`${seed} ${shows}`).digest().readUInt32BE() % places.length;
    return places.filter((_, at) => at !== drawn).flatMap((suites) => suites.map((suite) => ({ shows, suite })));
  });
}

module.exports = { turns, leftToOthers };
