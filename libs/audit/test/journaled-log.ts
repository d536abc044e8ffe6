import { randomUUID } from 'node:crypto';
import { encode, encodePut } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import {
  binlogSpec,
  type ChainPosition,
  controlTopics,
  controlTopicSpecs,
  JournalChain,
  sha256Of,
} from '@levee/journal';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type Log, type LogRecord, systemClock } from '@levee/log';
import {
  keptForEver,
  namespaceV2,
  own,
  thawed,
  unacknowledged,
  unforked,
  unseen,
  unswapped,
} from '../../codec/test/namespace-samples';
import { samples } from '../../codec/test/samples';
import type { AuditWorld } from '../src';

const hourMs = 3_600_000;
const reserved = (name: string): Buffer => Buffer.from(`\0levee\0${name}`, 'latin1');

/** A log with a journal that knows some namespaces: all that an auditor needs to know of a cluster. */
export class JournaledLog {
  readonly topics = controlTopics(`x${randomUUID().slice(0, 8)}`);

  private position: ChainPosition = new JournalChain().position;

  private constructor(readonly log: Log) {}

  static async on(log: Log): Promise<JournaledLog> {
    const made = new JournaledLog(log);
    await log.ensureTopics(controlTopicSpecs(made.topics).filter(({ name }) => name === made.topics.journal));
    return made;
  }

  get world(): AuditWorld {
    return { log: this.log, topics: this.topics, clock: systemClock, signal: new AbortController().signal };
  }

  async namespace(name: string, knobs: Partial<NamespaceState> = {}): Promise<NamespaceState> {
    const state: NamespaceState = {
      ...{
        ...namespaceV2,
        ...own,
        ...unseen,
        ...thawed,
        ...unforked,
        ...unswapped,
        ...unacknowledged,
        ...keptForEver,
        hashAlgorithm: 'murmur2',
        recordFormat: 'put',
        manualPlans: [],
      },
      ...{ name, partitions: 4, binlog: `${this.topics.prefix}.binlog.${name}`, ...knobs },
    };
    await this.decide([encode('NamespaceState', state)]);
    if (state.sourceTopic !== null) return state;
    await this.log.ensureTopics([binlogSpec(state)]);
    for (let p = 0; p < state.partitions; p++)
      await this.log.append(state.binlog, asPartition(p), [
        { key: reserved('genesis'), value: Buffer.from('genesis') },
      ]);
    return state;
  }

  /** A decision that is in force: next to the one before it. */
  async decide(events: readonly Buffer[], decidedAtMs: number = systemClock.nowMs()): Promise<Buffer> {
    if (this.position.term === 0) {
      const [claim] = samples.Claim;
      const first = { ...(claim as (typeof samples.Claim)[number]), term: 1 };
      await this.journaled(encode('Claim', first));
      this.position = { ...this.position, term: 1, clusterId: first.clusterId };
    }
    const [decision] = samples.Decision;
    const { term, previousSha256, seq, commandsOffset } = this.position;
    const value = encode('Decision', {
      ...(decision as (typeof samples.Decision)[number]),
      ...{ seq: seq + 1, term, commandOffset: commandsOffset + 1, previousSha256, decidedAtMs, events },
    });
    const next = { seq: seq + 1, commandsOffset: commandsOffset + 1, previousSha256: sha256Of(value) };
    this.position = { ...this.position, ...next };
    await this.journaled(value);
    return value;
  }

  /** Whatever it is. */
  async journaled(value: Buffer): Promise<void> {
    await this.log.append(this.topics.journal, asPartition(0), [{ key: null, value }]);
  }

  /** Where its key belongs, in batches of some. */
  async write(
    { binlog, partitions, hashAlgorithm }: NamespaceState,
    records: readonly (LogRecord & { readonly key: Buffer })[],
  ): Promise<void> {
    const byPartition = new Map<number, LogRecord[]>();
    for (const record of records) {
      const partition = partitionOf(hashOf(record.key, hashAlgorithm), partitions);
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), record]);
    }
    for (const [partition, all] of byPartition)
      for (let at = 0; at < all.length; at += 50)
        await this.log.append(binlog, asPartition(partition), all.slice(at, at + 50));
  }
}

/** Records of everything that there is: bytes, sizes, expiries, deletions, and what nobody can read. */
export function everySort(
  format: 'put' | 'raw',
  random: () => number,
  nowMs: number,
): (LogRecord & { readonly key: Buffer })[] {
  const upTo = (n: number): number => Math.floor(random() * n);
  const bytes = (n: number): Buffer => Buffer.from(Array.from({ length: n }, () => upTo(256)));
  const of = (key: Buffer, value: Buffer, expiresAtMs: number | null = null): LogRecord & { readonly key: Buffer } =>
    format === 'put'
      ? { key, value: encodePut(key, value, expiresAtMs) }
      : {
          ...{ key, value },
          headers:
            expiresAtMs === null ? [] : [{ key: 'levee-expires-at-ms', value: Buffer.from(String(expiresAtMs)) }],
        };
  const records: (LogRecord & { readonly key: Buffer })[] = [];
  for (let n = 0; n < 300; n++) {
    const key = n % 3 === 0 ? bytes(1 + upTo(20)) : Buffer.from(`key ${upTo(150)}`);
    if (key.subarray(0, 7).equals(reserved(''))) continue;
    const sort = upTo(10);
    if (sort === 0) records.push({ key, value: null });
    else if (sort === 1) records.push(of(key, bytes(10), nowMs + hourMs));
    else if (sort === 2) records.push(of(key, bytes(10), nowMs - hourMs));
    else if (sort === 3) records.push({ key, value: bytes(upTo(30)), headers: [{ key: 'sort', value: bytes(3) }] });
    else records.push(of(key, n % 50 === 7 ? Buffer.alloc(900_000, n) : bytes(upTo(200))));
  }
  records.push({
    ...of(Buffer.alloc(1024, 9), Buffer.alloc(0)),
    headers: [{ key: 'producer ü', value: Buffer.alloc(0) }],
  });
  return records;
}
