import type { ClusterState } from '@levee/cluster';
import { encode, recordFormats } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { brokersIn, fenceKey } from '@levee/journal';
import { asOffset, asPartition, type Clock, defined, Failure, failureCode } from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { WitnessFacts } from '@levee/wire';
import { byReplica, cutLine, inWhole, letGoAll, type Line, partialMessage, type Portals } from './accept-loss';
import { type Difference, diffWitnesses } from './diff-witnesses';
import { belongs, type FoldPlace, foldPartition } from './fold-partition';
import type { FoldStore } from './fold-store';
import { RepairWriter } from './repair-writer';
import { slotRanges } from './slot-ranges';
import type { WitnessNodes } from './witness-nodes';

export interface RepairOrder {
  readonly namespace: string;
  readonly partition?: number | undefined;
  /** Without it nothing is changed. */
  readonly yes: boolean;
  /** People say that every producer is stopped, whatever portals say. */
  readonly producersStopped: boolean;
  /** Nodes, or units of them, whose replicas are left out of account. */
  readonly without: readonly string[];
}

export interface RepairWorld {
  readonly log: Log;
  readonly nodes: WitnessNodes;
  readonly state: () => ClusterState;
  readonly clock: Clock;
  readonly openStore: () => Promise<FoldStore>;
  readonly portals: Portals;
}

/** Differences that are printed of each kind; all are counted. */
const examplesMax = 10;
const passOverTriesMax = 10;
const fencesMax = 5;
/** Name of a repair in its fence records. */
const writer = 'repair';

type Kind = Difference['kind'];

/** What a partition needs, as one look found it. */
interface Found {
  readonly counts: Readonly<Record<Kind, number>>;
}

/**
 * [safety] Brings back what the log of a namespace lost and witnesses hold: a diff of the log's fold against them. A
 * value whose key has no record behind the cut is appended again as it was; a key that was deleted in the lost stretch
 * is deleted again. It never chooses: any conflict is printed, and then nothing is written at all. Written in one
 * partition after the other; what was written is newer at the next run, so that a repair that ended in the middle is
 * simply repeated.
 */
export async function* repair(world: RepairWorld, order: RepairOrder, signal: AbortSignal): AsyncGenerator<Line> {
  const namespace = namespaceOf(world, order.namespace);
  if (namespace.sourceTopic !== null)
    throw new Failure(
      'SOURCE_TOPIC',
      `${namespace.name} serves the topic ${namespace.sourceTopic}, which belongs to others: nothing is written there. Its ` +
        `producers can write again what it lost; then levee log accept-loss ${namespace.name} lets go what replicas hold`,
    );
  const all = await world.nodes.witnessesOf(order.namespace, order.without);
  const wanted = all.filter(({ partition }) => order.partition === undefined || partition === order.partition);
  for (const each of wanted) yield cutLine(each);
  const partitions = [...new Set(wanted.map(({ partition }) => partition))].sort((a, b) => a - b);
  if (partitions.length === 0) {
    // What replicas that are past a damaged stretch hold is not lost, and not behind a cut.
    const damaged = await damageOf(world.log, namespace.binlog, order.partition);
    if (damaged !== undefined) throw new Failure('NOT_PROVABLE', damaged);
    yield {
      event: 'note',
      message: `no replica of ${order.namespace} holds what its log lost: there is nothing to bring back`,
    };
    return;
  }
  if (order.yes && !order.producersStopped) {
    const problem = await world.portals.stillWriting(namespace.binlog, partitions);
    if (problem !== undefined)
      throw new Failure(
        'NOT_STOPPED',
        `${problem}; nothing was written. Try again in a moment, or, when you have stopped every producer yourself: --producers-stopped`,
      );
  }
  let conflicts = 0;
  for (const partition of partitions) {
    const witnesses = wanted.filter((each) => each.partition === partition);
    const store = await world.openStore();
    try {
      const job = new PartitionRepair(world, namespace, partition, witnesses, store, signal);
      const found = yield* job.look(true);
      conflicts += found.counts.conflict;
      if (!order.yes || found.counts.conflict > 0) continue;
      yield* job.write();
      const left = yield* job.look(false);
      if (left.counts.restore + left.counts.delete + left.counts.conflict > 0)
        throw new Failure(
          'NOT_PROVABLE',
          `partition ${partition} still differs from its witnesses after it was repaired: run it again`,
        );
    } finally {
      await store.close();
    }
  }
  if (conflicts > 0)
    throw new Failure(
      'CONFLICT',
      `${conflicts} keys cannot be decided by the log and its witnesses, see above; nothing was written where they are. ` +
        'Restore the log, leave a witness out (--without <node or unit>), or let the loss go: levee log accept-loss',
    );
  if (!order.yes) {
    const message =
      'nothing was changed; with --yes this is written. Producers that are no portals must be stopped by you';
    yield { event: 'note', message };
    return;
  }
  const [whole, partial] = inWhole(byReplica(wanted), byReplica(all));
  for (const cuts of partial) yield { event: 'note', message: partialMessage(cuts) };
  yield* letGoAll(world, whole.flat(), signal);
}

/** Why a damaged stretch is nothing for a repair, in words; `undefined` where there is none. */
async function damageOf(log: Log, topic: string, of: number | undefined): Promise<string | undefined> {
  const { damage } = await log.examine([topic]);
  const found = damage.filter(({ partition }) => of === undefined || partition === of);
  const [first, ...more] = found;
  if (first === undefined) return undefined;
  return (
    `${topic} partition ${first.partition} is damaged from offset ${first.fromOffset} to ${first.toOffset} ` +
    `(${first.what})${more.length === 0 ? '' : `, and ${more.length} more stretches are`}: replicas that are past a ` +
    'damaged stretch hold what it said and serve on, and who needs it is copied from them, so nothing has to be brought ' +
    "back. To make the log itself whole: put back a copy of the log's folder that has the stretch, and leave the nodes' " +
    'folders as they are. Where no replica is past it: levee log accept-loss'
  );
}

function namespaceOf({ state }: RepairWorld, name: string): NamespaceState {
  const namespace = state().namespace(name);
  if (namespace !== undefined) return namespace;
  throw new Failure('LVNAMESPACE', `there is no namespace ${name}: levee namespace list`);
}

/** One partition of it. */
class PartitionRepair {
  private readonly place: FoldPlace;

  constructor(
    private readonly world: RepairWorld,
    private readonly namespace: NamespaceState,
    private readonly partition: number,
    private readonly witnesses: readonly WitnessFacts[],
    private readonly store: FoldStore,
    private readonly signal: AbortSignal,
  ) {
    const { binlog: topic, partitions, hashAlgorithm, recordFormat } = namespace;
    this.place = { topic, partition, partitions, hashAlgorithm, recordFormat };
    this.checkCuts();
  }

  /** Counts what the partition needs, and prints examples. */
  async *look(print: boolean): AsyncGenerator<Line, Found> {
    await this.fold();
    const counts = { restore: 0, delete: 0, conflict: 0, newer: 0, same: 0 };
    for await (const difference of this.differences()) {
      const nth = ++counts[difference.kind];
      if (print && nth <= examplesMax && difference.kind !== 'same') yield this.lineOf(difference);
    }
    const { partition } = this;
    const message =
      `${this.namespace.name} partition ${partition}: ${counts.restore} keys to bring back, ${counts.delete} to delete ` +
      `again, ${counts.newer} written later and left alone, ${counts.conflict} in conflict, ${counts.same} as they are`;
    if (print) yield { event: 'total', message, partition, ...counts };
    return { counts };
  }

  async *write(): AsyncGenerator<Line> {
    await this.startAboveAll();
    await this.proveWriter();
    const format = recordFormats[this.place.recordFormat];
    const writer = new RepairWriter(this.world.log, this.place, this.store, this.cutOffset);
    for await (const difference of this.differences()) {
      if (this.signal.aborted) throw new Failure('INTERRUPTED', 'the repair was ended; run it again');
      if (difference.kind === 'restore') {
        const { raw, expiresAtMs } = difference.entry;
        await writer.add(difference.key, format.again(raw, expiresAtMs));
      }
      if (difference.kind === 'delete') await writer.add(difference.key, null);
    }
    await writer.finish();
    const { partition } = this;
    for (const key of writer.overtaken)
      yield {
        event: 'conflict',
        message: `${shown(key)} was written by somebody while the repair ran and is covered by it now: write it again`,
        partition,
        key: key.toString(),
      };
    const message = `${this.namespace.name} partition ${partition}: ${writer.written} records were appended`;
    yield { event: 'written', message, partition, records: writer.written };
  }

  private get cutOffset(): number {
    return defined(this.witnesses[0], 'a witness').cutOffset;
  }

  /** Witnesses that do not stand behind one known cut are of different histories: nobody can choose between them. */
  private checkCuts(): void {
    const [first, ...others] = this.witnesses;
    if (first === undefined) return;
    const where = `${this.place.topic} partition ${this.partition}`;
    if (this.witnesses.some(({ cutKnown }) => !cutKnown))
      throw new Failure(
        'CONFLICT',
        `${where}: the log cannot say where it was cut (another topic under the name?), so nothing in it is known to be ` +
          'older or newer than what witnesses hold: restore the topic, or let the loss go',
      );
    const other = others.find(({ cutOffset }) => cutOffset !== first.cutOffset);
    if (other !== undefined)
      throw new Failure(
        'CONFLICT',
        `${where}: ${first.unitId} of ${first.nodeId} saw it cut at ${first.cutOffset}, ${other.unitId} of ` +
          `${other.nodeId} at ${other.cutOffset}: they are of different histories. Leave one out (--without <node or ` +
          'unit>), or let the loss go',
      );
    const mute = this.witnesses.find(({ readable }) => !readable);
    if (mute !== undefined)
      throw new Failure(
        'CONFLICT',
        `${where}: ${mute.chunkId} on ${mute.unitId} is a witness and cannot be read: --without ${mute.unitId}`,
      );
  }

  private async fold(): Promise<void> {
    const bounds = await this.world.log.offsets(this.place.topic);
    const is = bounds.find(({ partition }) => partition === this.partition);
    if (is === undefined || is.endOffset === 0)
      throw new Failure(
        'NOT_PROVABLE',
        `${this.place.topic} partition ${this.partition} holds nothing, not even its Genesis: restore the topic, or delete the namespace`,
      );
    await foldPartition(this.world.log, this.place, this.store, { toOffset: is.endOffset, signal: this.signal });
  }

  private async *differences(): AsyncGenerator<Difference> {
    for (const { slotStart, slotEnd, witnesses } of slotRanges(this.witnesses)) {
      const holds = (key: Buffer): boolean => {
        const slot = slotOf(hashOf(key, this.place.hashAlgorithm), this.place.partitions);
        return slot >= slotStart && slot < slotEnd && belongs(key, this.place);
      };
      const streams = witnesses.map((each) => this.world.nodes.entries({ ...each, slotStart, slotEnd }));
      const fold = only(this.store.all(), holds);
      try {
        yield* diffWitnesses({
          fold,
          witnesses: witnesses.map(({ nodeId, unitId, left, nextOffset }, i) => ({
            name: left === true ? unitId : nodeId,
            nextOffset,
            entries: only(defined(streams[i], 'a stream'), holds),
          })),
          cutOffset: this.cutOffset,
          nowMs: this.world.clock.nowMs(),
        });
      } finally {
        await Promise.all([fold, ...streams].map((stream) => stream.return(undefined).catch(() => undefined)));
      }
    }
  }

  /** Where the log gives offsets itself, the next one is above every position ever seen. */
  private async startAboveAll(): Promise<void> {
    const highest = Math.max(...this.witnesses.map(({ nextOffset }) => nextOffset));
    for (let tries = 1; this.store.nextOffset < highest; tries++) {
      const end = asOffset(this.store.nextOffset);
      const stretch = { fromOffset: end, toOffset: asOffset(highest), endOffset: asOffset(highest) };
      try {
        await this.world.log.passOver(this.place.topic, asPartition(this.partition), stretch);
      } catch (error) {
        if (failureCode(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
        // A broker gives the offsets: there they are given again, and leader epochs tell them apart.
        if (brokersIn(this.world.log) !== '') return;
        // A barrier came in between.
        if (tries >= passOverTriesMax) throw error;
      }
      await this.fold();
    }
  }

  /**
   * A log that was cut has forgotten what this process wrote last, and may refuse its next batch in a way that leaves the
   * outcome unknown. A fence says nothing, so it may be tried again; what a repair writes may not.
   */
  private async proveWriter(): Promise<void> {
    const { topic, partition } = this.place;
    for (let number = 1; ; number++) {
      const value = encode('Fence', { producer: writer, number });
      try {
        await this.world.log.append(topic, asPartition(partition), [{ key: fenceKey(writer), value }]);
        return;
      } catch (error) {
        if (failureCode(error) !== 'OUTCOME_UNKNOWN' || number >= fencesMax) throw error;
      }
    }
  }

  private lineOf(difference: Exclude<Difference, { kind: 'same' }>): Line {
    const { partition } = this;
    const key = shown(difference.key);
    switch (difference.kind) {
      case 'restore':
        return {
          event: 'difference',
          message: `${key} is brought back as it was at offset ${difference.entry.offset}`,
          partition,
          key,
        };
      case 'delete':
        return {
          event: 'difference',
          message: `${key} was deleted and is deleted again (offset ${difference.offset} is older)`,
          partition,
          key,
        };
      case 'newer':
        return {
          event: 'difference',
          message: `${key} was written later, at offset ${difference.offset}, and is left alone`,
          partition,
          key,
        };
      case 'conflict':
        return { event: 'conflict', message: `${key}: ${difference.what}; not chosen`, partition, key };
    }
  }
}

async function* only<T extends { readonly key: Buffer }>(
  items: AsyncIterable<T>,
  wanted: (key: Buffer) => boolean,
): AsyncGenerator<T> {
  for await (const item of items) if (wanted(item.key)) yield item;
}

const shown = (key: Buffer): string => {
  const text = key.toString();
  return Buffer.from(text).equals(key) && !/[\x00-\x1f]/.test(text)
    ? `key ${text}`
    : `key base64:${key.toString('base64')}`;
};
