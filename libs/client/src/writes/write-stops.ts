import { lossWaysOut } from '@levee/cluster';
import { messageOf, RareWarning } from '@levee/kernel';
import {
  nodeCommands,
  nodeProtocolLimits,
  readWitnessReport,
  RespError,
  type RespReply,
  type WitnessFacts,
} from '@levee/wire';
import type { EngineContext } from '../engine-context';
import type { ClusterReader } from '../routes/namespace-engines';
import type { NodeLink } from '../routes/node-link';

/** A partition that stands still: its log lost from `cutOffset` on what replicas hold. */
export interface WriteStop {
  readonly namespace: string;
  readonly partition: number;
  /** Keys whose last record the log lost, deletions not counted, of each chunk its largest count; null: not counted. */
  readonly keysAtStake: number | null;
  /** The first of them, for people. */
  readonly keys: readonly string[];
  /** Reads at positions above it are refused: offsets there may be given again. */
  readonly cutOffset: number;
  /** Where the furthest witness stands. */
  readonly nextOffset: number;
  readonly message: string;
}

/** Stops of one binlog, by partition. */
export type PartitionStops = ReadonlyMap<number, WriteStop>;

/**
 * [safety] Which partitions stand still, as their witnesses say: every node is asked again and again (LV.WITNESS). What
 * a node said counts until it says something else, or no decision in force knows that replica any more: a witness that
 * is down is a witness still. Soft state: before the first answer, and for one interval, writes may pass; that costs
 * nobody a key, for repair never puts what was lost over what was written later.
 */
export class WriteStops {
  private readonly said = new Map<string, readonly WitnessFacts[]>();
  private readonly asked = new Set<string>();
  private cancel: () => void = () => undefined;
  private readonly warning: RareWarning;
  private stopped = false;
  /** By binlog; empty nearly always. */
  current: ReadonlyMap<string, PartitionStops> = new Map();

  constructor(
    private readonly context: EngineContext,
    private readonly view: ClusterReader,
    private readonly links: () => Iterable<NodeLink>,
    private readonly onChange: () => void,
  ) {
    this.warning = new RareWarning(context.logger, context.clock);
  }

  start(): void {
    this.ask();
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private ask(): void {
    if (this.stopped) return;
    for (const link of this.links()) {
      const { nodeId } = link.address;
      if (!link.usable || this.asked.has(nodeId)) continue;
      this.asked.add(nodeId);
      link.scans.send([nodeCommands.witness], this.context.limits.witnessAskMs, (failure, reply) => {
        this.asked.delete(nodeId);
        if (failure === undefined) this.heard(link, reply);
      });
    }
    if (this.said.size > 0 || this.current.size > 0) this.judge();
    this.cancel = this.context.timers.after(this.context.limits.witnessEveryMs, () => this.ask());
  }

  /**
   * An error is an old node, or one that has not read the control topics: it has said nothing. [safety] Nor has one whose
   * answer is not understood: what it said before counts.
   */
  private heard({ address: { nodeId } }: NodeLink, reply: RespReply): void {
    if (reply instanceof RespError || this.stopped) return;
    let witnesses: readonly WitnessFacts[];
    try {
      ({ witnesses } = readWitnessReport(reply));
    } catch (error) {
      this.warning.warn(nodeId, { nodeId, error: messageOf(error) }, 'an answer to LV.WITNESS cannot be read');
      return;
    }
    if (witnesses.length === 0 && !this.said.has(nodeId)) return;
    if (witnesses.length === 0) this.said.delete(nodeId);
    else this.said.set(nodeId, witnesses);
    this.judge();
  }

  private judge(): void {
    const witnesses = new Map<string, Map<number, WitnessFacts[]>>();
    for (const each of [...this.said.values()].flat()) {
      if (!this.isKnown(each)) continue;
      const { binlog, partition } = each;
      const of = witnesses.get(binlog) ?? new Map<number, WitnessFacts[]>();
      witnesses.set(binlog, of.set(partition, [...(of.get(partition) ?? []), each]));
    }
    const stops = new Map<string, Map<number, WriteStop>>();
    for (const [binlog, of] of witnesses)
      stops.set(binlog, new Map([...of].map(([partition, all]) => [partition, this.joined(partition, all)])));
    if (stops.size === 0 && this.current.size === 0) return;
    for (const [binlog, of] of stops)
      for (const [partition, { message, cutOffset, nextOffset, keysAtStake, keys }] of of)
        if (this.current.get(binlog)?.has(partition) !== true)
          this.context.logger.error(
            { binlog, partition, cutOffset, nextOffset, keysAtStake, keys },
            `a partition stands still for writes: ${message}`,
          );
    this.current = stops;
    this.onChange();
  }

  /** Of a replica that decisions in force know, or of one that a lost decision left on a disk that they know. */
  private isKnown({ chunkId, nodeId, unitId, generation, storeId, left }: WitnessFacts): boolean {
    if (left === true) return this.view.state.node(nodeId)?.storeId === storeId;
    const chunk = this.view.state.chunk(chunkId);
    return (
      chunk?.replicas.some(
        (of) => of.unitId === unitId && of.generation === generation && of.storeId === storeId && of.role !== 'dead',
      ) === true
    );
  }

  /** Several witnesses of a partition: what any of them lacks is not provable. */
  private joined(partition: number, witnesses: readonly WitnessFacts[]): WriteStop {
    const namespace = witnesses[0]?.namespace ?? '';
    const cutOffset = Math.min(...witnesses.map((of) => of.cutOffset));
    const nextOffset = Math.max(...witnesses.map((of) => of.nextOffset));
    const keys = new Map<string, number>();
    for (const { chunkId, keysAtStake } of witnesses)
      if (keysAtStake !== null) keys.set(chunkId, Math.max(keysAtStake, keys.get(chunkId) ?? 0));
    const counted = witnesses.every(({ chunkId }) => keys.has(chunkId));
    const keysAtStake = counted ? [...keys.values()].reduce((sum, each) => sum + each, 0) : null;
    const isOfOthers = (this.view.state.namespace(namespace)?.sourceTopic ?? null) !== null;
    const message =
      `the log of ${namespace} lost partition ${partition} from offset ${cutOffset} to ${nextOffset}, which replicas ` +
      `hold: it stands still; ${lossWaysOut(namespace, { isOfOthers })}`;
    const shown = new Set(witnesses.flatMap((of) => of.keys ?? []));
    return {
      namespace,
      partition,
      keysAtStake,
      keys: [...shown].slice(0, nodeProtocolLimits.keysNamedMax),
      cutOffset,
      nextOffset,
      message,
    };
  }
}
