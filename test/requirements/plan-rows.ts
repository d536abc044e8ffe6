import { app, e2e, lib, type Row } from './row';

export const planRows: readonly Row[] = [
  {
    ids: 'S56 S58 S59 S60 S61 S62',
    requirement: 'the nine steps of a move, from the report to the last push of routes',
    seenBy: '`levee plan watch` tells each step with time and evidence; nothing is copied before its journal entry',
    tests: [
      e2e('elastic', 'shows a move step by step as it happens, each with its time, its decision and its evidence'),
      e2e('elastic', 'has copied nothing before the journal said so'),
    ],
  },
  {
    ids: 'S63',
    requirement: 'the mover never overwrites newer writes',
    seenBy: 'an update during the copy survives',
    tests: [
      e2e(
        'plans',
        'a move, a split, a shift, a merge and a promotion fail no operation and lose, double, revive or age no value',
      ),
      lib(
        'data-node/test/copy',
        'I5: deleted while it was copied, the tombstone compacted away since: begins anew, and the key stays deleted',
      ),
    ],
  },
  {
    ids: 'S64',
    requirement: 'the mover knows when history is complete',
    seenBy: 'the plan prints snapshot position, lag, digest',
    tests: [
      e2e('elastic', 'shows a move step by step as it happens, each with its time, its decision and its evidence'),
      lib(
        'data-node/test/plans',
        'move: copied under writes and deletes, verified, switched, observed, reclaimed; another unit is free again',
      ),
    ],
  },
  {
    ids: 'S49 S50 S51',
    requirement: 'split and merge under load; shards are the smallest unit',
    seenBy: 'nothing lost, duplicated or resurrected',
    tests: [
      e2e('elastic', 'goes from 3 chunks to 12 and to 6 as foretold, and nobody notices'),
      lib(
        'data-node/test/plans',
        'split and merge under writes: new chunks from the old ones, on the nodes where those were',
      ),
    ],
  },
  {
    ids: 'S93',
    requirement: 'capacity: chunks are added to a namespace, part of the data moves',
    seenBy: '`levee namespace resize shop.orders --chunks 12`',
    tests: [
      e2e('many-namespaces', 'leave room for the resize of the README'),
      e2e('elastic', 'goes from 3 chunks to 12 and to 6 as foretold, and nobody notices'),
    ],
  },
  {
    ids: 'S94 S95',
    requirement: 'load: hot chunks are evened out without touching machines; hot chunks move to idle machines',
    seenBy: 'a load test, zero failed operations',
    tests: [
      lib('cluster/test/healing/plan-healing', 'gives slots to a cold neighbour when that is enough'),
      lib('cluster/test/healing/plan-healing', 'is split when its neighbours are busy too'),
      lib(
        'cluster/test/healing/node-healing',
        'hands over primaries before anything is moved, and is left alone until its load is known again',
      ),
      lib(
        'cluster/test/healing/healing-simulation',
        'seed %i: a cluster of many nodes heals, balances and then leaves everything alone',
      ),
      e2e(
        'healing',
        'S94: a hot chunk shares its slots with a neighbour or is split, and so again when all are busy; no operation fails',
      ),
      e2e(
        'healing',
        'S95: a hot node gives a hot chunk to an idle machine, and then nothing moves; no operation fails',
      ),
    ],
  },
  {
    ids: 'S24 S79 S96',
    requirement: 'failover per chunk; primary and backups on different machines',
    seenBy: 'placement on one failure domain is refused; other chunks are unaffected',
    tests: [
      lib('cluster/test/placement', 'refuses when one failure domain holds all nodes'),
      lib(
        'cluster/test/placement',
        'puts replicas of a chunk into different domains and each into a unit of its own, or says why not',
      ),
      lib(
        'cluster/test/nodes/node-liveness',
        'moves every primary of the node in the same decision, evenly, and the routes say so with its seq',
      ),
    ],
  },
  {
    ids: 'S65',
    requirement: 'applications are isolated on one shared cluster',
    seenBy: 'the same key in two namespaces',
    tests: [e2e('first-steps', 'another namespace holds another value under the same key')],
  },
  {
    ids: 'S80 S81',
    requirement: 'key -> chunk -> machine',
    seenBy: 'ten namespaces on one store; `LV.WHERE`',
    tests: [
      e2e(
        'many-namespaces',
        'have room for ten namespaces with defaults, each of which says what it took and what is left',
      ),
      lib('portal/test/resp-door', 'says where a key lives, and the routes'),
    ],
  },
  {
    ids: 'S82',
    requirement: 'servers change without clients noticing',
    seenBy: 'a rolling restart: zero failed operations',
    tests: [
      e2e(
        'rolling-restart',
        'S82: ${rounds} rounds fail no operation of ordinary clients and lose nothing; who tries nothing again sees connections end, and no contradiction',
      ),
    ],
  },
  {
    ids: 'S66 S67 S68 S69',
    requirement: 'hierarchical names, queryable, grouped, administered',
    seenBy:
      "`namespace list 'shop.*'`; group totals; create, alter, delete, re-create with nothing of the old one visible",
    tests: [
      app('portal/test/groups', 'are selected by a query'),
      app('portal/test/groups', 'have groups, whose totals are what nodes told last'),
      app('portal/test/http-cluster', 'alters a namespace, and says why what cannot change does not'),
      e2e('node-failure', 'a namespace that is deleted and made again shows nothing of the old one, at no portal'),
    ],
  },
  {
    ids: 'S70 S71 S72 S73 S75 S77 S78',
    requirement:
      'knobs: chunks, capacity, requests, partition strategy, failover strategy, replicas, allocation plan, history window, maxTtl',
    seenBy:
      'shown by `describe`; each changes behaviour; an unknown or impossible value is refused by name with the allowed ones',
    tests: [
      lib('cluster/test/namespaces/knob-table', '%s'),
      lib('cluster/test/namespaces/knob-table', 'choices'),
      lib('cluster/test/namespaces/knob-table', 'shows each knob of a namespace with its value and why it stays'),
      lib('portal/test/max-ttl', 'gives the most to who asks for none'),
      lib('portal/test/resp-door', 'limits requests of a namespace'),
      lib(
        'data-node/test/data-node',
        'lets a chunk be asked so often a second and no more, says so, and lets go when the limit is raised',
      ),
      lib(
        'portal/test/capacity',
        'takes values up to the soft limit, however quickly they come, and refuses the next definitely',
      ),
      lib('cluster/test/nodes/node-liveness', 'only flags the node where a person decides about failovers'),
      lib('cluster/test/namespaces/create-namespace', 'plans its chunks by what is expected'),
      lib('master/test/node-watch', 'has a binlog with the settings of that window'),
      lib(
        'portal/test/max-ttl',
        'S78: a cache that is full has room again once its values have expired, though nobody deletes any',
      ),
    ],
  },
  {
    ids: 'S74',
    requirement: 'hash algorithm',
    seenBy: 'a `murmur2-hashtag` namespace in use',
    tests: [
      lib('keyspace/src/slot', 'key $keyHex by $algorithm'),
      lib('portal/test/hashtags', 'S74: a namespace with hashAlgorithm murmur2-hashtag'),
    ],
  },
  {
    ids: 'S76',
    requirement: 'availability: ack, consistency, maxStaleness',
    seenBy: 'the default of the namespace changes reads and writes',
    tests: [
      lib(
        'data-node/test/data-node',
        'a namespace that accepts a second of staleness is never staler at rest, and is told when it would be',
      ),
      lib('portal/test/availability', 'S76: %s'),
      lib('portal/test/availability', 'S76: a connection that asks for another one gets that'),
    ],
  },
];
