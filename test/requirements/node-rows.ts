import { app, e2e, lib, type Row } from './row';

export const nodeRows: readonly Row[] = [
  {
    ids: 'S8',
    requirement: 'recovery from the binlog, several copies, consistency',
    seenBy: 'one disk is wiped: replicas equal again, digests prove it',
    tests: [
      e2e('crash', 'everything comes back from the log alone: node folders deleted, digests equal to before'),
      e2e(
        'disks',
        'wiped while it is down: it comes back under its name with a new disk, is filled from the log, and agrees',
      ),
    ],
  },
  {
    ids: 'S10 S48',
    requirement: 'no acknowledged write is lost when a node dies; copies are restored from survivors',
    seenBy: 'any node killed under load; a ledger; the replica count returns',
    tests: [
      e2e('crash', 'I2: every acknowledged write is there after each of ${rounds} kills under load'),
      e2e(
        'cluster',
        'kill -9 of each data node in turn under load with 3 replicas loses nothing, reads go on, the node comes back: %s, %i times',
      ),
      e2e('healing', 'a node that is lost is made up for, without an operation failing and with equal replicas'),
      e2e(
        'healing-in-one-process',
        'a node that is gone is made up for, without an operation failing and with equal replicas',
      ),
    ],
  },
  {
    ids: 'S52 S83 S84 S85 S87',
    requirement:
      "units preallocated from the machine's space by spec, several specs on one node, own files, ready at boot",
    seenBy: 'units are those of `LEVEE_UNITS`; allocation past the end is refused',
    tests: [
      lib(
        'chunk-store/test/unit-disk',
        'offers only the units that fit into the free space, and those that hold something already',
      ),
      lib('cluster/test/nodes/register-node', 'adds the node and its units, free, in generation 0'),
      lib('cluster/test/units', 'needs a unit as large as a chunk may grow'),
      e2e('elastic', 'gives a node in use other units, and what it held goes on elsewhere'),
      e2e('many-namespaces', 'once there is no more, what is needed, what there is, and the commands that help'),
    ],
  },
  {
    ids: 'S86',
    requirement: "a chunk's capability may grow",
    seenBy: 'a larger quota or a bigger unit without downtime',
    tests: [
      lib('portal/test/capacity', 'takes values again once its capacity is raised'),
      lib('cluster/test/healing/plan-healing', 'of one slot moves to a bigger unit, or says why not'),
      lib('cluster/test/plans/move-plans', 'stays on its node only for a unit that is named, or large enough at last'),
    ],
  },
  {
    ids: 'S88',
    requirement: 'all units of a machine are recalled and formatted to new specs',
    seenBy: '`levee node format n1 --units …` drains, clears, registers again',
    tests: [
      e2e('elastic', 'gives a node in use other units, and what it held goes on elsewhere'),
      lib(
        'data-node/test/format',
        'the node is emptied, offers the new units under the same disk, and takes data in them, in memory too',
      ),
    ],
  },
  {
    ids: 'S89',
    requirement: 'a unit serves one namespace',
    seenBy: 'an invariant',
    tests: [
      lib(
        'cluster/test/properties',
        'I9, I10: every slot of a namespace is in one chunk and route, every unit in one replica',
      ),
    ],
  },
  {
    ids: 'S90',
    requirement: 'suitable units are chosen by capacity and traffic',
    seenBy: '`explain` names the reason',
    tests: [
      lib('cluster/test/placement', 'takes the smallest unit that is large enough, and keeps the larger ones'),
      lib('cluster/test/placement', 'prefers memory for busy chunks, and disk else'),
      lib('cluster/test/plans/explain', 'S90: explain says why this unit'),
    ],
  },
  {
    ids: 'S91 S92',
    requirement: 'reclaim clears data and frees space; freed units join the pool for others',
    seenBy: 'files go; another namespace receives the unit',
    tests: [
      e2e(
        'plans',
        'a chunk goes to a memory unit and back; what it leaves is cleared, and another namespace gets the unit',
      ),
    ],
  },
  {
    ids: 'S97',
    requirement: 'heterogeneous storage, migration between engines',
    seenBy: 'a chunk moves between a `leveldb` and a `memory` unit',
    tests: [
      e2e(
        'plans',
        'a chunk goes to a memory unit and back; what it leaves is cleared, and another namespace gets the unit',
      ),
      lib('data-node/test/plans', 'moves between engines on one node, and back'),
    ],
  },
  {
    ids: 'S33 S37',
    requirement: 'portals get routes from route-change events, and forward',
    seenBy: 'a portal starts: its table fills; after a move its version rises without polling',
    tests: [
      e2e('portals', 'serve by a new route, and tell their watchers, within 500 ms of the decision'),
      e2e('portals', 'take up a watch that began at the other one, missing nothing and repeating nothing'),
      lib('portal/test/faults', 'serves a namespace as soon as it is created'),
    ],
  },
  {
    ids: 'S34',
    requirement: 'a route has slotStart, slotEnd, the address of each replica, unit and chunk',
    seenBy: '`LV.ROUTES`, `levee routes`',
    tests: [
      lib('portal/test/resp-door', 'says where a key lives, and the routes'),
      lib('cluster/test/view', 'are by ascending slot, with addresses joined in'),
      app('cli/test/transcripts', 'sessions at the command line'),
    ],
  },
  {
    ids: 'S35 S36',
    requirement: 'slot = hash modulo 1,000,000, permuted; an ordered table, floor lookup',
    seenBy: 'golden vectors; a property test against linear search',
    tests: [
      lib('keyspace/src/slot', 'key $keyHex by $algorithm'),
      lib('keyspace/src/slot', 'each partition owns one contiguous block of slots'),
      lib('keyspace/src/route-table', 'finds what a linear search for the newest route finds'),
    ],
  },
  {
    ids: 'S38',
    requirement: 'route updates and lookups do not collide',
    seenBy: 'a race test: no mixed versions',
    tests: [lib('keyspace/src/route-table', 'is one or the other for a reader that takes it while it is swapped')],
  },
  {
    ids: 'S39 S41',
    requirement: 'replicas per namespace; a write counts when all copies have it (`ack=all`)',
    seenBy: 'with one paused it never says OK, it says *pending*',
    tests: [
      lib(
        'portal/test/faults',
        'reads on from the other replicas when a node is gone, and acks with `all` become pending',
      ),
      e2e('failure-doors', 'failure x door'),
      lib('portal/test/availability', 'S41: while one replica does not apply it, the answer is pending, never OK'),
    ],
  },
  {
    ids: 'S40',
    requirement: 'a write with `ack=all` is on every replica',
    seenBy: 'every replica is read right after OK',
    tests: [
      lib(
        'client/src/writes/ack-waits',
        'with ack=all wait for the last replica, with ack=primary for the first, and name who is missing',
      ),
      lib('portal/test/availability', 'S40: what was answered OK is in every replica, asked one by one at once'),
    ],
  },
  {
    ids: 'S42',
    requirement: 'the primary is read, primaries are spread over machines',
    seenBy: 'primaries differ by at most 1 per node',
    tests: [
      lib('cluster/test/placement', 'no single hand-over of a primary would make the counts more even'),
      lib(
        'cluster/test/healing/uneven-primaries',
        'S42: once the node is back they are handed over until they differ by one at most, and that is all',
      ),
      e2e('healing', 'S42: after a failover and a return primaries are spread again, though nobody asks for it'),
    ],
  },
  {
    ids: 'S43',
    requirement: 'strong reads',
    seenBy: '`strong` is linearizable',
    tests: [
      e2e('cluster', 'nothing fails while nothing is broken, and no client sees a contradiction: %s'),
      e2e('two-portals', 'I4: a strong read never misses a write acknowledged before it began, through either portal'),
      e2e(
        'kafka-faults',
        'a broker that is stopped until it is deposed and then continued, ${counts.pauses} times, never makes a strong read stale',
      ),
    ],
  },
  {
    ids: 'S22',
    requirement: 'non-strong reads poll replicas',
    seenBy: 'the primary is killed: `eventual` answers at once',
    tests: [
      lib('client/test/hedging', 'is answered by the next replica after the hedge delay, not after the attempt'),
      e2e('portals', 'read on while a node is frozen: p99 at most five times the quiet one, and nothing fails'),
      e2e(
        'node-failure',
        'kill -9 of a node under ack=primary writes: they go on within 3 s, and the node returns and catches up',
      ),
    ],
  },
  {
    ids: 'S23',
    requirement: 'what needs the primary waits for the new one',
    seenBy: '`ack=primary` spans the promotion within its deadline',
    tests: [
      e2e(
        'node-failure',
        'kill -9 of a node under ack=primary writes: they go on within 3 s, and the node returns and catches up',
      ),
    ],
  },
  {
    ids: 'S9',
    requirement: 'the client library is what users get: one interface with retry, cached routes, probing',
    seenBy: '`@levee/client` in ten lines; faults below it are not seen above it',
    tests: [
      e2e('client-package', 'reads a value in ten lines as an ES module'),
      lib('sdk/test/requests', 'a read is asked of another one'),
      e2e(
        'client',
        'a portal killed and another one that stands still: every %s read is answered in time, nothing acknowledged is lost, and no history contradicts itself',
      ),
      lib(
        'sdk/test/direct-nodes',
        'a node that refuses makes the client ask for newer routes, within bounds, and it goes by them',
      ),
      e2e(
        'direct',
        'while chunks move and split and nodes are killed, every read and page is what was written last, and none fails',
      ),
    ],
  },
  {
    ids: 'S21',
    requirement: 'an operation may end in failure or time-out when a node dies; the two are told apart',
    seenBy: 'the kind of error, each provoked',
    tests: [
      e2e('failure-doors', 'failure x door'),
      lib(
        'client/src/writes/appends',
        'I3: says indefinite of what the log does not answer, definite of what it never got',
      ),
    ],
  },
  {
    ids: 'S46 S47',
    requirement: 'the SDK binds a key to a portal; requests of one key are serial',
    seenBy: 'two SDKs pick the same portal; per-key linearizability with concurrent clients',
    tests: [
      lib('sdk/test/requests', 'go to one portal for all clients, and to the same next one when it is gone'),
      e2e('client', 'two clients ask one portal for a key, and when it is killed the same next one'),
      e2e(
        'client',
        'writes of one key that nobody waited for keep the order of their calls in the log, through a kill',
      ),
      lib('sdk/test/requests', 'a write waits for what was asked before it, and reads go side by side'),
      e2e('cluster', 'nothing fails while nothing is broken, and no client sees a contradiction: %s'),
    ],
  },
  {
    ids: 'S53 S54 S55',
    requirement: 'users do not notice moves, splits, merges; the old is read while moving, then recycled',
    seenBy: 'load through each: zero failed operations; the old shows `retired`, then its unit `free`',
    tests: [
      e2e(
        'plans',
        'a move, a split, a shift, a merge and a promotion fail no operation and lose, double, revive or age no value',
      ),
      lib(
        'data-node/test/plans',
        'move: copied under writes and deletes, verified, switched, observed, reclaimed; another unit is free again',
      ),
      lib('cluster/test/plans/move-plans', 'goes through all steps, and the replica is elsewhere'),
    ],
  },
];
