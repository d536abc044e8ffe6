import { asOffset, asPartition } from '@levee/kernel';
import type { DoctorFacts } from '../src/doctor/facts';
import {
  aside,
  at,
  broker,
  condition,
  healthy,
  hole,
  node,
  nodeFacts,
  nowMs,
  one,
  open,
  says,
  shop,
  topics,
  weak,
} from './healthy-cluster';

function damaged(topic: string): Partial<DoctorFacts> {
  const [fromOffset, toOffset] = [asOffset(7), asOffset(9)];
  const damage = [{ topic, partition: asPartition(0), fromOffset, toOffset, what: 'its entry is missing' }];
  return { condition: { ...condition, damage }, log: { description: 'embedded /d/log' } };
}

/** rule | facts that differ from the healthy ones | what it says | what to type */
export const doctorTable: readonly [string, Partial<DoctorFacts>, RegExp, RegExp][] = [
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
    /levee namespace describe shop/,
  ],
  [
    'quarantined',
    { quarantined: [{ topic: 'levee.binlog.shop', reason: 'tooLarge', count: 2, newest: '3:9' }] },
    /2 records of shop are in quarantine as tooLarge, the newest at 3:9/,
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
  [
    'two-processes',
    { heard: [...(healthy.heard ?? []), { kind: 'node', id: 'n1', incarnation: 'j', address: 'x:7400' }] },
    /two processes say they are node n1: n1:7400 and x:7400/,
    /LEVEE_NODE_ID/,
  ],
  [
    'node-suspect',
    { nodes: [nodeFacts('n1'), nodeFacts('n2', { state: node('n2', 'suspect') })] },
    /node n2 at n2:7400 is suspect/,
    /levee node maintenance n2 --for 20m/,
  ],
  [
    'node-lost',
    { nodes: [nodeFacts('n1'), nodeFacts('n2', { state: node('n2', 'lost'), says: undefined })] },
    /node n2 \(last at n2:7400\) is lost/,
    /start it again/,
  ],
  [
    'node-unreachable',
    { nodes: [nodeFacts('n1'), nodeFacts('n2', { says: undefined })] },
    /node n2 counts as up and does not answer at n2:7500/,
    /curl http:\/\/n2:7500\/health\/ready/,
  ],
  [
    'node-not-ready',
    { nodes: [nodeFacts('n1', { says: says({ problem: 'STORE_TAKEN: …' }) })] },
    /node n1 is not ready: STORE_TAKEN/,
    /curl/,
  ],
  [
    'disk-nearly-full',
    { nodes: [nodeFacts('n1', { says: says({ disk: { freeBytes: 9, totalBytes: 100 } }) })] },
    /disk of node n1 has 9 of 100 bytes free \(9\.0 %\)/,
    /levee node drain n1/,
  ],
  [
    'log-damaged',
    {
      condition: {
        ...condition,
        damage: [
          {
            topic: 'levee.binlog.shop',
            partition: asPartition(3),
            fromOffset: asOffset(7),
            toOffset: asOffset(9),
            what: 'its entry is missing',
          },
        ],
      },
    },
    /levee\.binlog\.shop partition 3 has lost what was confirmed at the offsets 7 to 8: its entry is missing/,
    /copy of the log's folder/,
  ],
  [
    'log-damaged',
    damaged('levee.journal'),
    /levee\.journal partition 0 has lost .* 7 to 8/,
    /^levee audit repair --data-dir \/d +#/,
  ],
  [
    'log-damaged',
    damaged('levee.heartbeats'),
    /levee\.heartbeats partition 0/,
    /^levee audit repair --data-dir \/d +#/,
  ],
  ['log-damaged', damaged('levee.routes'), /levee\.routes partition 0/, /^levee audit repair --data-dir \/d +#/],
  ['files-damaged', { nodes: [nodeFacts('n1', { says: says({ setAside: [aside] }) })] }, /n1\/u01: a byte/, /aside/],
  [
    'files-damaged',
    {
      nodes: [
        nodeFacts('n1', { says: says({ setAside: [{ ...aside, keptFor: { damaged: true, positions: null } }] }) }),
      ],
    },
    /n1\/u01: a byte/,
    /aside/,
  ],
  [
    'files-kept',
    {
      nodes: [
        nodeFacts('n1', {
          says: says({
            setAside: [{ ...aside, keptFor: { damaged: false, positions: [{ partition: 3, nextOffset: 21 }] } }],
          }),
        }),
      ],
    },
    /replica in n1\/u01 held before .* is kept in .*aside.*, up to offset 21 of partition 3/,
    /^wait: it goes by itself/,
  ],
  ['files-unchecked', one({ checkedMs: 4 * 3_600_000 }), /was last looked at 14400000 ms ago/, /metrics/],
  [
    'replica-witness',
    one({
      state: 'witness',
      ...at({ cut: { partition: 3, cutOffset: 7, nextOffset: 30, keysAtStake: 23 } }),
    }),
    /the log of shop lost partition 3 from offset 7 to 30 \(23 keys, deletions not counted\), which shop#1\/c00001/,
    /levee log repair shop .*levee log accept-loss shop/,
  ],
  [
    'replica-witness',
    one({
      state: 'witness',
      positions: Array.from({ length: 40 }, (_, partition) => ({
        partition,
        nextOffset: 30,
        ageMs: 40,
        problem: null,
        cut: { partition, cutOffset: 7, nextOffset: 30, keysAtStake: 2, keys: ['a', 'b'] },
      })),
    }),
    /^the log of shop lost partition 0 from offset 7 to 30 \(2 keys such as a, b; deletions not counted\), .*; partition 31 from .*; and 8 more like it on n1$/,
    /levee log repair shop/,
  ],
  [
    'replica-at-hole',
    one({
      state: 'atHole',
      readable: false,
      hole: { ...hole, peers: [{ nodeId: 'n2', unitId: 'n2/u04', says: 'it stands at offset 3' }] },
    }),
    /c00001 on n1\/u00 waits at a stretch of b partition 3 .*, offsets 7 to 8 \(its CRC\); .*n2\/u04 of n2: it stands at/,
    /start the nodes with replicas of shop#1\/c00001 .*levee routes -n shop/,
  ],
  [
    'replica-at-hole',
    one({ state: 'stuck', readable: false, hole: { ...hole, toOffset: null, peers: [] } }),
    /offsets 7 on \(its CRC\); the chunk has no other replica/,
    /keep the folder of every node/,
  ],
  [
    'replica-rebuilding',
    one({
      state: 'loading',
      readable: false,
      problem: 'it is copied',
      hole: { ...hole, peers: [{ nodeId: 'n2', unitId: 'n2/u04', says: null }] },
    }),
    /is not readable: it is copied/,
    /wait until/,
  ],
  [
    'replica-stuck',
    one({ state: 'stuck', readable: false, problem: 'I14: the log was cut' }),
    /c00001 on n1\/u00 is stuck: I14/,
    /curl http:\/\/n1:7500/,
  ],
  [
    'replica-stuck',
    one({
      state: 'stuck',
      readable: false,
      problem: 'c is stuck: I10: the folder of n1/u00, generation 1, does not hold c: its unitId is n1/u01',
    }),
    /c00001 on n1\/u00 is stuck: .*its unitId is n1\/u01/,
    /^stop n1, move the folders below units\/ back .*never clear or format/,
  ],
  [
    'replica-full',
    one({ problem: 'the unit is full at 64 MiB' }),
    /is full: the unit is full/,
    /propose split --chunk shop#1\/c00001$/,
  ],
  [
    'replica-full',
    one({ state: 'full', problem: 'the disk is full: No space left on device' }),
    /is full: the disk is full/,
    /^free space on the disk of n1/,
  ],
  [
    'replica-rebuilding',
    one({ state: 'rebuilding', readable: false, problem: 'LOG_TRUNCATED' }),
    /is not readable: LOG_TRUNCATED/,
    /wait until/,
  ],
  [
    'replica-behind',
    one(at({ ageMs: 10_001 })),
    /partition 3 last stood at the end 10001 ms ago, 0 records/,
    /metrics/,
  ],
  ['replica-behind', one(at({ ageMs: null })), /partition 3 has never stood at the end/, /metrics/],
  [
    'replica-behind',
    { ...one(at({ nextOffset: 1 })), namespaces: [{ ...shop, ends: new Map([[3, 10_002]]) }] },
    /10001 records to go$/,
    /metrics/,
  ],
  [
    'replica-behind',
    { ...one(at({ nextOffset: 500, ageMs: 20_000 })), namespaces: [{ ...shop, ends: new Map([[3, 196]]) }] },
    /partition 3 .*, the log says that it ends 304 records before it$/,
    /metrics/,
  ],
  [
    'replica-behind',
    one(at({ ageMs: 20_000, problem: 'a transaction that a producer left open' })),
    /0 records to go: a transaction that a producer left open/,
    /metrics/,
  ],
  [
    'chunk-full',
    {
      ...one({ storedBytes: 901 }),
      namespaces: [{ ...shop, state: { ...shop.state, chunkCapacityBytes: 1_000 } }],
    },
    /^shop#1\/c00001 holds 901 bytes, more than 90 % of the 1000/,
    /^levee plan propose split --chunk shop#1\/c00001 /,
  ],
  [
    'namespace-unfinished',
    { namespaces: [{ ...shop, state: { ...shop.state, state: 'creating' } }] },
    /namespace shop is still being created/,
    /namespace delete shop/,
  ],
  [
    'plan-without-room',
    {
      plansWithoutRoom: [
        {
          ...{ planId: 'p7', kind: 'drain', subject: 'n1' },
          refusal: { code: 'NOT_ENOUGH_UNITS', message: 'too few free units' },
        },
      ],
    },
    /^plan p7 \(drain of n1\) cannot end: too few free units$/,
    /levee plan cancel p7$/,
  ],
  [
    'namespace-short-of-replicas',
    { namespaces: [{ ...shop, state: { ...shop.state, replicas: 2 } }] },
    /1 of 1 chunks of shop have fewer than 2 replicas on nodes that are up; shop#1\/c00001 has 1/,
    /levee node list/,
  ],
];
