import type { DoctorRow } from './doctor-row';
import {
  acknowledgedUpTo,
  boundNamespace,
  broker,
  condition,
  nodeFacts,
  nowMs,
  open,
  says,
  topics,
  weak,
} from './healthy-cluster';

/** What is found in the log, its topics and the journal. */
export const doctorLogTable: readonly DoctorRow[] = [
  ['log-unreachable', { logProblem: 'no broker answers' }, /log does not answer: no broker/, /quorum\.sh .*k1:9092/],
  [
    'log-takes-nothing',
    { writeProblem: 'NOT_ENOUGH_REPLICAS' },
    /takes no writes: NOT_ENOUGH/,
    /k1:9092 .*under-min-isr/,
  ],
  [
    'log-takes-nothing',
    { writeProblem: 'ENOSPC', brokers: '' },
    /takes no writes: ENOSPC/,
    /^free space .* log's folder/,
  ],
  [
    'broker-down',
    { condition: { ...condition, brokers: [...condition.brokers, { nodeId: 2, address: undefined, settings: {} }] } },
    /broker 2 has replicas of topics and is not part/,
    /start broker 2/,
  ],
  [
    'partition-offline',
    { condition: weak({ hasLeader: false, inSync: 0 }) },
    /shop partition 3 has no leader/,
    /--topic/,
  ],
  ['below-min-isr', { condition: weak({ inSync: 1 }) }, /has 1 of 3 replicas in sync, it needs 2/, /under-min-isr/],
  ['under-replicated', { condition: weak({ inSync: 2 }) }, /shop\/3 with 2 of 3/, /--under-replicated-partitions/],
  [
    'topic-missing',
    { topics: { ...topics, missing: ['levee.binlog.shop'] } },
    /binlog levee\.binlog\.shop of namespace shop does not exist/,
    /restore .* or .*namespace delete shop/,
  ],
  ['topic-missing', { topics: { ...topics, missing: ['levee.journal'] } }, /control topic levee\.journal/, /backup/],
  [
    'topic-misconfigured',
    {
      topics: {
        ...topics,
        misconfigured: ['topic levee.journal: retention.ms is 5, must be -1: kafka-configs.sh --alter --add-config x'],
      },
    },
    /^topic levee\.journal: retention\.ms is 5, must be -1$/,
    /^kafka-configs\.sh --alter --add-config x$/,
  ],
  [
    'binlog-lost',
    { topics: { ...topics, losses: [{ namespace: 'shop', binlog: 'levee.binlog.shop', what: 'it is empty' }] } },
    /it is empty/,
    /restore levee\.binlog\.shop from a backup/,
  ],
  [
    'binlog-grown',
    {
      topics: {
        ...topics,
        grown: [{ namespace: 'shop', binlog: 'levee.binlog.shop', partitions: 8, has: 12, records: 24 }],
      },
    },
    /levee\.binlog\.shop has 12 partitions and shop was created with 8: .* the partitions 8 to 11, which hold 24 records/,
    /levee namespace describe shop .*levee log tail levee\.quarantine shows\. Delete neither/,
  ],
  [
    'source-topic',
    { namespaces: [boundNamespace('recreated', 'topic prices was deleted and created again')] },
    /^topic prices was deleted and created again$/,
    /^levee namespace describe prices   # .* then prices is deleted, which leaves the topic, and bound anew$/,
  ],
  [
    'source-topic',
    { namespaces: [boundNamespace('policy', 'cleanup.policy of prices is delete')] },
    /^cleanup\.policy of prices is delete$/,
    /kafka-configs\.sh --describe .*--entity-name prices/,
  ],
  [
    'acknowledged-ahead',
    { namespaces: [acknowledgedUpTo(101)] },
    /^bad records of shop were acknowledged up to 3:101, and the log ends at 100: by ann at 2027-01-15T/,
    /^levee lint shop --brokers k1:9092 {3}# reads/,
  ],
  [
    'durability-setting',
    { topics: { ...topics, advice: ['levee.journal: min.insync.replicas is 1, it should be 2: kafka-configs.sh y'] } },
    /min\.insync\.replicas is 1/,
    /^kafka-configs\.sh y$/,
  ],
  [
    'broker-setting',
    { condition: broker({ 'transaction.max.timeout.ms': '900001' }) },
    /timeout\.ms of broker 1 is 900001, it should be at most 900000/,
    /transaction\.max\.timeout\.ms=900000/,
  ],
  [
    'broker-setting',
    { condition: broker({ 'unclean.leader.election.enable': 'true' }) },
    /unclean.*broker 1 is true/,
    /entity-name 1 --add-config unclean\.leader\.election\.enable=false/,
  ],
  [
    'open-transaction',
    { condition: open(nowMs - 30_000, 'nightly') },
    /producer 4711 epoch 2 \(transactional id 'nightly'\) left a transaction open on levee\.binlog\.shop partition 3: it last wrote 30 s ago/,
    /kafka-transactions\.sh --bootstrap-server k1:9092 abort --topic levee\.binlog\.shop --partition 3 --start-offset 7/,
  ],
  [
    'quarantined',
    { quarantined: [{ topic: 'levee.binlog.shop', reason: 'wrongPartition', count: 5, newest: '3:9' }] },
    /5 records of shop came in partitions that are not their keys', the newest at 3:9/,
    /levee namespace describe shop .*; once it is set right: levee namespace repartition shop; once they are dealt with: levee lint ack shop --help$/,
  ],
  [
    'quarantined',
    { quarantined: [{ topic: 'levee.binlog.shop', reason: 'tooLarge', count: 2, newest: '3:9' }] },
    /2 records of shop are in quarantine as tooLarge, the newest at 3:9/,
    /levee namespace describe shop/,
  ],
  [
    'quarantined',
    { quarantined: [{ topic: 'levee.binlog.shop', reason: 'unreadableBatch', count: 1, newest: '3:9' }] },
    /1 records of shop are in quarantine as unreadableBatch/,
    /levee namespace describe shop/,
  ],
  [
    'quarantined',
    { quarantined: [{ topic: 'levee.binlog.shop', reason: 'garbage', count: 1, newest: '3:9' }] },
    /1 records of shop are in quarantine as garbage/,
    /levee log tail levee\.quarantine/,
  ],
  [
    'unit-left-behind',
    {
      nodes: [
        nodeFacts('n1', {
          says: says({ leftUnits: [{ unitId: 'n1/u00', generation: 7, folder: '/d/units/u00/g7', bytes: 12 }] }),
        }),
      ],
    },
    /node n1 keeps n1\/u00 in generation 7 \(12 bytes\)/,
    /stop node n1 and remove \/d\/units\/u00\/g7/,
  ],
  [
    'unit-left-behind',
    {
      nodes: [
        nodeFacts('n1', {
          says: says({
            leftUnits: [
              {
                unitId: 'n1/u00',
                generation: 7,
                folder: '/d/units/u00/g7',
                bytes: 12,
                holds: 'shop#1/c00001 is a witness: 5 keys',
                witnessOf: 'shop',
              },
            ],
          }),
        }),
      ],
    },
    /n1\/u00 in generation 7 \(12 bytes\), .* the journal lost: shop#1\/c00001 is a witness: 5 keys$/,
    /^levee log repair shop /,
  ],
  [
    'foreign-in-journal',
    { quarantined: [{ topic: 'levee.journal', reason: 'garbage', count: 2, newest: '0:9' }] },
    /2 records in levee\.journal were written by no master of this cluster, the newest at 0:9/,
    /kafka-acls\.sh --bootstrap-server k1:9092 --list --topic levee\.journal/,
  ],
  [
    'journal-short',
    {
      journalShort: 'JOURNAL_SHORT: levee.journal ends at decision 5',
      portalProblem: 'JOURNAL_SHORT: levee.journal ends at decision 5',
      heard: [],
    },
    /levee\.journal ends at decision 5/,
    /levee audit repair --brokers k1:9092 {3}# changes nothing/,
  ],
  ['no-master', { heard: [] }, /no master was heard for 2400 ms/, /start a master/],
  ['master-trouble', { masterProblems: ['an effect failed'] }, /the master says: an effect failed/, /levee status/],
  ['portal-not-ready', { portalProblem: 'no routes yet' }, /this portal is not ready: no routes/, /levee status/],
];
