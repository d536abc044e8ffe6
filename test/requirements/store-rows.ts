import { app, e2e, lib, suite, type Row } from './row';

export const storeRows: readonly Row[] = [
  {
    ids: 'S1',
    requirement: 'random read, write, scan over data larger than memory',
    seenBy: "more than the node's memory budget is loaded; `GET SET SCAN` agree with an oracle",
    tests: [
      lib(
        'portal/test/larger-than-memory',
        'S1, S29: GET, MGET, SCAN and ordered scans agree with an oracle after flushes and compactions, and after a restart',
      ),
    ],
  },
  {
    ids: 'S2',
    requirement: 'scales linearly with machines',
    seenBy: '`npm run bench -- scale` prints ratios on 1, 2, 4 nodes and says what bounds them',
    tests: [],
    figures: {
      bench: 'scale',
      heading: 'More data nodes',
      misses: 'on one machine of two cores reads miss the ratios for 2 and for 4 nodes',
    },
  },
  {
    ids: 'S3',
    requirement: 'the storage engine is separate from distribution',
    seenBy: 'the suites of `chunk-store` run without any log',
    tests: [
      lib(
        'chunk-store/test/copy',
        'is the source as it was at the positions inside its snapshot, whatever is applied while it runs',
      ),
      suite('tidy', 'libs import only what stands above them, and never each other by a relative path'),
    ],
  },
  {
    ids: 'S4',
    requirement: 'a key-value view, binary safe',
    seenBy: 'a binary value round-trips',
    tests: [e2e('first-steps', 'binary keys and values, empty values and values of 1 MiB come back byte for byte')],
  },
  {
    ids: 'S5',
    requirement: 'no transactions',
    seenBy: '`MULTI` promises no isolation: refused whole, or served as a batch, as the namespace says',
    tests: [e2e('first-steps', 'MULTI is refused whole until its namespace says batch, which a restart keeps')],
  },
  {
    ids: 'S6',
    requirement: 'many small values',
    seenBy: 'an oversized `SET` names the limit',
    tests: [e2e('first-steps', 'names the limit that a key or value passes, and writes nothing')],
  },
  {
    ids: 'S29',
    requirement: 'the newest value is read after flush and compaction',
    seenBy: 'a property test over more data than the memory budget',
    tests: [
      lib(
        'log-embedded/test/cleaning',
        'any mix of writes, deletes, cleanings, restarts and time leaves the last record of every key, in order',
      ),
      lib(
        'portal/test/larger-than-memory',
        'S1, S29: GET, MGET, SCAN and ordered scans agree with an oracle after flushes and compactions, and after a restart',
      ),
    ],
  },
  {
    ids: 'S44 S45',
    requirement:
      "insert, update, delete share one ordered path; a failed write's outcome may be unknown, and is said to be",
    seenBy: 'request or reply dropped: the kind of error is right each time',
    tests: [
      lib('client/src/writes/appends', 'I15: those of one connection stay in its order, whatever their sizes'),
      lib(
        'client/src/writes/appends',
        'I3: says indefinite of what the log does not answer, definite of what it never got',
      ),
      e2e(
        'cuts',
        'a portal and Kafka: %s; writes through it wait or fail by kind, the other portal notices nothing, all resumes',
      ),
    ],
  },
  {
    ids: 'S25 S26',
    requirement: 'CRC compared in storage and in transport',
    seenBy:
      'a flipped byte in a table, in the log, on the wire is detected; the read fails over, the replica is rebuilt',
    tests: [
      lib('data-node/test/damage', 'what is damaged while it serves is found without being asked'),
      lib(
        'data-node/test/faults',
        'REPLICA_DAMAGED: a value that fails its checksum is never served; the replica is rebuilt',
      ),
      lib('log-embedded/test/file-damage', 'costs nothing, or what it costs is named; ${trials} times, seed ${seed}'),
      lib('client/test/damaged-bytes', 'in any bit of its byte %i: everybody gets the value of his own key'),
      e2e(
        'cuts',
        'batches that lose a bit between Kafka and a portal or a node are noticed by their CRC, sent and read again',
      ),
    ],
  },
  {
    ids: 'S27',
    requirement: 'LRU cache',
    seenBy: 'hot values are kept, within the budget; the counts are metrics',
    tests: [
      lib(
        'chunk-store/test/value-cache',
        'keeps what is asked for, lets go of the rest, and never holds more than its budget',
      ),
      lib(
        'data-node/test/node-resources',
        'keeps hot values and databases within the budget, and counts background reads by class',
      ),
    ],
  },
  {
    ids: 'S28',
    requirement: 'pooled memory under one budget',
    seenBy: 'caches and databases share it; a soak keeps the process inside it',
    tests: [
      lib('chunk-store/test/value-cache', 'holds no more than the budget in all caches together, to the byte'),
      lib(
        'chunk-store/src/engine-memory',
        'the sum stays within the pool but for the least that each needs, whatever is opened and closed',
      ),
    ],
    figures: { bench: 'soak', heading: 'Memory of a data node under everything at once' },
  },
  {
    ids: 'S30',
    requirement: 'scan producer and sender are decoupled',
    seenBy: 'a slow reader: memory stays flat',
    tests: [
      lib(
        'data-node/test/node-resources',
        'makes no more pages than the network budget has room for, and slow readers pay for it, not the others',
      ),
      lib(
        'client/src/scans/ordered-scan',
        'holds a bounded part of a thousand chunks with large values, and begins without reading a page of each',
      ),
    ],
  },
  {
    ids: 'S31',
    requirement: 'one I/O scheduler',
    seenBy: 'turns by weight; p99 of `GET` during scan, copy and digest in `docs/performance.md`',
    tests: [
      lib('data-node/src/io/io-scheduler', 'are shared by weight among those that wait, the urgent first'),
      lib('data-node/src/io/io-scheduler', 'does not make a scan wait for a copy that rests'),
    ],
    figures: {
      bench: 'io',
      heading: 'Point reads beside background work',
      misses: 'the p99 beside copies is 3.6 times the quiet one, 3 are asked',
    },
  },
  {
    ids: 'S32 S98',
    requirement: 'a range query finds the chunks, then the nodes',
    seenBy: '`levee scan --from --to` equals an oracle and says which chunks it visited',
    tests: [
      lib(
        'client/src/scans/ordered-scan',
        'gives every key once and in order, whatever fits into memory, and over moves',
      ),
      e2e('elastic', 'goes from 3 chunks to 12 and to 6 as foretold, and nobody notices'),
      app('portal/test/http-door', 'says which chunks it visited when that is asked for'),
    ],
  },
  {
    ids: 'S7',
    requirement: 'the master owns metadata: nodes, directory of namespaces, replicas, distribution, plans',
    seenBy: '`levee node list`, `routes`, `plan list`',
    tests: [
      app('cli/test/transcripts', 'sessions at the command line'),
      lib('cluster/test/view', 'are by ascending slot, with addresses joined in'),
      lib('cluster/test/view', 'are totalled per node'),
      e2e('many-namespaces', 'S7: every command of the command line does to running processes what it says'),
      app('cli/test/real-processes', 'S7: levee %s is run against real processes'),
    ],
  },
  {
    ids: 'S12 S13',
    requirement: 'metadata in memory and persistent',
    seenBy: 'a restart gives the same digest; the master answers reads while Kafka is blocked',
    tests: [
      lib(
        'cluster/test/properties',
        'I8: replaying the events, once, twice each, or as a snapshot in any order, gives the same digest',
      ),
      lib(
        'master/test/takeover',
        'the compacted topics hold the entities and a checkpoint; a view boots from them without the old journal',
      ),
      e2e('crash', 'everything comes back from the log alone: node folders deleted, digests equal to before'),
      e2e(
        'kafka-faults',
        'without Kafka for ${counts.downMs / 1000} s session reads go on, writes fail as definite or unknown or wait, and all resumes by itself',
      ),
    ],
  },
  {
    ids: 'S11',
    requirement: 'standby masters, elected through the log',
    seenBy:
      'the active one is killed: the next term serves in time; a paused one that wakes writes nothing that counts',
    tests: [
      e2e(
        'cluster',
        'kill -9 of the active master, ${counts.masterKills} times under load: no read or write fails, no command is lost or doubled',
      ),
      e2e(
        'cluster',
        'a master stopped past its takeover and continued, ${counts.masterPauses} times under load, stands by and decides nothing',
      ),
      lib('master/test/takeover', 'a deposed master is refused by the log, gives up, and decides nothing more'),
    ],
  },
  {
    ids: 'S14',
    requirement: 'a checkpoint speeds recovery',
    seenBy: '100 times the journal, flat boot time',
    tests: [
      lib(
        'master/test/takeover',
        'the compacted topics hold the entities and a checkpoint; a view boots from them without the old journal',
      ),
      lib(
        'master/test/long-journal',
        'S14: after ${timesMore} times as many decisions a start reads as many records, and takes as long',
      ),
    ],
  },
  {
    ids: 'S15',
    requirement: "metadata bounds the cluster's size",
    seenBy: 'bytes per chunk and the measured bound are printed',
    tests: [
      lib(
        'journal/test/state-size',
        'S15: ${chunksGoal} chunks fit into the memory of a master and into topics that are read at a start',
      ),
      lib('cluster/test/placement', 'handles 100,000 chunks on 1,000 nodes'),
    ],
  },
  {
    ids: 'S16',
    requirement: 'metadata damage is grave',
    seenBy: 'a damaged record is named; `levee audit repair` rewrites projections from the journal',
    tests: [
      lib('master/test/repair', 'compacted topics that say something else than a whole journal are written anew'),
      lib(
        'journal/test/damaged-topics',
        'comes back from the journal by a repair, which passes over the stretch; then it is whole',
      ),
      app('cli/test/audit', 'shows what it would do, does it with --yes, and then there is nothing to do'),
      e2e('journal-hole', 'is whole again by the command that the doctor prints, and nothing is lost'),
    ],
  },
  {
    ids: 'S17',
    requirement: "the master's death does not touch reads and writes",
    seenBy: 'all masters stopped: zero failed operations; a restarted portal still serves',
    tests: [
      e2e(
        'cluster',
        'without any master for ${counts.withoutMastersMs / 1000} s no read or write fails, and a portal started meanwhile serves',
      ),
      suite('masterless', 'serves reads and writes after all its %s at other addresses'),
    ],
  },
  {
    ids: 'S18',
    requirement: 'a client decides nothing about failures by itself',
    seenBy: "after a node's death routes change only with a master's decision; clients retry, probe, report",
    tests: [
      suite('masterless', 'serves reads and writes after all its %s at other addresses'),
      lib(
        'client/src/routes/node-link',
        'is reached where its heartbeats say, only while no master can decide it, and only if it is the same disk',
      ),
      lib(
        'client/src/routes/node-link',
        'is what failed since it was last asked, so that an old failure is not reported for ever',
      ),
    ],
  },
  {
    ids: 'S19',
    requirement: 'version sync: `metaChange` and routes, else `notChange`',
    seenBy: '`GET /v1/routes/{ns}?version=` older, equal, newer',
    tests: [e2e('first-steps', 'version sync says notChange, metaChange, or that a version is from the future')],
  },
  {
    ids: 'S20',
    requirement: 'versions never fall',
    seenBy: 'neither as a whole nor at a slot, across master failovers',
    tests: [
      lib('keyspace/src/route-table', 'I9: never falls, neither as a whole nor at a slot'),
      suite('crash-matrix', 'whatever befalls a process at whatever step, the cluster ends whole (I1 to I18)'),
    ],
  },
  {
    ids: 'S57',
    requirement: "a failing node's shards are marked dead",
    seenBy: '`levee routes` shows it',
    tests: [
      lib(
        'cluster/test/nodes/node-liveness',
        'gives up the replicas of a suspect node: dead, and in no route; its units keep what they hold',
      ),
      lib(
        'cluster/test/view',
        'S57: say which nodes are silent, and which replicas are dead with one that was given up',
      ),
      e2e(
        'node-failure',
        'a node that stays away is lost: ack=all goes on without it; when it returns it has its replicas again',
      ),
    ],
  },
];
