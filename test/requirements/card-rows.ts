import { app, e2e, lib, suite, type Row } from './row';

export const cardRows: readonly Row[] = [
  {
    ids: 'C1',
    requirement: 'the NestJS apps communicate through Avro topics',
    seenBy: 'TCP between the apps is blocked: control goes on',
    tests: [
      lib(
        'service-kit/test/log-transport',
        'a method gets batches in order per partition, again until it succeeds, from where it is told',
      ),
      e2e(
        'failure-doors',
        'C1: with every connection between the apps cut, commands, namespaces, plans and routes go on through the topics',
      ),
    ],
  },
  {
    ids: 'C8 C9 C10',
    requirement:
      'topics are binlog and metadata log; master state, routing versions, plans are rebuilt from compacted topics',
    seenBy: "local disks wiped: all comes back; boot with the journal's old part unread",
    tests: [
      e2e('crash', 'everything comes back from the log alone: node folders deleted, digests equal to before'),
      lib(
        'master/test/takeover',
        'the compacted topics hold the entities and a checkpoint; a view boots from them without the old journal',
      ),
      lib(
        'journal/test/journal.kafka',
        'a journal cut at its start goes on from the checkpoints behind the cut, and says so where there is none',
      ),
      lib('audit/test/verify', 'finds nothing in a log that is as it was written, and says what it read'),
      lib('audit/test/verify', 'names a tampered decision by the next one, and the last one by the checkpoints'),
    ],
  },
  {
    ids: 'C2 C4 C5 C6 C7',
    requirement: 'kafkajs, avsc, nestjs, @nestjs/microservices, jest; the top level as on the card',
    seenBy: 'each is really used',
    tests: [
      lib(
        'service-kit/test/log-transport',
        'a method gets batches in order per partition, again until it succeeds, from where it is told',
      ),
      lib('codec/test/put', 'agrees with them about made-up bodies'),
      lib(
        'log-kafka/test/append-outcomes.kafka',
        'I3: no answer until the deadline is OUTCOME_UNKNOWN for what was sent, definite for what still waited',
      ),
      suite('requirements', '%s is what the code imports'),
      suite('requirements', '%s is at the top level'),
    ],
  },
  {
    ids: 'C3',
    requirement: 'level',
    seenBy: 'it is what the chunks use',
    tests: [
      lib('chunk-store/test/leveldb-files', 'are whole as LevelDB writes them, closed, killed and open'),
      lib(
        'portal/test/larger-than-memory',
        'S1, S29: GET, MGET, SCAN and ordered scans agree with an oracle after flushes and compactions, and after a restart',
      ),
      suite('requirements', '%s is what the code imports'),
    ],
  },
  {
    ids: 'C11',
    requirement: 'nodes apply partitioned logs to LevelDB chunks',
    seenBy: 'stop, write, start: caught up',
    tests: [
      lib(
        'data-node/test/data-node',
        'goes on from its position after a restart, and is readable only at the end read after that',
      ),
      e2e(
        'node-failure',
        'kill -9 of a node under ack=primary writes: they go on within 3 s, and the node returns and catches up',
      ),
    ],
  },
  {
    ids: 'C12',
    requirement: 'portals serve clients and keep their tables by route-change events',
    seenBy: 'after a decision both portals know it',
    tests: [
      e2e('elastic', 'has told both portals of every change of a route, of nine in ten within ${routeNewsMs} ms'),
    ],
  },
  {
    ids: 'C13',
    requirement: 'Kafka-producing clients: with `Put` records, and with the topics they already have',
    seenBy: 'examples run in tests, read back by GET; `namespace create --from-topic`',
    tests: [
      suite('interop/producers', '${client} ${version}: vectors, orders read by GET, and a binlog read without Levee'),
      e2e('foreign-producers', 'a Put with Kafka’s default partitioner is read by GET, with its expiry'),
      e2e(
        'repartition',
        'quarantine, dry run, brought home, read by GET; killed half-way it goes on, and a second run brings nothing',
      ),
      e2e(
        'bound-topics',
        'bound by one command, a topic is read by Redis clients and HTTP as its records say, and followed live',
      ),
      e2e('bound-topics', 'a topic by crc32 with records without keys, once its owner has compacted it'),
      e2e('real-topics', 'bound by one command each, every key has the value that the producer wrote last'),
      suite(
        'interop/plain-producers',
        '${program}: bound by what the dry run says, and each of ${items} items as it was written last',
      ),
      e2e('aging-topics', 'a topic that Levee may write to gets plain keys and values from it, and nothing else'),
      e2e('aging-topics', 'is bound with the flag that its dry run names, and its values have a time to live'),
    ],
  },
  {
    ids: 'C14',
    requirement: 'NestJS service deployment',
    seenBy: 'an example service using our Nest module; compose file, Helm chart, dashboards, alerts; health, drain',
    tests: [
      lib('service-kit/test/http-app', 'ready names each check that fails, with its reason'),
      lib('service-kit/test/http-app', 'draining runs the steps in reverse, past one that fails, within its deadline'),
      e2e('nest-package', 'docs/nest.md is typed strictly, and does what it says'),
      e2e('nest-orders', 'its own tests pass without a broker, in less than five seconds'),
      e2e(
        'nest-orders',
        'killed with -9 and started again, its view is whole, and counts nothing twice; its setup may run again',
      ),
      e2e(
        'nest-orders',
        'SIGTERM under a load of requests fails none of them, and the next process goes on with the view',
      ),
      suite('nest-orders', 'the image has what it needs, ends by SIGTERM, and is not root’s'),
      suite('compose', '%s sets what its app reads, to values that it takes'),
      suite('compose', '%s is asked for its health, and reached, where its app listens'),
      suite(
        'interop/deploy',
        'processes get only settings that there are, know each other, and stop within the time of their pod',
      ),
      suite('interop/deploy', 'each alert fires on what it is for, alone, and none on a healthy cluster'),
      suite('deploy', '%s is what test/deploy says (UPDATE_DOCS=1 writes it)'),
    ],
  },
  {
    ids: 'C15',
    requirement: 'the log is replayed for recovery audits',
    seenBy:
      '`levee audit get ns key --at`, `audit rebuild`, `audit diff`, `audit verify`; "not provable" instead of a guess',
    tests: [
      app('cli/test/audit-page', '%s: %s'),
      app(
        'cli/test/export',
        'carries away what was at a time, and brings it back: a rebuilding of both finds no difference',
      ),
      app('cli/test/report', 'writes a page and the same as JSON, with what was not checked'),
      lib('audit/test/report', 'its page holds no tag, attribute or address but its own, whatever logs say'),
    ],
  },
];

export const uniqueRows: readonly Row[] = [
  {
    ids: 'U1',
    requirement: 'migration without dual write',
    seenBy: 'a move under load',
    tests: [
      e2e(
        'plans',
        'a move, a split, a shift, a merge and a promotion fail no operation and lose, double, revive or age no value',
      ),
    ],
  },
  {
    ids: 'U2',
    requirement: 'free, lossless rollback after cut-over',
    seenBy: 'what was written in between is kept',
    tests: [e2e('plans', 'a rollback after the switch keeps what was written and deleted in between')],
  },
  {
    ids: 'U3',
    requirement: 'split and merge as re-filtering',
    seenBy: 'nothing lost, doubled or revived',
    tests: [e2e('elastic', 'goes from 3 chunks to 12 and to 6 as foretold, and nobody notices')],
  },
  {
    ids: 'U4',
    requirement: 'replicas proved against the log',
    seenBy: 'digests at one barrier, and a fold of the log; a replica that lost a key is found, named and healed',
    tests: [
      e2e('plans', 'a copy that lost a key is found by the digests, is never readable, and the next attempt succeeds'),
      lib(
        'data-node/test/data-node',
        'three replicas digest the same at a barrier, also after the node folders were deleted',
      ),
      lib('audit/test/digest-fold', 'is that of a replica: %s, %s'),
      lib('audit/test/judge-chunk', '%s'),
      lib('data-node/test/proof', 'behind the back of one replica %s: found, named, healed'),
      e2e('continuous-proof', 'finds, names and heals within one interval what befell replicas (seed ${seed})'),
      e2e('continuous-proof', 'finds that the log alone differs, and touches nobody'),
    ],
  },
  {
    ids: 'U5',
    requirement: 'as-of routing',
    seenBy: '`levee routes --at` a time or decision; "not provable" where the journal does not reach back',
    tests: [
      lib('audit/test/past', 'are those of a fold of what was decided, at every decision, and at every time'),
      lib('audit/test/past', 'says not provable, and why: %s'),
      app('cli/test/audit-page', '%s: %s'),
      e2e('healing', 'a node that is lost is made up for, without an operation failing and with equal replicas'),
    ],
  },
  {
    ids: 'U6',
    requirement: 'a namespace is rewound or forked to a position',
    seenBy: '`levee namespace fork`, `levee namespace rewind`',
    tests: [
      e2e('export', 'a fork at a time, made under load by a command and a portal that die, is what was there then'),
      e2e(
        'rewind',
        'is what it was, whatever dies meanwhile; what was acknowledged is all kept, and undo brings it back',
      ),
    ],
  },
  {
    ids: 'U7',
    requirement: 'plan dry-run on recorded history',
    seenBy: 'a plan does what its dry run foretold; `levee plan simulate` over a recorded time',
    tests: [
      e2e('elastic', 'goes from 3 chunks to 12 and to 6 as foretold, and nobody notices'),
      lib('portal/test/dry-runs', 'say what the rules say, of proposals that pass and of those that do not'),
      lib('audit/test/simulate-plans', 'the same rules come to every decision that was recorded, and to no other'),
      lib('audit/test/simulate-plans', 'other rules come to other plans, %s'),
      e2e('healing', 'a node that is lost is made up for, without an operation failing and with equal replicas'),
    ],
  },
  {
    ids: 'U8',
    requirement: '`explain`: a causal chain from a route to its evidence',
    seenBy: '`levee explain`, and `levee explain --at` down to who asked',
    tests: [
      e2e('healing', 'a node that is lost is made up for, without an operation failing and with equal replicas'),
      lib('audit/test/past', 'of a chunk that people moved'),
      lib('audit/test/past', 'of one whose node was lost: down to the silence that was heard'),
    ],
  },
  {
    ids: 'U9',
    requirement: 'movers without side state',
    seenBy: 'whatever dies in the middle of a plan, it ends whole',
    tests: [
      e2e('plan-crashes', 'whatever dies in the middle of a plan'),
      lib('data-node/test/copy', 'a process that ends in the middle goes on where it was, and never serves the half'),
    ],
  },
  {
    ids: 'U10',
    requirement: 'upgrade rehearsal: new code folds the old log, digests compared',
    seenBy: '`levee audit rehearse`, golden journals and binlogs of each release',
    tests: [
      lib('audit/test/golden-logs', 'journals: every decision, every state'),
      lib('audit/test/golden-logs', 'binlogs: keys, expiries, digests'),
      app('cli/test/rehearse', 'folds a journal of a release, and says what both came to'),
    ],
  },
  {
    ids: 'U11',
    requirement: 'a log that strangers can read (Avro, Kafka, documented)',
    seenBy: 'golden bytes; a plain producer; `levee log dump`',
    tests: [
      suite('binlog-page', 'docs/binlog.md has the tables of the code (UPDATE_DOCS=1 writes them)'),
      suite('interop/producers', '${client} ${version}: vectors, orders read by GET, and a binlog read without Levee'),
      lib('codec/test/golden', 'every sample is read back from the golden bytes'),
      e2e('foreign-producers', 'a Put with Kafka’s default partitioner is read by GET, with its expiry'),
      app('cli/test/cli', 'a stopped folder is read and decoded'),
      app('cli/test/lint', 'tells by reason what is lost, where it stands, and which setting to change; exit code 3'),
    ],
  },
  {
    ids: 'U12',
    requirement: 'an existing topic becomes a replicated, movable, provable store without a byte written to it',
    seenBy: 'the topic stays byte for byte what it was',
    tests: [
      e2e(
        'bound-topics',
        'while producers write, a chunk is moved and split, and a node is killed and wiped: nothing is missed',
      ),
      e2e('bound-topics', 'a topic that is created again under its name is not read, not once, and can be bound anew'),
      e2e('bound-topics', 'another policy is said and reads go on; more partitions are said, and nothing is served'),
      e2e('aging-topics', 'Kafka removes what is hidden already; who missed it is built anew, and nobody differs'),
      lib(
        'audit/test/following-fold',
        'while a producer writes and the cleaner runs, it is exactly what was written, or nothing is said',
      ),
      lib(
        'data-node/test/bound-proof',
        'behind the back of one replica %s, while its producer writes and it is compacted: found and healed',
      ),
      e2e('bound-proof', 'a value that is changed in one replica is found and healed, and nobody else is blamed'),
    ],
  },
  {
    ids: 'U13',
    requirement: 'a replica of a namespace inside a service, with the same proofs',
    seenBy: 'the local distance of the client',
    tests: [
      lib(
        'sdk/test/local-on-cluster',
        'in %s every value and entry is as through portals, whatever was written before',
      ),
      lib('sdk/test/local-on-cluster', 'in %s its digests at a barrier are those of the nodes, while writes go on'),
      lib('sdk/test/local-rules', 'everything, once it has read its partition to the end; nothing before'),
      e2e(
        'local',
        'holds what ordinary producers wrote, overwrote, deleted and let expire, whatever is done to its broker',
      ),
      e2e(
        'local',
        'with its broker and nodes killed and paused and its own connections torn, no session sees taken back what it has seen',
      ),
    ],
  },
  {
    ids: 'U14',
    requirement: 'a doctor whose every command is tested to lose nothing',
    seenBy: 'each printed command is run',
    tests: [e2e('doctor-commands', 'every command that the doctor prints loses nothing')],
  },
  {
    ids: 'G7',
    requirement: 'backup and restore in a format that others read',
    seenBy: '`levee namespace export`, `import`: an Avro container file, equal digests',
    tests: [
      e2e('export', 'exported, deleted, imported by a command that is killed again and again: equal digests (%s)'),
      {
        file: 'libs/audit/test/export-cases.ts',
        title: 'comes out of its export as it was: digests, and every record to the byte',
      },
      { file: 'libs/audit/test/export-cases.ts', title: 'is refused when one byte is another, and the place is told' },
      { file: 'test/interop/export-file.test.ts', title: 'an export (%s) is read by fastavro in Python, key for key' },
    ],
  },
];
