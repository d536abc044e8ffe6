// Generated from schemas/ by `npm run generate`. Do not edit.
import type { SchemaVersion } from '../avro';

/** Every published version of every record, by name, then version. */
export const schemaVersions: readonly SchemaVersion[] = [
  {
    name: 'Barrier',
    version: 1,
    schema: {
      type: 'record',
      name: 'Barrier',
      namespace: 'levee',
      doc: 'Put into every partition of a binlog by the master under the reserved key 00 "levee" 00 "barrier": a digest point, the clock of the log, an end-to-end heartbeat.',
      fields: [
        { name: 'clusterId', type: 'string', doc: 'UUID of the cluster; readers ignore barriers of another one.' },
        {
          name: 'number',
          type: 'long',
          doc: 'Rises with every barrier that a master writes; equal numbers of one master in several partitions belong together.',
        },
        {
          name: 'digestPlan',
          type: ['null', 'string'],
          default: null,
          doc: 'Id of the plan or audit that wants a ReplicaDigest at this offset; null = the barrier only tells the time.',
        },
        {
          name: 'chunks',
          type: { type: 'array', items: 'string' },
          doc: 'Ids of the chunks whose digests are wanted; empty = all chunks of the partition.',
        },
        {
          name: 'writtenAtMs',
          type: 'long',
          doc: "When it was written, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'Checkpoint',
    version: 1,
    schema: {
      type: 'record',
      name: 'Checkpoint',
      namespace: 'levee',
      doc: 'Under the key `checkpoint` of each compacted control topic: everything up to decision `seq` is in it.',
      fields: [
        { name: 'topic', type: 'string', doc: 'Name of the topic it stands in.' },
        { name: 'seq', type: 'long', doc: 'Number of the last decision written out: 0 = none yet.' },
        { name: 'term', type: 'int', doc: 'Number of the reign of the writer: from 1.' },
        {
          name: 'digest',
          type: 'string',
          doc: 'State digest after decision seq, as 32 lower-case hexadecimal digits, most significant first.',
        },
        {
          name: 'journalOffset',
          type: 'long',
          doc: 'NEXT offset of the journal to read after this checkpoint: from 0.',
        },
        {
          name: 'previousSha256',
          type: 'string',
          doc: 'SHA-256 of the encoded bytes of decision seq as 64 lower-case hexadecimal digits; 64 zeros when seq is 0.',
        },
        {
          name: 'commandsOffset',
          type: 'long',
          doc: 'Offset in levee.commands of the last command decided: from 0; -1 = none.',
        },
        {
          name: 'writtenAtMs',
          type: 'long',
          doc: "When it was written, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'ChunkRoute',
    version: 1,
    schema: {
      type: 'record',
      name: 'ChunkRoute',
      namespace: 'levee',
      doc: 'What portals need to know of a chunk, under the key route/<chunkId>; its version is seq.',
      fields: [
        { name: 'chunkId', type: 'string', doc: 'Id of the chunk.' },
        { name: 'namespace', type: 'string', doc: 'Name of the namespace.' },
        { name: 'slotStart', type: 'int', doc: 'First slot: 0 to 999,999.' },
        { name: 'slotEnd', type: 'int', doc: 'Slot after the last: 1 to 1,000,000.' },
        {
          name: 'replicas',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'RouteReplica',
              doc: 'One replica that may be asked.',
              fields: [
                { name: 'nodeId', type: 'string', doc: 'Name of the node.' },
                {
                  name: 'storeId',
                  type: 'string',
                  doc: "Identity of the node's disk: a UUID minted when the folder was first used.",
                },
                { name: 'unitId', type: 'string', doc: 'Name of the unit in the cluster, such as n1/u03.' },
                {
                  name: 'generation',
                  type: 'int',
                  doc: 'How often that unit had been taken when this replica got it: from 1.',
                },
                {
                  name: 'role',
                  type: { type: 'string', values: ['primary', 'follower', 'retired'] },
                  doc: 'What the replica is for. primary: preferred by readers. follower: readable. retired: superseded, answers only readers with an older route.',
                },
              ],
            },
          },
          doc: 'Replicas that may be asked, the primary first.',
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: RouteCreated, RouteSwitched.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'ChunkState',
    version: 1,
    schema: {
      type: 'record',
      name: 'ChunkState',
      namespace: 'levee',
      doc: 'A contiguous slot range of a namespace with its replicas, under the key chunk/<chunkId>.',
      fields: [
        {
          name: 'chunkId',
          type: 'string',
          doc: 'Namespace, #, re-creation number, /c, chunk number: shop.orders#1/c00001.',
        },
        { name: 'namespace', type: 'string', doc: 'Name of the namespace.' },
        { name: 'slotStart', type: 'int', doc: 'First slot: 0 to 999,999.' },
        { name: 'slotEnd', type: 'int', doc: 'Slot after the last: 1 to 1,000,000.' },
        {
          name: 'state',
          type: { type: 'string', values: ['pending', 'serving', 'retired'] },
          doc: 'serving: owns its slots. pending: a plan builds it, another chunk serves its slots. retired: superseded by a plan, kept for a rollback. Chunks that serve never overlap.',
        },
        {
          name: 'replicas',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'ChunkReplica',
              doc: 'One replica of the chunk.',
              fields: [
                { name: 'nodeId', type: 'string', doc: 'Name of the node.' },
                {
                  name: 'storeId',
                  type: 'string',
                  doc: "Identity of the node's disk: a UUID minted when the folder was first used.",
                },
                { name: 'unitId', type: 'string', doc: 'Name of the unit in the cluster, such as n1/u03.' },
                {
                  name: 'generation',
                  type: 'int',
                  doc: 'How often that unit had been taken when this replica got it: from 1.',
                },
                {
                  name: 'role',
                  type: { type: 'string', values: ['primary', 'follower', 'learner', 'retired', 'dead'] },
                  doc: 'What the replica is for. primary: preferred by readers. follower: readable. learner: loading, not readable. retired: superseded, still tailing for a rollback. dead: lost.',
                },
              ],
            },
          },
          doc: 'All replicas, also those that are not readable.',
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: ChunkCreated, ChunkPromoted.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'Claim',
    version: 1,
    schema: {
      type: 'record',
      name: 'Claim',
      namespace: 'levee',
      doc: 'Record of the journal by which a process becomes master; the highest term wins.',
      fields: [
        { name: 'term', type: 'int', doc: 'Number of the reign: highest seen before + 1, from 1.' },
        { name: 'instance', type: 'string', doc: 'Identity of the claiming process.' },
        { name: 'nonce', type: 'string', doc: 'UUID of this very claim, to recognise it on reading back.' },
        {
          name: 'producerId',
          type: 'long',
          doc: 'Id of the fenced writer it was appended by, as the log assigned it.',
        },
        { name: 'epoch', type: 'int', doc: 'Epoch of that writer; older epochs are fenced.' },
        { name: 'clusterId', type: 'string', doc: 'UUID of the cluster; the first claim mints it.' },
        {
          name: 'claimedAtMs',
          type: 'long',
          doc: "When it was claimed, by the claimant's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'ClusterState',
    version: 1,
    schema: {
      type: 'record',
      name: 'ClusterState',
      namespace: 'levee',
      doc: 'The cluster itself; one, under the key `cluster`.',
      fields: [
        { name: 'clusterId', type: 'string', doc: 'UUID minted by the first claim.' },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: ClusterFounded.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'Command',
    version: 1,
    schema: {
      type: 'record',
      name: 'Command',
      namespace: 'levee',
      doc: 'A wish, written by anybody with the right to; the active master decides it once.',
      fields: [
        {
          name: 'id',
          type: 'string',
          doc: 'UUID chosen by the submitter; a repeated id within 24 h gets the recorded outcome.',
        },
        { name: 'kind', type: 'string', doc: 'Imperative name of the command, such as CreateNamespace.' },
        {
          name: 'payload',
          type: 'string',
          doc: "JSON text of the command's own fields; their names say their units, as in historyWindowMs.",
        },
        {
          name: 'principal',
          type: 'string',
          doc: 'Who asked: a user name, or the kind and name of a process such as node/n1.',
        },
        {
          name: 'submittedAtMs',
          type: 'long',
          doc: "When it was submitted, by the submitter's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'CommandOutcome',
    version: 1,
    schema: {
      type: 'record',
      name: 'CommandOutcome',
      namespace: 'levee',
      doc: 'What came of a command, under the key outcome/<commandId>; kept for 24 hours.',
      fields: [
        { name: 'commandId', type: 'string', doc: 'Id of the command.' },
        { name: 'kind', type: 'string', doc: 'Imperative name of the command.' },
        {
          name: 'rejectionCode',
          type: ['null', 'string'],
          default: null,
          doc: 'Stable code of why it was refused; null = accepted.',
        },
        {
          name: 'rejectionMessage',
          type: ['null', 'string'],
          default: null,
          doc: 'The refusal in words for people; null = accepted.',
        },
        {
          name: 'decidedAtMs',
          type: 'long',
          doc: "When it was decided, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: CommandAccepted, CommandRejected.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'Decision',
    version: 1,
    schema: {
      type: 'record',
      name: 'Decision',
      namespace: 'levee',
      doc: 'One record of the journal, the truth of the control plane: a command and what came of it.',
      fields: [
        { name: 'seq', type: 'long', doc: 'Number of the decision: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: 'Number of the reign of the master that decided: from 1. Void when an earlier record of the journal claims a higher one.',
        },
        {
          name: 'decidedAtMs',
          type: 'long',
          doc: "When it was decided, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
        {
          name: 'command',
          type: {
            type: 'record',
            name: 'Command',
            doc: 'A wish, written by anybody with the right to; the active master decides it once.',
            fields: [
              {
                name: 'id',
                type: 'string',
                doc: 'UUID chosen by the submitter; a repeated id within 24 h gets the recorded outcome.',
              },
              { name: 'kind', type: 'string', doc: 'Imperative name of the command, such as CreateNamespace.' },
              {
                name: 'payload',
                type: 'string',
                doc: "JSON text of the command's own fields; their names say their units, as in historyWindowMs.",
              },
              {
                name: 'principal',
                type: 'string',
                doc: 'Who asked: a user name, or the kind and name of a process such as node/n1.',
              },
              {
                name: 'submittedAtMs',
                type: 'long',
                doc: "When it was submitted, by the submitter's clock, in milliseconds since 1970-01-01T00:00:00Z.",
              },
            ],
          },
          doc: 'The command decided, whole.',
        },
        {
          name: 'commandOffset',
          type: 'long',
          doc: "Offset of the command in levee.commands: from 0; -1 = the master's own, which was never appended there.",
        },
        {
          name: 'rejectionCode',
          type: ['null', 'string'],
          default: null,
          doc: 'Stable code of why the command was refused; null = accepted.',
        },
        {
          name: 'rejectionMessage',
          type: ['null', 'string'],
          default: null,
          doc: 'The refusal in words for people; null = accepted.',
        },
        {
          name: 'events',
          type: { type: 'array', items: 'bytes' },
          doc: 'What changed, in order: each a single-object encoded entity record or EntityRemoved; empty when nothing did.',
        },
        {
          name: 'stateDigest',
          type: 'string',
          doc: 'Sum modulo 2^128 of the hashes of all entities after the decision, as 32 lower-case hexadecimal digits, most significant first.',
        },
        {
          name: 'previousSha256',
          type: 'string',
          doc: "SHA-256 of the previous decision's encoded bytes as 64 lower-case hexadecimal digits; 64 zeros for seq 1.",
        },
      ],
    },
  },
  {
    name: 'EntityRemoved',
    version: 1,
    schema: {
      type: 'record',
      name: 'EntityRemoved',
      namespace: 'levee',
      doc: 'Event: an entity is gone; its compacted record becomes a tombstone.',
      fields: [
        {
          name: 'entity',
          type: { type: 'string', values: ['namespace', 'node', 'unit', 'chunk', 'route', 'outcome', 'plan'] },
          doc: 'Kind of the entity.',
        },
        { name: 'key', type: 'string', doc: 'Its key in the compacted topic without the kind: the name or id.' },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: NamespaceForgotten, ChunkRemoved, OutcomeExpired.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'Fence',
    version: 1,
    schema: {
      type: 'record',
      name: 'Fence',
      namespace: 'levee',
      doc: 'Put into a partition by a producer under the reserved key 00 "levee" 00 "fence/<producer>": what lies before it has been resolved.',
      fields: [
        { name: 'producer', type: 'string', doc: 'Name of the producer, unique in the cluster.' },
        { name: 'number', type: 'long', doc: "Count of this producer's fences: from 1." },
      ],
    },
  },
  {
    name: 'Genesis',
    version: 1,
    schema: {
      type: 'record',
      name: 'Genesis',
      namespace: 'levee',
      doc: 'Record at offset 0 of every partition of a binlog, under the reserved key 00 "levee" 00 "genesis": proves which log this is.',
      fields: [
        { name: 'clusterId', type: 'string', doc: 'UUID of the cluster.' },
        { name: 'namespace', type: 'string', doc: 'Name of the namespace.' },
        { name: 'binlog', type: 'string', doc: 'Name of the topic, never used again for another log.' },
        { name: 'partition', type: 'int', doc: 'Index of this partition: from 0.' },
        { name: 'partitions', type: 'int', doc: 'Number of partitions of the topic, fixed for ever.' },
        { name: 'hashAlgorithm', type: 'string', doc: 'How keys are hashed: murmur2 or murmur2-hashtag.' },
        {
          name: 'nonce',
          type: 'string',
          doc: 'Identity of this partition of this very creation, as 32 hexadecimal digits: another nonce is another log.',
        },
        {
          name: 'createdAtMs',
          type: 'long',
          doc: 'When the namespace was created, in milliseconds since 1970-01-01T00:00:00Z.',
        },
      ],
    },
  },
  {
    name: 'Heartbeat',
    version: 1,
    schema: {
      type: 'record',
      name: 'Heartbeat',
      namespace: 'levee',
      doc: 'Sign of life of a process, with the soft state that others act upon. Never a decision.',
      fields: [
        {
          name: 'kind',
          type: { type: 'string', values: ['master', 'node', 'portal', 'dispatcher'] },
          doc: 'What the process is.',
        },
        { name: 'id', type: 'string', doc: 'Name of the process, unique within its kind.' },
        { name: 'incarnation', type: 'string', doc: 'UUID of this run of the process.' },
        { name: 'address', type: 'string', doc: 'host:port of its HTTP door.' },
        {
          name: 'sentAtMs',
          type: 'long',
          doc: "When it was sent, by the sender's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
        { name: 'featureLevel', type: 'int', doc: 'Highest feature level whose records the process reads: from 1.' },
        {
          name: 'positions',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'HeartbeatPosition',
              doc: 'How far one replica of the sender has applied one partition.',
              fields: [
                { name: 'namespace', type: 'string', doc: 'Name of the namespace.' },
                { name: 'partition', type: 'int', doc: 'Index of the binlog partition: from 0.' },
                { name: 'chunkId', type: 'string', doc: 'Id of the chunk.' },
                { name: 'nextOffset', type: 'long', doc: 'NEXT offset to apply: from 0.' },
                {
                  name: 'atEndAtMs',
                  type: 'long',
                  doc: 'When the replica last stood at the end of the partition, in milliseconds since 1970-01-01T00:00:00Z; 0 = never.',
                },
              ],
            },
          },
          doc: 'Positions of all replicas; travel with every tenth heartbeat, empty otherwise and for processes without any.',
        },
        {
          name: 'loads',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'HeartbeatLoad',
              doc: 'What one replica of the sender holds and did. The counters rise while the process lives and holds the replica; one that fell began anew at 0.',
              fields: [
                { name: 'chunkId', type: 'string', doc: 'Id of the chunk.' },
                {
                  name: 'storedBytes',
                  type: 'long',
                  doc: 'Bytes its database takes, overwritten values not yet compacted included: from 0.',
                },
                { name: 'liveKeys', type: 'long', doc: 'Keys not expired, as the last sweep counted them: from 0.' },
                { name: 'reads', type: 'long', doc: 'Counter: keys read from it.' },
                { name: 'recordsApplied', type: 'long', doc: 'Counter: records applied to it.' },
                {
                  name: 'bytesApplied',
                  type: 'long',
                  doc: 'Counter: bytes of keys and values applied to it, with what the store adds.',
                },
              ],
            },
          },
          doc: 'Loads of all replicas, whenever positions are filled.',
        },
        {
          name: 'moves',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'HeartbeatMove',
              doc: 'How far the sender is with a replica that a plan makes.',
              fields: [
                { name: 'planId', type: 'string', doc: 'Id of the plan.' },
                { name: 'chunkId', type: 'string', doc: 'Id of the chunk being made.' },
                { name: 'unitId', type: 'string', doc: 'Name of the unit.' },
                { name: 'generation', type: 'int', doc: 'Generation of the unit: from 1.' },
                {
                  name: 'step',
                  type: { type: 'string', values: ['copy', 'catchUp', 'ready'] },
                  doc: 'As in the plan.',
                },
                { name: 'recordsCopied', type: 'long', doc: 'Records loaded so far: from 0.' },
                { name: 'bytesCopied', type: 'long', doc: 'Bytes of keys and values loaded so far: from 0.' },
                {
                  name: 'bytesTotal',
                  type: 'long',
                  doc: 'Bytes to load, as the sources estimate: from 0; 0 = unknown.',
                },
                {
                  name: 'lagRecords',
                  type: 'long',
                  doc: 'Records behind the ends of its partitions, all together: from 0; -1 = unknown.',
                },
              ],
            },
          },
          doc: 'Replicas under way, whenever there are any.',
        },
        {
          name: 'freeDiskBytes',
          type: 'long',
          doc: "Free bytes of the file system that holds the sender's data; -1 = not measured.",
        },
        {
          name: 'errors',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'HeartbeatError',
              doc: 'Errors seen towards one node since the last heartbeat.',
              fields: [
                { name: 'nodeId', type: 'string', doc: 'Name of the node that did not serve.' },
                { name: 'code', type: 'string', doc: 'Stable code of the error.' },
                { name: 'count', type: 'long', doc: 'How often since the last heartbeat: from 1.' },
              ],
            },
          },
          doc: 'Errors the sender met when talking to nodes.',
        },
      ],
    },
  },
  {
    name: 'NamespaceState',
    version: 1,
    schema: {
      type: 'record',
      name: 'NamespaceState',
      namespace: 'levee',
      doc: 'A namespace with its whole configuration, under the key namespace/<name>.',
      fields: [
        { name: 'name', type: 'string', doc: 'Name such as shop.orders.' },
        { name: 'number', type: 'int', doc: 'Which creation of this name it is: from 1.' },
        { name: 'binlog', type: 'string', doc: 'Name of its binlog topic, never reused.' },
        {
          name: 'state',
          type: { type: 'string', values: ['creating', 'active', 'deleting', 'deleted'] },
          doc: 'creating: its topic is being made. active: serves. deleting, deleted: refuses all.',
        },
        {
          name: 'partitions',
          type: 'int',
          doc: 'Number of binlog partitions, a divisor of 1,000,000, fixed for ever.',
        },
        {
          name: 'hashAlgorithm',
          type: { type: 'string', values: ['murmur2', 'murmur2-hashtag'] },
          doc: 'How keys are hashed to slots; murmur2-hashtag hashes only the part in {}.',
        },
        {
          name: 'partitionStrategy',
          type: { type: 'string', values: ['hash'] },
          doc: 'How keys are spread over partitions.',
        },
        { name: 'chunks', type: 'int', doc: 'Number of chunks it was created with.' },
        { name: 'replicas', type: 'int', doc: 'Wanted replicas per chunk: from 1.' },
        {
          name: 'ack',
          type: { type: 'string', values: ['logged', 'primary', 'all'] },
          doc: 'Default of when a write is answered: committed to the log, applied by the primary, applied by all.',
        },
        {
          name: 'consistency',
          type: { type: 'string', values: ['eventual', 'session', 'strong'] },
          doc: 'Default of what a read may miss.',
        },
        {
          name: 'maxStalenessMs',
          type: ['null', 'long'],
          default: null,
          doc: 'Age in milliseconds above which a replica refuses reads; null = no limit.',
        },
        {
          name: 'requestsPerSecond',
          type: ['null', 'long'],
          default: null,
          doc: 'Most requests per second of the whole namespace at one portal; null = no limit.',
        },
        {
          name: 'chunkRequestsPerSecond',
          type: ['null', 'long'],
          default: null,
          doc: 'Most requests per second of one chunk at one node; null = no limit.',
        },
        { name: 'chunkCapacityBytes', type: 'long', doc: 'Bytes a chunk may hold before it is full.' },
        {
          name: 'failoverStrategy',
          type: { type: 'string', values: ['automatic', 'manual'] },
          doc: 'Whether lost replicas are replaced without being asked.',
        },
        {
          name: 'expectedBytes',
          type: ['null', 'long'],
          default: null,
          doc: 'Bytes the user expects to store, for placement; null = unknown.',
        },
        {
          name: 'expectedRequestsPerSecond',
          type: ['null', 'long'],
          default: null,
          doc: 'Requests per second the user expects, for placement; null = unknown.',
        },
        {
          name: 'historyWindowMs',
          type: 'long',
          doc: 'Milliseconds for which the binlog keeps every version of a key.',
        },
        {
          name: 'maxTtlMs',
          type: ['null', 'long'],
          default: null,
          doc: 'Longest time to live a write may ask for, in milliseconds; null = no limit.',
        },
        {
          name: 'manualPlans',
          type: { type: 'array', items: 'string' },
          doc: 'Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits.',
        },
        { name: 'nextChunk', type: 'int', doc: 'Number that the next chunk of this namespace gets: from 1.' },
        { name: 'createdAtMs', type: 'long', doc: 'When it was created, in milliseconds since 1970-01-01T00:00:00Z.' },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'NodeState',
    version: 1,
    schema: {
      type: 'record',
      name: 'NodeState',
      namespace: 'levee',
      doc: 'A data node, under the key node/<nodeId>.',
      fields: [
        { name: 'nodeId', type: 'string', doc: 'Name of the node, unique in the cluster.' },
        { name: 'storeId', type: 'string', doc: 'Identity of its disk: a UUID minted when the folder was first used.' },
        { name: 'incarnation', type: 'string', doc: 'UUID of its current run.' },
        { name: 'domain', type: 'string', doc: 'Failure domain: replicas of a chunk go to different ones.' },
        { name: 'respAddress', type: 'string', doc: 'host:port of its RESP door.' },
        { name: 'httpAddress', type: 'string', doc: 'host:port of its HTTP door.' },
        {
          name: 'state',
          type: { type: 'string', values: ['up', 'suspect', 'lost', 'maintenance'] },
          doc: 'up: serves. suspect: silent for a short while, avoided. lost: given up, its replicas are dead. maintenance: silent with leave.',
        },
        { name: 'featureLevel', type: 'int', doc: 'Highest feature level whose records it reads: from 1.' },
        {
          name: 'registeredAtMs',
          type: 'long',
          doc: 'When it registered first, in milliseconds since 1970-01-01T00:00:00Z.',
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: NodeRegistered, NodeSuspected, NodeReturned.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'PlanState',
    version: 1,
    schema: {
      type: 'record',
      name: 'PlanState',
      namespace: 'levee',
      doc: 'A recorded, resumable change of where data lives, under the key plan/<planId> of levee.plans.',
      fields: [
        {
          name: 'planId',
          type: 'string',
          doc: 'p and the number of the decision that recorded the proposal, such as p42.',
        },
        {
          name: 'kind',
          type: {
            type: 'string',
            values: [
              'move',
              'reReplicate',
              'promote',
              'split',
              'merge',
              'shift',
              'resize',
              'drain',
              'format',
              'rebalance',
            ],
          },
          doc: 'What it changes. move: a replica to another unit. reReplicate: one more replica of a chunk that lacks one. promote: another primary, no data moves. split, merge, shift: other slot ranges, in new chunks. resize, drain, format, rebalance: made of other plans, its parts.',
        },
        {
          name: 'namespace',
          type: ['null', 'string'],
          default: null,
          doc: 'Name of the namespace; null = a plan for a node or for the cluster.',
        },
        {
          name: 'state',
          type: {
            type: 'string',
            values: ['proposed', 'running', 'observing', 'reclaiming', 'done', 'cancelled', 'rolledBack', 'failed'],
          },
          doc: 'proposed: waits for approval or for its turn. running: before the switch. observing: after it, rollback is possible. reclaiming: what was superseded, or given up, is being cleared. done, cancelled, rolledBack: over. failed: stopped, waits for retry or cancel.',
        },
        {
          name: 'step',
          type: {
            type: 'string',
            values: [
              'allocate',
              'copy',
              'catchUp',
              'verify',
              'switch',
              'observe',
              'reclaim',
              'parts',
              'reformat',
              'none',
            ],
          },
          doc: 'The step under way, or in which it stopped; parts: plans of its own do the work; reformat: the node makes its new units; none: nothing is left to do.',
        },
        {
          name: 'attempt',
          type: 'int',
          doc: 'Which try of its steps: from 1; reports of another attempt do not count.',
        },
        { name: 'approved', type: 'boolean', doc: 'Whether it may begin; a namespace can demand approval by kind.' },
        {
          name: 'parent',
          type: ['null', 'string'],
          default: null,
          doc: 'Id of the plan that this is a part of; null = none.',
        },
        {
          name: 'nodeId',
          type: ['null', 'string'],
          default: null,
          doc: 'Name of the node that is drained or formatted; null = another kind.',
        },
        {
          name: 'chunksWanted',
          type: ['null', 'int'],
          default: null,
          doc: 'Number of chunks a resize leads to; null = another kind.',
        },
        {
          name: 'unitsWanted',
          type: ['null', 'string'],
          default: null,
          doc: 'Units that a format makes, written as LEVEE_UNITS: 8x1GiB:leveldb,4x256MiB:memory; null = another kind.',
        },
        {
          name: 'toNodeId',
          type: ['null', 'string'],
          default: null,
          doc: 'Name of the node that the new replica, or the primary, shall be on; null = placement chooses.',
        },
        {
          name: 'toUnitId',
          type: ['null', 'string'],
          default: null,
          doc: 'Name of the unit that the new replica shall be in; null = placement chooses.',
        },
        {
          name: 'toEngine',
          type: ['null', 'string'],
          default: null,
          doc: 'Engine of the unit that the new replica shall be in: leveldb or memory; null = as the one it replaces.',
        },
        {
          name: 'sources',
          type: { type: 'array', items: 'string' },
          doc: 'Ids of the chunks whose data or place changes.',
        },
        {
          name: 'targets',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'PlanTarget',
              doc: 'A chunk as it will be.',
              fields: [
                {
                  name: 'chunkId',
                  type: 'string',
                  doc: "Id of the chunk: a source's own for move and reReplicate, a new one for split, merge and shift.",
                },
                { name: 'slotStart', type: 'int', doc: 'First slot: 0 to 999,999.' },
                { name: 'slotEnd', type: 'int', doc: 'Slot after the last: 1 to 1,000,000.' },
                {
                  name: 'replicas',
                  type: {
                    type: 'array',
                    items: {
                      type: 'record',
                      name: 'PlanReplica',
                      doc: 'One replica that the plan makes.',
                      fields: [
                        { name: 'nodeId', type: 'string', doc: 'Name of the node.' },
                        {
                          name: 'storeId',
                          type: 'string',
                          doc: "Identity of the node's disk: a UUID minted when the folder was first used.",
                        },
                        { name: 'unitId', type: 'string', doc: 'Name of the unit in the cluster, such as n1/u03.' },
                        {
                          name: 'generation',
                          type: 'int',
                          doc: 'Generation of the unit that the replica is in: from 1; a replica of another generation is another replica.',
                        },
                        {
                          name: 'role',
                          type: { type: 'string', values: ['primary', 'follower'] },
                          doc: 'What it becomes at the switch.',
                        },
                        {
                          name: 'step',
                          type: { type: 'string', values: ['copy', 'catchUp', 'ready'] },
                          doc: 'copy: loads. catchUp: has all of the snapshot, follows the log. ready: within maxLag of the end of each partition.',
                        },
                        {
                          name: 'incarnation',
                          type: 'string',
                          doc: 'UUID of the run of the node that reported last; empty = none has.',
                        },
                        { name: 'recordsCopied', type: 'long', doc: 'Records loaded from the snapshot: from 0.' },
                        {
                          name: 'bytesCopied',
                          type: 'long',
                          doc: 'Bytes of keys and values loaded from the snapshot: from 0.',
                        },
                        {
                          name: 'evidence',
                          type: 'string',
                          doc: 'JSON text of what the node reported last: source, snapshot positions, lag; empty = nothing yet.',
                        },
                      ],
                    },
                  },
                  doc: 'The replicas it makes, the primary first; empty before allocate.',
                },
              ],
            },
          },
          doc: 'The chunks as they will be.',
        },
        {
          name: 'retiring',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'PlanRetiring',
              doc: 'A replica that the switch supersedes; it keeps tailing until it is reclaimed.',
              fields: [
                { name: 'chunkId', type: 'string', doc: 'Id of its chunk.' },
                { name: 'nodeId', type: 'string', doc: 'Name of the node.' },
                {
                  name: 'storeId',
                  type: 'string',
                  doc: "Identity of the node's disk: a UUID minted when the folder was first used.",
                },
                { name: 'unitId', type: 'string', doc: 'Name of the unit in the cluster, such as n1/u03.' },
                {
                  name: 'generation',
                  type: 'int',
                  doc: 'Generation of the unit that the replica is in: from 1; a replica of another generation is another replica.',
                },
                {
                  name: 'role',
                  type: { type: 'string', values: ['primary', 'follower', 'learner', 'dead'] },
                  doc: 'What it was before the switch, and is again after a rollback.',
                },
              ],
            },
          },
          doc: 'The replicas it supersedes.',
        },
        {
          name: 'verified',
          type: ['null', 'string'],
          default: null,
          doc: 'JSON text of what the switch rests on: the barrier, and store, run, unit and generation of every replica whose digest was compared; null = not verified in this attempt.',
        },
        {
          name: 'observeMs',
          type: 'long',
          doc: 'Milliseconds after the switch during which a rollback is possible: from 0.',
        },
        {
          name: 'observeUntilMs',
          type: ['null', 'long'],
          default: null,
          doc: "When that ends, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z; null = not switched.",
        },
        {
          name: 'maxLagRecords',
          type: 'long',
          doc: 'Most records that a replica may be behind the end of a partition to count as caught up: from 0.',
        },
        {
          name: 'trigger',
          type: 'string',
          doc: 'Why it exists, in one word: operator, deadReplica, fullChunk, hotChunk, hotNode, coldNeighbours, emptyNode, parent.',
        },
        { name: 'evidence', type: 'string', doc: 'JSON text of the facts that the proposal rests on.' },
        { name: 'policyVersion', type: 'int', doc: 'Version of the rules that proposed it; 0 = a person.' },
        { name: 'proposedBy', type: 'string', doc: "Who proposed it: the command's principal." },
        {
          name: 'history',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'PlanMoment',
              doc: 'Something that happened to the plan.',
              fields: [
                { name: 'step', type: 'string', doc: 'The step it happened in.' },
                { name: 'attempt', type: 'int', doc: 'The attempt it happened in: from 1.' },
                {
                  name: 'what',
                  type: 'string',
                  doc: 'Past-tense word: proposed, approved, began, ended, failed, cancelled, rolledBack, retried.',
                },
                {
                  name: 'atMs',
                  type: 'long',
                  doc: "When, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
                },
                { name: 'seq', type: 'long', doc: 'Number of the decision that recorded it: from 1.' },
                { name: 'evidence', type: 'string', doc: 'JSON text of what shows it; empty = nothing to show.' },
              ],
            },
          },
          doc: 'The last 64 moments, oldest first.',
        },
        {
          name: 'failureCode',
          type: ['null', 'string'],
          default: null,
          doc: 'Stable code of why it stopped; null = it did not.',
        },
        {
          name: 'failureMessage',
          type: ['null', 'string'],
          default: null,
          doc: 'The same in words, with the values; null = it did not stop.',
        },
        { name: 'failures', type: 'int', doc: 'How often in a row it stopped with that code: from 0.' },
        {
          name: 'retryAtMs',
          type: ['null', 'long'],
          default: null,
          doc: 'When it is tried again by itself, in milliseconds since 1970-01-01T00:00:00Z; null = not by itself.',
        },
        {
          name: 'createdAtMs',
          type: 'long',
          doc: "When it was proposed, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
        {
          name: 'endedAtMs',
          type: ['null', 'long'],
          default: null,
          doc: 'When it was over, in milliseconds since 1970-01-01T00:00:00Z; null = it is not.',
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: PlanProposed, PlanSwitched, PlanFailed.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
  {
    name: 'Put',
    version: 1,
    schema: {
      type: 'record',
      name: 'Put',
      namespace: 'levee',
      doc: 'Value of a binlog record: sets the record key to `value`. A null record value (tombstone) deletes the key.',
      fields: [
        {
          name: 'expiresAtMs',
          type: ['null', 'long'],
          default: null,
          doc: 'From when on the key counts as absent, in milliseconds since 1970-01-01T00:00:00Z; null = never.',
        },
        {
          name: 'crc',
          type: ['null', 'int'],
          default: null,
          doc: 'CRC-32C, as a signed 32-bit integer, over the record key, then expiresAtMs as 8 bytes big-endian (0 when null), then value; null = the writer did not compute one, nothing is checked.',
        },
        { name: 'value', type: 'bytes', doc: "The user's value, unchanged." },
      ],
    },
  },
  {
    name: 'Quarantined',
    version: 1,
    schema: {
      type: 'record',
      name: 'Quarantined',
      namespace: 'levee',
      doc: 'Copy of a binlog record that a node refused to apply.',
      fields: [
        { name: 'topic', type: 'string', doc: 'Name of the binlog.' },
        { name: 'partition', type: 'int', doc: 'Index of the partition: from 0.' },
        { name: 'offset', type: 'long', doc: 'Offset of the record: from 0.' },
        {
          name: 'reason',
          type: {
            type: 'string',
            values: ['garbage', 'wrongPartition', 'reservedKey', 'tooLarge', 'badCrc', 'unknownSchema'],
          },
          doc: 'Why it was refused. garbage: the value is no Put. wrongPartition: the key hashes to another partition. reservedKey: a foreign record under a reserved key. tooLarge: key or value above the limit. badCrc: the record contradicts its own crc. unknownSchema: a fingerprint this version does not know.',
        },
        { name: 'message', type: 'string', doc: 'The same in words for people, with the values.' },
        { name: 'nodeId', type: 'string', doc: 'Name of the node that refused it.' },
        {
          name: 'key',
          type: ['null', 'bytes'],
          default: null,
          doc: 'Record key, cut to 65,536 bytes; null = the record had none.',
        },
        {
          name: 'value',
          type: ['null', 'bytes'],
          default: null,
          doc: 'Record value, cut to 65,536 bytes; null = tombstone.',
        },
        {
          name: 'quarantinedAtMs',
          type: 'long',
          doc: "When it was refused, by the node's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'ReplicaDigest',
    version: 1,
    schema: {
      type: 'record',
      name: 'ReplicaDigest',
      namespace: 'levee',
      doc: 'State of one (chunk, partition) of one replica exactly at a barrier.',
      fields: [
        { name: 'namespace', type: 'string', doc: 'Name of the namespace.' },
        { name: 'chunkId', type: 'string', doc: 'Id of the chunk.' },
        { name: 'partition', type: 'int', doc: 'Index of the binlog partition: from 0.' },
        {
          name: 'digestPlan',
          type: 'string',
          doc: 'Id that the barrier carries: of the plan or audit that wants the digest.',
        },
        {
          name: 'barrierOffset',
          type: 'long',
          doc: 'Offset of the barrier in that partition: the digest covers what lies before it.',
        },
        {
          name: 'digest',
          type: 'string',
          doc: 'Sum modulo 2^128 of the hashes of the entries, as 32 lower-case hexadecimal digits, most significant first.',
        },
        { name: 'keys', type: 'long', doc: 'Number of entries digested.' },
        { name: 'nodeId', type: 'string', doc: 'Name of the node.' },
        { name: 'storeId', type: 'string', doc: "Identity of the node's disk." },
        { name: 'incarnation', type: 'string', doc: "UUID of the node's run." },
        { name: 'unitId', type: 'string', doc: 'Name of the unit that holds the replica.' },
        { name: 'generation', type: 'int', doc: 'Generation of that unit: from 1.' },
        {
          name: 'computedAtMs',
          type: 'long',
          doc: "When it was computed, by the node's clock, in milliseconds since 1970-01-01T00:00:00Z.",
        },
      ],
    },
  },
  {
    name: 'UnitState',
    version: 1,
    schema: {
      type: 'record',
      name: 'UnitState',
      namespace: 'levee',
      doc: 'A preallocated storage place on a node, under the key unit/<unitId>.',
      fields: [
        { name: 'unitId', type: 'string', doc: 'Name of the unit in the cluster, such as n1/u03.' },
        { name: 'nodeId', type: 'string', doc: 'Name of the node it is on.' },
        { name: 'storeId', type: 'string', doc: 'Identity of the disk it is on.' },
        { name: 'capacityBytes', type: 'long', doc: 'Bytes it may hold.' },
        { name: 'engine', type: { type: 'string', values: ['leveldb', 'memory'] }, doc: 'What stores the data.' },
        {
          name: 'state',
          type: { type: 'string', values: ['free', 'allocated', 'reclaiming'] },
          doc: 'free: may be taken. allocated: holds a replica. reclaiming: being cleared.',
        },
        { name: 'generation', type: 'int', doc: 'How often it has been taken: 0 = never.' },
        {
          name: 'chunkId',
          type: ['null', 'string'],
          default: null,
          doc: 'Id of the chunk whose replica it holds; null = none.',
        },
        {
          name: 'change',
          type: 'string',
          doc: 'Past-tense name of what last happened to this entity, for people and filters: UnitRegistered, UnitAllocated, UnitFreed.',
        },
        { name: 'seq', type: 'long', doc: 'Number of the decision that wrote this value: gapless from 1.' },
        {
          name: 'term',
          type: 'int',
          doc: "Number of the master's reign that took that decision: from 1, strictly increasing.",
        },
      ],
    },
  },
];
