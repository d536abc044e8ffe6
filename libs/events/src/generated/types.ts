// Generated from schemas/ by `npm run generate`. Do not edit.

/** Put into every partition of a binlog by the master under the reserved key 00 "levee" 00 "barrier": a digest point, the clock of the log, an end-to-end heartbeat. */
export interface Barrier {
  /** UUID of the cluster; readers ignore barriers of another one. */
  readonly clusterId: string;
  /** Rises with every barrier that a master writes; equal numbers of one master in several partitions belong together. */
  readonly number: number;
  /** Id of the plan or audit that wants a ReplicaDigest at this offset; null = the barrier only tells the time. */
  readonly digestPlan: string | null;
  /** Ids of the chunks whose digests are wanted; empty = all chunks of the partition. */
  readonly chunks: readonly string[];
  /** When it was written, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly writtenAtMs: number;
}

/** Under the key `checkpoint` of each compacted control topic: everything up to decision `seq` is in it. */
export interface Checkpoint {
  /** Name of the topic it stands in. */
  readonly topic: string;
  /** Number of the last decision written out: 0 = none yet. */
  readonly seq: number;
  /** Number of the reign of the writer: from 1. */
  readonly term: number;
  /** State digest after decision seq, as 32 lower-case hexadecimal digits, most significant first. */
  readonly digest: string;
  /** NEXT offset of the journal to read after this checkpoint: from 0. */
  readonly journalOffset: number;
  /** SHA-256 of the encoded bytes of decision seq as 64 lower-case hexadecimal digits; 64 zeros when seq is 0. */
  readonly previousSha256: string;
  /** Offset in levee.commands of the last command decided: from 0; -1 = none. */
  readonly commandsOffset: number;
  /** When it was written, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly writtenAtMs: number;
}

/** What the log says of one partition of the chunk. */
export interface ProvedPartition {
  /** Index of the binlog partition: from 0. */
  readonly partition: number;
  /** Offset of the barrier: the digest covers what lies before it; -1 = it is not known. */
  readonly barrierOffset: number;
  /** Digest of the fold of the log, as in ReplicaDigest; empty = it is not provable. */
  readonly digest: string;
  /** Number of entries digested. */
  readonly keys: number;
}

/** One replica that was compared, or was to be. */
export interface ProvedReplica {
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk. */
  readonly storeId: string;
  /** Name of the unit that holds the replica. */
  readonly unitId: string;
  /** Generation of that unit: from 1. */
  readonly generation: number;
  /** same: what the log says. other: something else. unknown: it did not answer, or the log does not say. */
  readonly holds: 'same' | 'other' | 'unknown';
}

/** What came of comparing the replicas of one chunk with each other and with the log, each at the same barriers; under the key proof/<chunkId> of levee.digests. */
export interface ChunkProof {
  /** Name of the namespace. */
  readonly namespace: string;
  /** Id of the chunk. */
  readonly chunkId: string;
  /** Id that the barriers carry, and the digests of the replicas: proof/ and a UUID. */
  readonly proofId: string;
  /** proved: all replicas hold what the log says. incomplete: so do all that answered; some did not. replicaDiffers: some do not, another one does. logDiffers: all replicas agree, the log alone says something else. undecided: who is wrong cannot be told. notProvable: the log does not say what the replicas should hold. */
  readonly verdict: 'proved' | 'incomplete' | 'replicaDiffers' | 'logDiffers' | 'undecided' | 'notProvable';
  /** What is wrong, for people; empty = nothing. */
  readonly message: string;
  /** The partitions that the chunk touches. */
  readonly partitions: readonly ProvedPartition[];
  /** The readable replicas. */
  readonly replicas: readonly ProvedReplica[];
  /** When it was compared, by the clock of who did, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly checkedAtMs: number;
  /** How long it took, in milliseconds. */
  readonly tookMs: number;
  /** Time within which each chunk is to be compared again, in milliseconds. */
  readonly intervalMs: number;
  /** Name of the process that compared. */
  readonly by: string;
}

/** One replica that may be asked. */
export interface RouteReplica {
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** Name of the unit in the cluster, such as n1/u03. */
  readonly unitId: string;
  /** How often that unit had been taken when this replica got it: from 1. */
  readonly generation: number;
  /** What the replica is for. primary: preferred by readers. follower: readable. retired: superseded, answers only readers with an older route. */
  readonly role: 'primary' | 'follower' | 'retired';
}

/** What portals need to know of a chunk, under the key route/<chunkId>; its version is seq. */
export interface ChunkRoute {
  /** Id of the chunk. */
  readonly chunkId: string;
  /** Name of the namespace. */
  readonly namespace: string;
  /** First slot: 0 to 999,999. */
  readonly slotStart: number;
  /** Slot after the last: 1 to 1,000,000. */
  readonly slotEnd: number;
  /** Replicas that may be asked, the primary first. */
  readonly replicas: readonly RouteReplica[];
  /** Past-tense name of what last happened to this entity, for people and filters: RouteCreated, RouteSwitched. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** One replica of the chunk. */
export interface ChunkReplica {
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** Name of the unit in the cluster, such as n1/u03. */
  readonly unitId: string;
  /** How often that unit had been taken when this replica got it: from 1. */
  readonly generation: number;
  /** What the replica is for. primary: preferred by readers. follower: readable. learner: loading, not readable. retired: superseded, still tailing for a rollback. dead: lost. */
  readonly role: 'primary' | 'follower' | 'learner' | 'retired' | 'dead';
}

/** A contiguous slot range of a namespace with its replicas, under the key chunk/<chunkId>. */
export interface ChunkState {
  /** Namespace, #, re-creation number, /c, chunk number: shop.orders#1/c00001. */
  readonly chunkId: string;
  /** Name of the namespace. */
  readonly namespace: string;
  /** First slot: 0 to 999,999. */
  readonly slotStart: number;
  /** Slot after the last: 1 to 1,000,000. */
  readonly slotEnd: number;
  /** serving: owns its slots. pending: a plan builds it, another chunk serves its slots. retired: superseded by a plan, kept for a rollback. Chunks that serve never overlap. */
  readonly state: 'pending' | 'serving' | 'retired';
  /** All replicas, also those that are not readable. */
  readonly replicas: readonly ChunkReplica[];
  /** Past-tense name of what last happened to this entity, for people and filters: ChunkCreated, ChunkPromoted. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** Record of the journal by which a process becomes master; the highest term wins. */
export interface Claim {
  /** Number of the reign: highest seen before + 1, from 1. */
  readonly term: number;
  /** Identity of the claiming process. */
  readonly instance: string;
  /** UUID of this very claim, to recognise it on reading back. */
  readonly nonce: string;
  /** Id of the fenced writer it was appended by, as the log assigned it. */
  readonly producerId: number;
  /** Epoch of that writer; older epochs are fenced. */
  readonly epoch: number;
  /** UUID of the cluster; the first claim mints it. */
  readonly clusterId: string;
  /** When it was claimed, by the claimant's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly claimedAtMs: number;
}

/** The cluster itself; one, under the key `cluster`. */
export interface ClusterState {
  /** UUID minted by the first claim. */
  readonly clusterId: string;
  /** Past-tense name of what last happened to this entity, for people and filters: ClusterFounded. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A wish, written by anybody with the right to; the active master decides it once. */
export interface Command {
  /** UUID chosen by the submitter; a repeated id within 24 h gets the recorded outcome. */
  readonly id: string;
  /** Imperative name of the command, such as CreateNamespace. */
  readonly kind: string;
  /** JSON text of the command's own fields; their names say their units, as in historyWindowMs. */
  readonly payload: string;
  /** Who asked: a user name, or the kind and name of a process such as node/n1. */
  readonly principal: string;
  /** When it was submitted, by the submitter's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly submittedAtMs: number;
}

/** What came of a command, under the key outcome/<commandId>; kept for 24 hours. */
export interface CommandOutcome {
  /** Id of the command. */
  readonly commandId: string;
  /** Imperative name of the command. */
  readonly kind: string;
  /** Stable code of why it was refused; null = accepted. */
  readonly rejectionCode: string | null;
  /** The refusal in words for people; null = accepted. */
  readonly rejectionMessage: string | null;
  /** When it was decided, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly decidedAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: CommandAccepted, CommandRejected. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** One record of the journal, the truth of the control plane: a command and what came of it. */
export interface Decision {
  /** Number of the decision: gapless from 1. */
  readonly seq: number;
  /** Number of the reign of the master that decided: from 1. Void when an earlier record of the journal claims a higher one. */
  readonly term: number;
  /** When it was decided, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly decidedAtMs: number;
  /** The command decided, whole. */
  readonly command: Command;
  /** Offset of the command in levee.commands: from 0; -1 = the master's own, which was never appended there. */
  readonly commandOffset: number;
  /** Stable code of why the command was refused; null = accepted. */
  readonly rejectionCode: string | null;
  /** The refusal in words for people; null = accepted. */
  readonly rejectionMessage: string | null;
  /** What changed, in order: each a single-object encoded entity record or EntityRemoved; empty when nothing did. */
  readonly events: readonly Uint8Array[];
  /** Sum modulo 2^128 of the hashes of all entities after the decision, as 32 lower-case hexadecimal digits, most significant first. */
  readonly stateDigest: string;
  /** SHA-256 of the previous decision's encoded bytes as 64 lower-case hexadecimal digits; 64 zeros for seq 1. */
  readonly previousSha256: string;
}

/** Where one partition is digested. */
export interface DigestPosition {
  /** Index of the partition of the source topic: from 0. */
  readonly partition: number;
  /** The digest covers what lies before this offset. */
  readonly nextOffset: number;
}

/** Put into levee.digests by the master, in the place of barriers in a topic that Levee never writes to: replicas of these chunks digest exactly at these positions. */
export interface DigestOrder {
  /** UUID of the cluster; readers ignore orders of another one. */
  readonly clusterId: string;
  /** Name of the namespace. */
  readonly namespace: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Id of the plan or audit that wants a ReplicaDigest there. */
  readonly digestPlan: string;
  /** Ids of the chunks whose digests are wanted; empty = all chunks of the partitions. */
  readonly chunks: readonly string[];
  /** One place for each partition. */
  readonly positions: readonly DigestPosition[];
  /** When it was written, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z; expiry is judged by the time at which the log took it. */
  readonly writtenAtMs: number;
}

/** Event: an entity is gone; its compacted record becomes a tombstone. */
export interface EntityRemoved {
  /** Kind of the entity. */
  readonly entity: 'namespace' | 'node' | 'unit' | 'chunk' | 'route' | 'outcome' | 'plan' | 'user';
  /** Its key in the compacted topic without the kind: the name or id. */
  readonly key: string;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceForgotten, ChunkRemoved, OutcomeExpired. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** Put into a partition by a producer under the reserved key 00 "levee" 00 "fence/<producer>": what lies before it has been resolved. */
export interface Fence {
  /** Name of the producer, unique in the cluster. */
  readonly producer: string;
  /** Count of this producer's fences: from 1. */
  readonly number: number;
}

/** Record at offset 0 of every partition of a binlog, under the reserved key 00 "levee" 00 "genesis": proves which log this is. */
export interface Genesis {
  /** UUID of the cluster. */
  readonly clusterId: string;
  /** Name of the namespace. */
  readonly namespace: string;
  /** Name of the topic, never used again for another log. */
  readonly binlog: string;
  /** Index of this partition: from 0. */
  readonly partition: number;
  /** Number of partitions of the topic, fixed for ever. */
  readonly partitions: number;
  /** How keys are hashed: murmur2 or murmur2-hashtag. */
  readonly hashAlgorithm: string;
  /** Identity of this partition of this very creation, as 32 hexadecimal digits: another nonce is another log. */
  readonly nonce: string;
  /** When the namespace was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
}

/** How far one replica of the sender has applied one partition. */
export interface HeartbeatPosition {
  /** Name of the namespace. */
  readonly namespace: string;
  /** Index of the binlog partition: from 0. */
  readonly partition: number;
  /** Id of the chunk. */
  readonly chunkId: string;
  /** NEXT offset to apply: from 0. */
  readonly nextOffset: number;
  /** When the replica last stood at the end of the partition, in milliseconds since 1970-01-01T00:00:00Z; 0 = never. */
  readonly atEndAtMs: number;
}

/** What one replica of the sender holds and did. The counters rise while the process lives and holds the replica; one that fell began anew at 0. */
export interface HeartbeatLoad {
  /** Id of the chunk. */
  readonly chunkId: string;
  /** Bytes its database takes, overwritten values not yet compacted included: from 0. */
  readonly storedBytes: number;
  /** Keys not expired, as the last sweep counted them: from 0. */
  readonly liveKeys: number;
  /** Counter: keys read from it. */
  readonly reads: number;
  /** Counter: records applied to it. */
  readonly recordsApplied: number;
  /** Counter: bytes of keys and values applied to it, with what the store adds. */
  readonly bytesApplied: number;
}

/** How far the sender is with a replica that a plan makes. */
export interface HeartbeatMove {
  /** Id of the plan. */
  readonly planId: string;
  /** Id of the chunk being made. */
  readonly chunkId: string;
  /** Name of the unit. */
  readonly unitId: string;
  /** Generation of the unit: from 1. */
  readonly generation: number;
  /** As in the plan. */
  readonly step: 'copy' | 'catchUp' | 'ready';
  /** Records loaded so far: from 0. */
  readonly recordsCopied: number;
  /** Bytes of keys and values loaded so far: from 0. */
  readonly bytesCopied: number;
  /** Bytes to load, as the sources estimate: from 0; 0 = unknown. */
  readonly bytesTotal: number;
  /** Records behind the ends of its partitions, all together: from 0; -1 = unknown. */
  readonly lagRecords: number;
}

/** Errors seen towards one node since the last heartbeat. */
export interface HeartbeatError {
  /** Name of the node that did not serve. */
  readonly nodeId: string;
  /** Stable code of the error. */
  readonly code: string;
  /** How often since the last heartbeat: from 1. */
  readonly count: number;
}

/** Sign of life of a process, with the soft state that others act upon. Never a decision. */
export interface Heartbeat {
  /** What the process is. */
  readonly kind: 'master' | 'node' | 'portal' | 'dispatcher';
  /** Name of the process, unique within its kind. */
  readonly id: string;
  /** UUID of this run of the process. */
  readonly incarnation: string;
  /** host:port of its HTTP door. */
  readonly address: string;
  /** When it was sent, by the sender's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly sentAtMs: number;
  /** Highest feature level whose records the process reads: from 1. */
  readonly featureLevel: number;
  /** Positions of all replicas; travel with every tenth heartbeat, empty otherwise and for processes without any. */
  readonly positions: readonly HeartbeatPosition[];
  /** Loads of all replicas, whenever positions are filled. */
  readonly loads: readonly HeartbeatLoad[];
  /** Replicas under way, whenever there are any. */
  readonly moves: readonly HeartbeatMove[];
  /** Free bytes of the file system that holds the sender's data; -1 = not measured. */
  readonly freeDiskBytes: number;
  /** Errors the sender met when talking to nodes. */
  readonly errors: readonly HeartbeatError[];
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV1 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, a divisor of 1,000,000, fixed for ever. */
  readonly partitions: number;
  /** How keys are hashed to slots; murmur2-hashtag hashes only the part in {}. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag';
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV2 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, a divisor of 1,000,000, fixed for ever. */
  readonly partitions: number;
  /** How keys are hashed to slots; murmur2-hashtag hashes only the part in {}. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag';
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV3 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV4 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV5 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Owner of the freeze of its writes: operator, or the operation that asked for it; only its owner ends it. null = portals write. */
  readonly frozenBy: string | null;
  /** Why its writes are frozen, in words; null = portals write. */
  readonly frozenReason: string | null;
  /** When the freeze was decided, in milliseconds since 1970-01-01T00:00:00Z; null = portals write. */
  readonly frozenAtMs: number | null;
  /** Number of the decision that froze it, which portals name when they say that they obey; null = portals write. */
  readonly frozenSeq: number | null;
  /** Number of the decision by which nothing of any portal is on its way to the binlog any more; null = not proven yet. */
  readonly freezeConfirmedSeq: number | null;
  /** Incarnations (UUID) of portals that people said have ended, so that the freeze does not wait for their word. */
  readonly freezeWithout: readonly string[];
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV6 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Owner of the freeze of its writes: operator, or the operation that asked for it; only its owner ends it. null = portals write. */
  readonly frozenBy: string | null;
  /** Why its writes are frozen, in words; null = portals write. */
  readonly frozenReason: string | null;
  /** When the freeze was decided, in milliseconds since 1970-01-01T00:00:00Z; null = portals write. */
  readonly frozenAtMs: number | null;
  /** Number of the decision that froze it, which portals name when they say that they obey; null = portals write. */
  readonly frozenSeq: number | null;
  /** Number of the decision by which nothing of any portal is on its way to the binlog any more; null = not proven yet. */
  readonly freezeConfirmedSeq: number | null;
  /** Incarnations (UUID) of portals that people said have ended, so that the freeze does not wait for their word. */
  readonly freezeWithout: readonly string[];
  /** Name of the namespace of whose past it is a copy; null = it is none. */
  readonly forkedFrom: string | null;
  /** Name of the binlog that it was copied from; null = it is no copy. */
  readonly forkedBinlog: string | null;
  /** The time whose state it began with, in milliseconds since 1970-01-01T00:00:00Z; null = it is no copy. */
  readonly forkedAtMs: number | null;
  /** Next offset of each partition of that binlog: everything below is in it; empty = it is no copy. */
  readonly forkedPositions: readonly number[];
  /** Digest of all keys that it began with, as 32 hexadecimal digits; null = it is no copy, or one that is not complete yet. */
  readonly forkedDigest: string | null;
  /** Number of those keys; null = it is no copy, or one that is not complete yet. */
  readonly forkedKeys: number | null;
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV7 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Owner of the freeze of its writes: operator, or the operation that asked for it; only its owner ends it. null = portals write. */
  readonly frozenBy: string | null;
  /** Why its writes are frozen, in words; null = portals write. */
  readonly frozenReason: string | null;
  /** When the freeze was decided, in milliseconds since 1970-01-01T00:00:00Z; null = portals write. */
  readonly frozenAtMs: number | null;
  /** Number of the decision that froze it, which portals name when they say that they obey; null = portals write. */
  readonly frozenSeq: number | null;
  /** Number of the decision by which nothing of any portal is on its way to the binlog any more; null = not proven yet. */
  readonly freezeConfirmedSeq: number | null;
  /** Incarnations (UUID) of portals that people said have ended, so that the freeze does not wait for their word. */
  readonly freezeWithout: readonly string[];
  /** Name of the namespace of whose past it is a copy; null = it is none. */
  readonly forkedFrom: string | null;
  /** Name of the binlog that it was copied from; null = it is no copy. */
  readonly forkedBinlog: string | null;
  /** The time whose state it began with, in milliseconds since 1970-01-01T00:00:00Z; null = it is no copy. */
  readonly forkedAtMs: number | null;
  /** Next offset of each partition of that binlog: everything below is in it; empty = it is no copy. */
  readonly forkedPositions: readonly number[];
  /** Digest of all keys that it began with, as 32 hexadecimal digits; null = it is no copy, or one that is not complete yet. */
  readonly forkedDigest: string | null;
  /** Number of those keys; null = it is no copy, or one that is not complete yet. */
  readonly forkedKeys: number | null;
  /** Name under which its binlog and chunks were made, if it has changed places with another namespace since (a rewind): the Genesis records and the ids of its chunks say that name; null = its own. */
  readonly bornAs: string | null;
  /** Which creation of that name: from 1; null = number. */
  readonly bornNumber: number | null;
  /** Name of the namespace with which it changed places last; null = with none. */
  readonly swappedWith: string | null;
  /** When that was decided, in milliseconds since 1970-01-01T00:00:00Z; null = never. */
  readonly swappedAtMs: number | null;
  /** Next offset of each partition of its binlog when another one took its place, its writes being frozen: what portals wrote under the name it had is below; empty = it took the other's place, or changed places with none. */
  readonly leftPositions: readonly number[];
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** People said of bad records in its binlog, up to a position, that they are dealt with. */
export interface Acknowledgement {
  /** What is wrong with them, in the words of the quarantine, such as wrongPartition; null = whatever it is. */
  readonly reason: string | null;
  /** Next offset of each partition of the binlog: those below are acknowledged; 0, or no entry = none of that partition. */
  readonly positions: readonly number[];
  /** Who dealt with them, as whoever gave the command said; null = who gave it. */
  readonly by: string | null;
  /** Who gave the command: a user, or, where nobody has to say who it is, the address that it came from, such as http 10.0.0.7. */
  readonly principal: string;
  /** What was done about them, in words. */
  readonly why: string;
  /** When that was decided, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly acknowledgedAtMs: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceStateV8 {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Owner of the freeze of its writes: operator, or the operation that asked for it; only its owner ends it. null = portals write. */
  readonly frozenBy: string | null;
  /** Why its writes are frozen, in words; null = portals write. */
  readonly frozenReason: string | null;
  /** When the freeze was decided, in milliseconds since 1970-01-01T00:00:00Z; null = portals write. */
  readonly frozenAtMs: number | null;
  /** Number of the decision that froze it, which portals name when they say that they obey; null = portals write. */
  readonly frozenSeq: number | null;
  /** Number of the decision by which nothing of any portal is on its way to the binlog any more; null = not proven yet. */
  readonly freezeConfirmedSeq: number | null;
  /** Incarnations (UUID) of portals that people said have ended, so that the freeze does not wait for their word. */
  readonly freezeWithout: readonly string[];
  /** Name of the namespace of whose past it is a copy; null = it is none. */
  readonly forkedFrom: string | null;
  /** Name of the binlog that it was copied from; null = it is no copy. */
  readonly forkedBinlog: string | null;
  /** The time whose state it began with, in milliseconds since 1970-01-01T00:00:00Z; null = it is no copy. */
  readonly forkedAtMs: number | null;
  /** Next offset of each partition of that binlog: everything below is in it; empty = it is no copy. */
  readonly forkedPositions: readonly number[];
  /** Digest of all keys that it began with, as 32 hexadecimal digits; null = it is no copy, or one that is not complete yet. */
  readonly forkedDigest: string | null;
  /** Number of those keys; null = it is no copy, or one that is not complete yet. */
  readonly forkedKeys: number | null;
  /** Name under which its binlog and chunks were made, if it has changed places with another namespace since (a rewind): the Genesis records and the ids of its chunks say that name; null = its own. */
  readonly bornAs: string | null;
  /** Which creation of that name: from 1; null = number. */
  readonly bornNumber: number | null;
  /** Name of the namespace with which it changed places last; null = with none. */
  readonly swappedWith: string | null;
  /** When that was decided, in milliseconds since 1970-01-01T00:00:00Z; null = never. */
  readonly swappedAtMs: number | null;
  /** Next offset of each partition of its binlog when another one took its place, its writes being frozen: what portals wrote under the name it had is below; empty = it took the other's place, or changed places with none. */
  readonly leftPositions: readonly number[];
  /** Bad records of its binlog that are no finding any more, oldest first; empty = none. */
  readonly acknowledgements: readonly Acknowledgement[];
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A namespace with its whole configuration, under the key namespace/<name>. */
export interface NamespaceState {
  /** Name such as shop.orders. */
  readonly name: string;
  /** Which creation of this name it is: from 1. */
  readonly number: number;
  /** Name of its binlog topic, never reused. */
  readonly binlog: string;
  /** creating: its topic is being made. active: serves. deleting, deleted: refuses all. */
  readonly state: 'creating' | 'active' | 'deleting' | 'deleted';
  /** Number of binlog partitions, fixed for ever; of a topic that Levee made a divisor of 1,000,000. */
  readonly partitions: number;
  /** How keys are hashed to partitions and slots. murmur2: as Java. murmur2-hashtag: only the part in {}. crc32: as librdkafka's default. fnv1a: as sarama's default. */
  readonly hashAlgorithm: 'murmur2' | 'murmur2-hashtag' | 'crc32' | 'fnv1a';
  /** How records say a value. put: an Avro record Put. raw: the value of the record, with the expiry in its header levee-expires-at-ms; fixed for ever. */
  readonly recordFormat: 'put' | 'raw';
  /** Name of the existing topic that is served as it is; null = a binlog that Levee made. */
  readonly sourceTopic: string | null;
  /** Kafka's id of that topic: another id is another topic; null = a binlog that Levee made. */
  readonly sourceTopicId: string | null;
  /** What the master found wrong with the source topic. none: nothing. missing: there is no such topic. recreated: another topic has its name. grown: it has more partitions than keys were placed by. cut: records at its start were deleted. policy: its settings let it forget what replicas hold. All but none and policy: reads are refused. */
  readonly sourceFinding: 'none' | 'missing' | 'recreated' | 'grown' | 'cut' | 'policy';
  /** The finding in words, with what helps; null = none. */
  readonly sourceProblem: string | null;
  /** Whether portals may write to its topic. */
  readonly writable: boolean;
  /** Whether values are hidden once the topic may have deleted their records by age. */
  readonly expireWithRetention: boolean;
  /** retention.ms of the source topic as it was bound, in milliseconds; null = values do not expire with it, or nobody has looked yet. */
  readonly retentionMs: number | null;
  /** Age of a record, in milliseconds since its own time, from which on its value is hidden: retentionMs less a margin for clocks; null = values do not expire with the topic's retention, or nobody has looked yet. */
  readonly hiddenAfterMs: number | null;
  /** How keys are spread over partitions. */
  readonly partitionStrategy: 'hash';
  /** Number of chunks it asks for: what it was created with, or was last resized to. */
  readonly chunks: number;
  /** Wanted replicas per chunk: from 1. */
  readonly replicas: number;
  /** Default of when a write is answered: committed to the log, applied by the primary, applied by all. */
  readonly ack: 'logged' | 'primary' | 'all';
  /** Default of what a read may miss. */
  readonly consistency: 'eventual' | 'session' | 'strong';
  /** Age in milliseconds above which a replica refuses reads; null = no limit. */
  readonly maxStalenessMs: number | null;
  /** Most requests per second of the whole namespace at one portal; null = no limit. */
  readonly requestsPerSecond: number | null;
  /** Most requests per second of one chunk at one node; null = no limit. */
  readonly chunkRequestsPerSecond: number | null;
  /** Bytes a chunk may hold before it is full. */
  readonly chunkCapacityBytes: number;
  /** Whether lost replicas are replaced without being asked. */
  readonly failoverStrategy: 'automatic' | 'manual';
  /** Bytes the user expects to store, for placement; null = unknown. */
  readonly expectedBytes: number | null;
  /** Requests per second the user expects, for placement; null = unknown. */
  readonly expectedRequestsPerSecond: number | null;
  /** Milliseconds for which the binlog keeps every version of a key. */
  readonly historyWindowMs: number;
  /** Longest time to live a write may ask for, in milliseconds; null = no limit. */
  readonly maxTtlMs: number | null;
  /** Kinds of plans, such as split, that wait for approval when they were not proposed by a person; empty = none waits. */
  readonly manualPlans: readonly string[];
  /** What EXEC of the RESP door does. refuse: nothing, and says so. batch: carries the commands out in order, with no isolation and not all or nothing. */
  readonly multi: 'refuse' | 'batch';
  /** What FLUSHDB of the RESP door does. refuse: nothing, and says so. sweep: deletes key after key, not at once. */
  readonly flush: 'refuse' | 'sweep';
  /** Owner of the freeze of its writes: operator, or the operation that asked for it; only its owner ends it. null = portals write. */
  readonly frozenBy: string | null;
  /** Why its writes are frozen, in words; null = portals write. */
  readonly frozenReason: string | null;
  /** When the freeze was decided, in milliseconds since 1970-01-01T00:00:00Z; null = portals write. */
  readonly frozenAtMs: number | null;
  /** Number of the decision that froze it, which portals name when they say that they obey; null = portals write. */
  readonly frozenSeq: number | null;
  /** Number of the decision by which nothing of any portal is on its way to the binlog any more; null = not proven yet. */
  readonly freezeConfirmedSeq: number | null;
  /** Incarnations (UUID) of portals that people said have ended, so that the freeze does not wait for their word. */
  readonly freezeWithout: readonly string[];
  /** Name of the namespace of whose past it is a copy; null = it is none. */
  readonly forkedFrom: string | null;
  /** Name of the binlog that it was copied from; null = it is no copy. */
  readonly forkedBinlog: string | null;
  /** The time whose state it began with, in milliseconds since 1970-01-01T00:00:00Z; null = it is no copy. */
  readonly forkedAtMs: number | null;
  /** Next offset of each partition of that binlog: everything below is in it; empty = it is no copy. */
  readonly forkedPositions: readonly number[];
  /** Digest of all keys that it began with, as 32 hexadecimal digits; null = it is no copy, or one that is not complete yet. */
  readonly forkedDigest: string | null;
  /** Number of those keys; null = it is no copy, or one that is not complete yet. */
  readonly forkedKeys: number | null;
  /** Name under which its binlog and chunks were made, if it has changed places with another namespace since (a rewind): the Genesis records and the ids of its chunks say that name; null = its own. */
  readonly bornAs: string | null;
  /** Which creation of that name: from 1; null = number. */
  readonly bornNumber: number | null;
  /** Name of the namespace with which it changed places last; null = with none. */
  readonly swappedWith: string | null;
  /** When that was decided, in milliseconds since 1970-01-01T00:00:00Z; null = never. */
  readonly swappedAtMs: number | null;
  /** Next offset of each partition of its binlog when another one took its place, its writes being frozen: what portals wrote under the name it had is below; empty = it took the other's place, or changed places with none. */
  readonly leftPositions: readonly number[];
  /** Bad records of its binlog that are no finding any more, oldest first; empty = none. */
  readonly acknowledgements: readonly Acknowledgement[];
  /** Number that the next chunk of this namespace gets: from 1. */
  readonly nextChunk: number;
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NamespaceCreated, NamespaceActivated. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A data node, under the key node/<nodeId>. */
export interface NodeStateV1 {
  /** Name of the node, unique in the cluster. */
  readonly nodeId: string;
  /** Identity of its disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** UUID of its current run. */
  readonly incarnation: string;
  /** Failure domain: replicas of a chunk go to different ones. */
  readonly domain: string;
  /** host:port of its RESP door. */
  readonly respAddress: string;
  /** host:port of its HTTP door. */
  readonly httpAddress: string;
  /** up: serves. suspect: silent for a short while, avoided. lost: given up, its replicas are dead. maintenance: silent with leave. */
  readonly state: 'up' | 'suspect' | 'lost' | 'maintenance';
  /** Highest feature level whose records it reads: from 1. */
  readonly featureLevel: number;
  /** When it registered first, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly registeredAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: NodeRegistered, NodeSuspected, NodeReturned. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** A data node, under the key node/<nodeId>. */
export interface NodeState {
  /** Name of the node, unique in the cluster. */
  readonly nodeId: string;
  /** Identity of its disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** UUID of its current run. */
  readonly incarnation: string;
  /** Failure domain: replicas of a chunk go to different ones. */
  readonly domain: string;
  /** host:port of its RESP door. */
  readonly respAddress: string;
  /** host:port of its HTTP door. */
  readonly httpAddress: string;
  /** up: serves. suspect: silent for a short while, avoided. lost: given up, its replicas are dead. maintenance: silent with leave. */
  readonly state: 'up' | 'suspect' | 'lost' | 'maintenance';
  /** Highest feature level whose records it reads: from 1. */
  readonly featureLevel: number;
  /** When it registered first, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly registeredAtMs: number;
  /** Whether people keep new replicas away from it: by a drain or a cordon, until an uncordon. */
  readonly cordoned: boolean;
  /** Past-tense name of what last happened to this entity, for people and filters: NodeRegistered, NodeSuspected, NodeReturned. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** One replica that the plan makes. */
export interface PlanReplica {
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** Name of the unit in the cluster, such as n1/u03. */
  readonly unitId: string;
  /** Generation of the unit that the replica is in: from 1; a replica of another generation is another replica. */
  readonly generation: number;
  /** What it becomes at the switch. */
  readonly role: 'primary' | 'follower';
  /** copy: loads. catchUp: has all of the snapshot, follows the log. ready: within maxLag of the end of each partition. */
  readonly step: 'copy' | 'catchUp' | 'ready';
  /** UUID of the run of the node that reported last; empty = none has. */
  readonly incarnation: string;
  /** Records loaded from the snapshot: from 0. */
  readonly recordsCopied: number;
  /** Bytes of keys and values loaded from the snapshot: from 0. */
  readonly bytesCopied: number;
  /** JSON text of what the node reported last: source, snapshot positions, lag; empty = nothing yet. */
  readonly evidence: string;
}

/** A chunk as it will be. */
export interface PlanTarget {
  /** Id of the chunk: a source's own for move and reReplicate, a new one for split, merge and shift. */
  readonly chunkId: string;
  /** First slot: 0 to 999,999. */
  readonly slotStart: number;
  /** Slot after the last: 1 to 1,000,000. */
  readonly slotEnd: number;
  /** The replicas it makes, the primary first; empty before allocate. */
  readonly replicas: readonly PlanReplica[];
}

/** A replica that the switch supersedes; it keeps tailing until it is reclaimed. */
export interface PlanRetiring {
  /** Id of its chunk. */
  readonly chunkId: string;
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk: a UUID minted when the folder was first used. */
  readonly storeId: string;
  /** Name of the unit in the cluster, such as n1/u03. */
  readonly unitId: string;
  /** Generation of the unit that the replica is in: from 1; a replica of another generation is another replica. */
  readonly generation: number;
  /** What it was before the switch, and is again after a rollback. */
  readonly role: 'primary' | 'follower' | 'learner' | 'dead';
}

/** Something that happened to the plan. */
export interface PlanMoment {
  /** The step it happened in. */
  readonly step: string;
  /** The attempt it happened in: from 1. */
  readonly attempt: number;
  /** Past-tense word: proposed, approved, began, ended, failed, cancelled, rolledBack, retried, finished (people ended the time to observe). */
  readonly what: string;
  /** When, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly atMs: number;
  /** Number of the decision that recorded it: from 1. */
  readonly seq: number;
  /** JSON text of what shows it; empty = nothing to show. */
  readonly evidence: string;
}

/** A recorded, resumable change of where data lives, under the key plan/<planId> of levee.plans. */
export interface PlanState {
  /** p and the number of the decision that recorded the proposal, such as p42. */
  readonly planId: string;
  /** What it changes. move: a replica to another unit. reReplicate: one more replica of a chunk that lacks one. promote: another primary, no data moves. split, merge, shift: other slot ranges, in new chunks. resize, drain, format, rebalance: made of other plans, its parts. */
  readonly kind:
    'move' | 'reReplicate' | 'promote' | 'split' | 'merge' | 'shift' | 'resize' | 'drain' | 'format' | 'rebalance';
  /** Name of the namespace; null = a plan for a node or for the cluster. */
  readonly namespace: string | null;
  /** proposed: waits for approval or for its turn. running: before the switch. observing: after it, rollback is possible. reclaiming: what was superseded, or given up, is being cleared. done, cancelled, rolledBack: over. failed: stopped, waits for retry or cancel. */
  readonly state: 'proposed' | 'running' | 'observing' | 'reclaiming' | 'done' | 'cancelled' | 'rolledBack' | 'failed';
  /** The step under way, or in which it stopped; parts: plans of its own do the work; reformat: the node makes its new units; none: nothing is left to do. */
  readonly step:
    'allocate' | 'copy' | 'catchUp' | 'verify' | 'switch' | 'observe' | 'reclaim' | 'parts' | 'reformat' | 'none';
  /** Which try of its steps: from 1; reports of another attempt do not count. */
  readonly attempt: number;
  /** Whether it may begin; a namespace can demand approval by kind. */
  readonly approved: boolean;
  /** Id of the plan that this is a part of; null = none. */
  readonly parent: string | null;
  /** Name of the node that is drained or formatted; null = another kind. */
  readonly nodeId: string | null;
  /** Number of chunks a resize leads to; null = another kind. */
  readonly chunksWanted: number | null;
  /** Units that a format makes, written as LEVEE_UNITS: 8x1GiB:leveldb,4x256MiB:memory; null = another kind. */
  readonly unitsWanted: string | null;
  /** Name of the node that the new replica, or the primary, shall be on; null = placement chooses. */
  readonly toNodeId: string | null;
  /** Name of the unit that the new replica shall be in; null = placement chooses. */
  readonly toUnitId: string | null;
  /** Engine of the unit that the new replica shall be in: leveldb or memory; null = as the one it replaces. */
  readonly toEngine: string | null;
  /** Ids of the chunks whose data or place changes. */
  readonly sources: readonly string[];
  /** The chunks as they will be. */
  readonly targets: readonly PlanTarget[];
  /** The replicas it supersedes. */
  readonly retiring: readonly PlanRetiring[];
  /** JSON text of what the switch rests on: the barrier, and store, run, unit and generation of every replica whose digest was compared; null = not verified in this attempt. */
  readonly verified: string | null;
  /** Milliseconds after the switch during which a rollback is possible: from 0. */
  readonly observeMs: number;
  /** When that ends, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z; null = not switched. */
  readonly observeUntilMs: number | null;
  /** Most records that a replica may be behind the end of a partition to count as caught up: from 0. */
  readonly maxLagRecords: number;
  /** Why it exists, in one word: operator, deadReplica, fullChunk, hotChunk, hotNode, coldNeighbours, emptyNode, parent. */
  readonly trigger: string;
  /** JSON text of the facts that the proposal rests on. */
  readonly evidence: string;
  /** Version of the rules that proposed it; 0 = a person. */
  readonly policyVersion: number;
  /** Who proposed it: the command's principal. */
  readonly proposedBy: string;
  /** The last 64 moments, oldest first. */
  readonly history: readonly PlanMoment[];
  /** Stable code of why it stopped; null = it did not. */
  readonly failureCode: string | null;
  /** The same in words, with the values; null = it did not stop. */
  readonly failureMessage: string | null;
  /** How often in a row it stopped with that code: from 0. */
  readonly failures: number;
  /** When it is tried again by itself, in milliseconds since 1970-01-01T00:00:00Z; null = not by itself. */
  readonly retryAtMs: number | null;
  /** When it was proposed, by the master's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** When it was over, in milliseconds since 1970-01-01T00:00:00Z; null = it is not. */
  readonly endedAtMs: number | null;
  /** Past-tense name of what last happened to this entity, for people and filters: PlanProposed, PlanSwitched, PlanFailed. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** Value of a binlog record: sets the record key to `value`. A null record value (tombstone) deletes the key. */
export interface Put {
  /** From when on the key counts as absent, in milliseconds since 1970-01-01T00:00:00Z; null = never. */
  readonly expiresAtMs: number | null;
  /** CRC-32C, as a signed 32-bit integer, over the record key, then expiresAtMs as 8 bytes big-endian (0 when null), then value; null = the writer did not compute one, nothing is checked. */
  readonly crc: number | null;
  /** The user's value, unchanged. */
  readonly value: Uint8Array;
}

/** Copy of a binlog record that a node refused to apply. */
export interface QuarantinedV1 {
  /** Name of the binlog. */
  readonly topic: string;
  /** Index of the partition: from 0. */
  readonly partition: number;
  /** Offset of the record: from 0. */
  readonly offset: number;
  /** Why it was refused. garbage: the value is no Put. wrongPartition: the key hashes to another partition. reservedKey: a foreign record under a reserved key. tooLarge: key or value above the limit. badCrc: the record contradicts its own crc. unknownSchema: a fingerprint this version does not know. */
  readonly reason: 'garbage' | 'wrongPartition' | 'reservedKey' | 'tooLarge' | 'badCrc' | 'unknownSchema';
  /** The same in words for people, with the values. */
  readonly message: string;
  /** Name of the node that refused it. */
  readonly nodeId: string;
  /** Record key, cut to 65,536 bytes; null = the record had none. */
  readonly key: Uint8Array | null;
  /** Record value, cut to 65,536 bytes; null = tombstone. */
  readonly value: Uint8Array | null;
  /** When it was refused, by the node's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly quarantinedAtMs: number;
}

/** Copy of a binlog record that a node could not apply as it is. */
export interface Quarantined {
  /** Name of the binlog. */
  readonly topic: string;
  /** Index of the partition: from 0. */
  readonly partition: number;
  /** Offset of the record: from 0. */
  readonly offset: number;
  /** Of a batch that cannot be read: the offset behind its last record; null = one record. */
  readonly toOffset: number | null;
  /** Why it was refused. garbage: the value is no Put. wrongPartition: the key hashes to another partition. reservedKey: a foreign record under a reserved key. tooLarge: key or value above the limit. badCrc: the record contradicts its own crc. unknownSchema: a fingerprint this version does not know. noKey: without a key it belongs nowhere. unreadableBatch: the whole batch from this offset on cannot be read; its bytes are in the value. badExpiry: applied, but its header levee-expires-at-ms is no time: it never expires. */
  readonly reason:
    | 'garbage'
    | 'wrongPartition'
    | 'reservedKey'
    | 'tooLarge'
    | 'badCrc'
    | 'unknownSchema'
    | 'noKey'
    | 'unreadableBatch'
    | 'badExpiry';
  /** The same in words for people, with the values. */
  readonly message: string;
  /** Name of the node that refused it. */
  readonly nodeId: string;
  /** Record key, cut to 65,536 bytes; null = the record had none. */
  readonly key: Uint8Array | null;
  /** Record value, cut to 65,536 bytes; null = tombstone. */
  readonly value: Uint8Array | null;
  /** When it was refused, by the node's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly quarantinedAtMs: number;
}

/** State of one (chunk, partition) of one replica exactly at a barrier. */
export interface ReplicaDigest {
  /** Name of the namespace. */
  readonly namespace: string;
  /** Id of the chunk. */
  readonly chunkId: string;
  /** Index of the binlog partition: from 0. */
  readonly partition: number;
  /** Id that the barrier carries: of the plan or audit that wants the digest. */
  readonly digestPlan: string;
  /** Offset of the barrier in that partition: the digest covers what lies before it. */
  readonly barrierOffset: number;
  /** Sum modulo 2^128 of the hashes of the entries, as 32 lower-case hexadecimal digits, most significant first. */
  readonly digest: string;
  /** Number of entries digested. */
  readonly keys: number;
  /** Name of the node. */
  readonly nodeId: string;
  /** Identity of the node's disk. */
  readonly storeId: string;
  /** UUID of the node's run. */
  readonly incarnation: string;
  /** Name of the unit that holds the replica. */
  readonly unitId: string;
  /** Generation of that unit: from 1. */
  readonly generation: number;
  /** When it was computed, by the node's clock, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly computedAtMs: number;
}

/** A preallocated storage place on a node, under the key unit/<unitId>. */
export interface UnitState {
  /** Name of the unit in the cluster, such as n1/u03. */
  readonly unitId: string;
  /** Name of the node it is on. */
  readonly nodeId: string;
  /** Identity of the disk it is on. */
  readonly storeId: string;
  /** Bytes it may hold. */
  readonly capacityBytes: number;
  /** What stores the data. */
  readonly engine: 'leveldb' | 'memory';
  /** free: may be taken. allocated: holds a replica. reclaiming: being cleared. */
  readonly state: 'free' | 'allocated' | 'reclaiming';
  /** How often it has been taken: 0 = never. */
  readonly generation: number;
  /** Id of the chunk whose replica it holds; null = none. */
  readonly chunkId: string | null;
  /** Past-tense name of what last happened to this entity, for people and filters: UnitRegistered, UnitAllocated, UnitFreed. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** One right of a user. */
export interface UserGrant {
  /** read, write: keys. admin: namespaces themselves. operate: the cluster and its users. audit: the log. */
  readonly right: 'read' | 'write' | 'admin' | 'operate' | 'audit';
  /** Query over names of namespaces, as in shop.* or **, for read, write and admin; null = the right is not about namespaces. */
  readonly namespaces: string | null;
}

/** A secret that stands for its user; only its hash is known. */
export interface UserToken {
  /** Its name: the first part of the token, no secret. */
  readonly tokenId: string;
  /** SHA-256 of the whole token, as 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** When it was made, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** From then on it is worth nothing, in milliseconds since 1970-01-01T00:00:00Z; null = it holds until it is revoked. */
  readonly expiresAtMs: number | null;
}

/** Somebody who may use the cluster, under the key user/<name>: what doors ask for, and what it may do. */
export interface UserState {
  /** Name of the user, unique in the cluster; never holds @ or :. */
  readonly name: string;
  /** Number of the decision that created it: a user of the same name that is created again has another. */
  readonly number: number;
  /** active: may do what its grants say. disabled: nothing. */
  readonly state: 'active' | 'disabled';
  /** scrypt$<log2 of N>$<r>$<p>$<salt>$<hash>, salt and hash in base64, made at the door that the password came to; null = it has no password. */
  readonly passwordHash: string | null;
  /** Namespace of its connections that name none; null = the default of the portal. */
  readonly defaultNamespace: string | null;
  /** What it may do: nothing else. */
  readonly grants: readonly UserGrant[];
  /** Its tokens that were not revoked. */
  readonly tokens: readonly UserToken[];
  /** When it was created, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** Past-tense name of what last happened to this entity, for people and filters: UserCreated, RightsGranted, TokenRevoked. */
  readonly change: string;
  /** Number of the decision that wrote this value: gapless from 1. */
  readonly seq: number;
  /** Number of the master's reign that took that decision: from 1, strictly increasing. */
  readonly term: number;
}

/** Every record that stands on its own, in its newest version. */
export interface RecordTypes {
  Barrier: Barrier;
  Checkpoint: Checkpoint;
  ChunkProof: ChunkProof;
  ChunkRoute: ChunkRoute;
  ChunkState: ChunkState;
  Claim: Claim;
  ClusterState: ClusterState;
  Command: Command;
  CommandOutcome: CommandOutcome;
  Decision: Decision;
  DigestOrder: DigestOrder;
  EntityRemoved: EntityRemoved;
  Fence: Fence;
  Genesis: Genesis;
  Heartbeat: Heartbeat;
  NamespaceState: NamespaceState;
  NodeState: NodeState;
  PlanState: PlanState;
  Put: Put;
  Quarantined: Quarantined;
  ReplicaDigest: ReplicaDigest;
  UnitState: UnitState;
  UserState: UserState;
}

export type RecordName = keyof RecordTypes;
