import { getHeapStatistics } from 'node:v8';
import { slotsTotal, type SlotRange } from '@levee/keyspace';
import { KafkaLog } from '@levee/log-kafka';
import type { ReadsChoice, TlsChoice } from './api';
import type { NearChoice } from './client/near';
import { LocalDistance, type LocalPlan } from './local/local-distance';
import { localLimits } from './local/local-limits';
import type { World } from './world';

/** What is kept in this process, and how the log is reached that it is made of. */
export interface LocalOptions {
  /** Kafka's, `host:port`; one that answers is enough. */
  readonly brokers: readonly string[];
  /** TLS to brokers; `true`: with the certificate authorities of Node. */
  readonly tls?: boolean | TlsChoice;
  /** Who this is to Kafka. It needs Read, Describe and DescribeConfigs of the topics, and nothing of groups. */
  readonly sasl?: LocalSasl;
  /** Those that are kept, each as soon as the client is asked for it. The others are read through portals. */
  readonly namespaces: readonly (string | LocalSlots)[];
  /** Most bytes of all of them together, estimated; default 256 MiB. One that does not fit is given up as a whole. */
  readonly memoryBytesMax?: number;
  /** No answer is older, ms; default 10,000. The namespace may ask for less (maxStalenessMs). */
  readonly stalenessMs?: number;
  /**
   * It makes digests where every replica is asked for one (`POST /v1/namespaces/{name}/digests`), and the status tells them:
   * of each partition the sum, modulo 2^128, of what nodes say of their chunks at that barrier. Not of bound topics.
   * Default: false, as it costs about 2 us a key each time. Not of what is on disk.
   */
  readonly digests?: boolean;
  /**
   * Where what is held is kept beyond this process, in LevelDB: it may be more than memory, and the next process goes on from it.
   * One process has a folder at a time. Needs the package classic-level.
   */
  readonly dir?: string;
}

/** The same as `LocalSasl`, as the type of the log has it: each mechanism for itself. */
type KafkaLogin = NonNullable<Parameters<typeof KafkaLog.open>[0]['sasl']>;

export interface LocalSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** Slots `[slotStart, slotEnd)` of a namespace, out of 1,000,000. */
export interface LocalSlots {
  readonly name: string;
  readonly slotStart?: number;
  readonly slotEnd?: number;
}

/**
 * For `connect({ portals, reads: local({ brokers, namespaces }) })`: this process follows the log of these namespaces and
 * keeps them in memory; what it may answer itself it does, and portals the rest. Throws RangeError for what cannot be meant.
 */
export function local(options: LocalOptions): ReadsChoice {
  const plan = planOf(options);
  const choice: NearChoice = {
    distance: 'local',
    open: (host) => new LocalDistance(host, keptIn(options.dir, plan, host.world)),
  };
  return choice;
}

/** Replicas on disk are a bundle of their own, which is loaded where they are asked for. */
function keptIn(folder: string | undefined, plan: LocalPlan, { clock, timers }: World): LocalPlan {
  if (folder === undefined) return plan;
  const { memoryBytesMax } = plan;
  const { DiskPartitions }: typeof import('./disk') = require('./disk');
  return { ...plan, kept: new DiskPartitions({ folder, memoryBytesMax, clock, timers }) };
}

function planOf({
  brokers,
  tls,
  sasl,
  namespaces,
  memoryBytesMax = localLimits.memoryBytesMaxDefault,
  stalenessMs = localLimits.stalenessMsDefault,
  digests = false,
  dir,
}: LocalOptions): LocalPlan {
  const { stalenessMsMin, stalenessMsMax, memoryBytesMaxMin } = localLimits;
  if (!Array.isArray(brokers) || brokers.length === 0)
    throw new RangeError(
      "brokers is missing: name at least one of the Kafka of the cluster, as brokers: ['host:9092']; a cluster on the " +
        'embedded log has none, and is read through portals only',
    );
  if (!(stalenessMs >= stalenessMsMin && stalenessMs <= stalenessMsMax))
    throw new RangeError(`stalenessMs is ${stalenessMs}: it is ${stalenessMsMin} to ${stalenessMsMax} ms`);
  const heapBytes = Math.floor(getHeapStatistics().heap_size_limit * localLimits.heapShareMax);
  if (!(memoryBytesMax >= memoryBytesMaxMin && memoryBytesMax <= heapBytes))
    throw new RangeError(
      `memoryBytesMax is ${memoryBytesMax}: it is ${memoryBytesMaxMin} to ${heapBytes} bytes, three quarters of the heap of ` +
        'this process; node --max-old-space-size gives it more (MiB)',
    );
  if (dir !== undefined) checkDir(dir, digests);
  const ssl = tls === undefined || tls === false ? {} : { ssl: tls };
  const login = sasl === undefined ? {} : { sasl: sasl as KafkaLogin };
  const openLog = (): Promise<KafkaLog> =>
    KafkaLog.open({ brokers: [...brokers], clientId, openMs, inOwnWords: ofOptions, ...ssl, ...login });
  return { namespaces: slotsOf(namespaces), memoryBytesMax, stalenessMs, cutMs: localLimits.cutMs, digests, openLog };
}

function checkDir(dir: string, digests: boolean): void {
  if (typeof dir !== 'string' || dir === '') throw new RangeError('dir is empty: name a folder, or leave it out');
  if (digests) throw new RangeError('digests are made of what is held in memory: leave out dir or digests');
  try {
    require.resolve(diskPackage);
  } catch (cause) {
    const mend = `npm install ${diskPackage}, or leave out dir`;
    throw new Error(`dir: a replica on disk needs the package ${diskPackage}: ${mend}`, { cause });
  }
}

const diskPackage: string = 'classic-level';

/** What settings of Levee's processes are called in {@link LocalOptions}. */
const ofOptions = (hint: string): string =>
  hint
    .replace(/ \(or KAFKA_SASL_PASSWORD_FILE\)|; a local one: .*$/g, '')
    .replace('the PEM file', 'the PEM text')
    .replace(/KAFKA_TLS=(true|false)/g, 'tls: $1')
    .replace(/KAFKA_(TLS|SASL)_(\w+)/g, (_, of: string, what: string) => `${of}.${what}`.toLowerCase())
    .replace('KAFKA_BROKERS', 'brokers');

const clientId = 'levee-client-local';
/** Before it is told that none answers; they are looked for again. */
const openMs = 3_000;

function slotsOf(namespaces: LocalOptions['namespaces']): Map<string, SlotRange> {
  if (!Array.isArray(namespaces) || namespaces.length === 0)
    throw new RangeError("namespaces is missing: name what is kept here, as namespaces: ['shop.orders']");
  const found = new Map<string, SlotRange>();
  for (const one of namespaces as readonly (string | LocalSlots)[]) {
    const { name, slotStart = 0, slotEnd = slotsTotal } = typeof one === 'string' ? { name: one } : one;
    const isRange = [slotStart, slotEnd].every(Number.isInteger) && slotStart >= 0 && slotEnd <= slotsTotal;
    if (!isRange || slotStart >= slotEnd)
      throw new RangeError(
        `${name}: slots ${slotStart} to ${slotEnd}: slotStart is 0 or more, below slotEnd, which is at most ${slotsTotal}`,
      );
    if (found.has(name)) throw new RangeError(`${name} is named twice in namespaces: once, with one range of slots`);
    found.set(name, { slotStart, slotEnd });
  }
  return found;
}
