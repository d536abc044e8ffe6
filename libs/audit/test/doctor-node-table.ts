import { asOffset, asPartition } from '@levee/kernel';
import type { DoctorFacts } from '../src/doctor/facts';
import type { DoctorRow } from './doctor-row';
import { aside, at, condition, frozenFor, healthy, hole, node, nodeFacts, one, says, shop } from './healthy-cluster';

function damaged(topic: string): Partial<DoctorFacts> {
  const [fromOffset, toOffset] = [asOffset(7), asOffset(9)];
  const damage = [{ topic, partition: asPartition(0), fromOffset, toOffset, what: 'its entry is missing' }];
  return { condition: { ...condition, damage }, log: { description: 'embedded /d/log' } };
}

/** What is found in nodes, their files and replicas, and in what namespaces and plans wait for. */
export const doctorNodeTable: readonly DoctorRow[] = [
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
    'journal-unheard',
    { nodes: [nodeFacts('n1', { says: says({ unheardMs: 45_000 }) })] },
    /node n1 last stood at the end of the journal 45000 ms ago/,
    /curl http:\/\/n1:7500\/health\/ready/,
  ],
  [
    'journal-unheard',
    { journalUnheardMs: 45_000 },
    /this portal last stood at the end of the journal 45000 ms ago/,
    /levee doctor {3}# at another portal/,
  ],
  [
    'replica-missing',
    { nodes: [nodeFacts('n1', { says: says({ replicas: [] }) })] },
    /shop#1\/c00001 should be in n1\/u00 of n1, generation 1, and the node does not host it/,
    /restart node n1 /,
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
    'namespace-frozen',
    { namespaces: [{ ...shop, state: { ...shop.state, ...frozenFor(11 * 60_000), freezeConfirmedSeq: 8 } }] },
    /^writes to shop are frozen by operator since .* \(export\)$/,
    /^levee namespace thaw shop   # once whoever froze it is done$/,
  ],
  [
    'namespace-frozen',
    { namespaces: [{ ...shop, state: { ...shop.state, ...frozenFor(61_000), frozenBy: 'repartition shop' } }] },
    /^writes to shop are frozen by repartition shop since .*, and not every portal has confirmed it$/,
    /--wait   # says who is waited for; take it back: levee namespace repartition shop --cancel$/,
  ],
  [
    'written-after-rewind',
    {
      namespaces: [
        {
          ...{ ...shop, state: { ...shop.state, ...frozenFor(11 * 60_000), leftPositions: [7], swappedWith: 'now' } },
          writtenLater: { records: 2, isAtLeast: false, examples: ['0:9 a'], newestAtMs: 7 },
        },
      ],
    },
    /^2 records came to levee.binlog.shop, the log of shop, after now had taken its place: 0:9 a, …; the newest at 1970/,
    /^levee log dump levee.binlog.shop --partition 0 --from 9 /,
  ],
  [
    'namespace-unfinished',
    {
      namespaces: [
        {
          ...shop,
          state: {
            ...{ ...shop.state, name: 'a.before-rewind-2', state: 'creating' },
            ...{ change: 'ForkBegun', forkedFrom: 'a', forkedAtMs: 7 },
          },
        },
      ],
    },
    /namespace a.before-rewind-2 is a fork of a that is not complete/,
    /^levee namespace rewind a --at 1970-01-01T00:00:00.007Z .*levee namespace rewind a --cancel$/,
  ],
  [
    'namespace-unfinished',
    { namespaces: [{ ...shop, state: { ...shop.state, state: 'creating' } }] },
    /namespace shop is still being created/,
    /namespace delete shop/,
  ],
  [
    'namespace-unfinished',
    {
      namespaces: [
        { ...shop, state: { ...shop.state, state: 'creating', change: 'ForkBegun', forkedFrom: 'a', forkedAtMs: 7 } },
      ],
    },
    /namespace shop is a fork of a that is not complete/,
    /^levee namespace fork a shop --at 1970-01-01T00:00:00.007Z /,
  ],
  [
    'namespace-undeleted',
    { namespaces: [{ ...shop, chunks: [], state: { ...shop.state, state: 'deleting' }, deletingForMs: 2_500 }] },
    /namespace shop is still being deleted: its binlog levee\.binlog\.shop is not gone/,
    /^levee status {3}# what the master waits for/,
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
