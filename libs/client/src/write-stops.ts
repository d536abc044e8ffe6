import { messageOf } from '@levee/kernel';
import { nodeCommands, type RespReply, type WitnessFacts, type WitnessReport } from '@levee/wire';
import type { EngineContext } from './engine-context';
import type { ClusterReader } from './namespace-engines';
import type { NodeLink } from './node-link';

/** A partition that stands still: its log lost from `cutOffset` on what replicas hold. */
export interface WriteStop {
  readonly partition: number;
  /** Reads at positions above it are refused: offsets there may be given again. */
  readonly cutOffset: number;
  /** Where the furthest witness stands. */
  readonly nextOffset: number;
  readonly message: string;
}

/** Stops of one binlog, by partition. */
export type PartitionStops = ReadonlyMap<number, WriteStop>;

const answerBytesMax = 16 * 1024 * 1024;

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
  private stopped = false;
  /** By binlog; empty nearly always. */
  current: ReadonlyMap<string, PartitionStops> = new Map();

  constructor(
    private readonly context: EngineContext,
    private readonly view: ClusterReader,
    private readonly links: () => Iterable<NodeLink>,
    private readonly onChange: () => void,
  ) {}

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

  /** An error is an old node, or one that has not read the control topics: it has said nothing. */
  private heard({ address: { nodeId } }: NodeLink, reply: RespReply): void {
    if (!Buffer.isBuffer(reply) || reply.length > answerBytesMax || this.stopped) return;
    try {
      const { witnesses } = JSON.parse(reply.toString()) as WitnessReport;
      if (witnesses.length === 0 && !this.said.has(nodeId)) return;
      if (witnesses.length === 0) this.said.delete(nodeId);
      else this.said.set(nodeId, witnesses);
      this.judge();
    } catch (error) {
      this.context.logger.warn({ nodeId, error: messageOf(error) }, 'an answer to LV.WITNESS cannot be read');
    }
  }

  private judge(): void {
    const stops = new Map<string, Map<number, WriteStop>>();
    for (const each of [...this.said.values()].flat()) {
      if (!this.isKnown(each)) continue;
      const { binlog, partition } = each;
      const of = stops.get(binlog) ?? new Map<number, WriteStop>();
      stops.set(binlog, of.set(partition, joined(of.get(partition), each)));
    }
    if (stops.size === 0 && this.current.size === 0) return;
    for (const [binlog, of] of stops)
      for (const [partition, { message }] of of)
        if (this.current.get(binlog)?.has(partition) !== true)
          this.context.logger.error({ binlog, partition }, `a partition stands still for writes: ${message}`);
    this.current = stops;
    this.onChange();
  }

  /** Of a replica that decisions in force know. */
  private isKnown({ chunkId, unitId, generation, storeId }: WitnessFacts): boolean {
    const chunk = this.view.state.chunk(chunkId);
    return (
      chunk?.replicas.some(
        (of) => of.unitId === unitId && of.generation === generation && of.storeId === storeId && of.role !== 'dead',
      ) === true
    );
  }
}

/** Several witnesses of a partition: what any of them lacks is not provable. */
function joined(known: WriteStop | undefined, { namespace, partition, ...of }: WitnessFacts): WriteStop {
  const cutOffset = Math.min(known?.cutOffset ?? Infinity, of.cutOffset);
  const nextOffset = Math.max(known?.nextOffset ?? 0, of.nextOffset);
  const message =
    `the log of ${namespace} lost partition ${partition} from offset ${cutOffset} to ${nextOffset}, which replicas ` +
    `hold: it stands still; levee log repair ${namespace} brings it back, levee log accept-loss ${namespace} lets it go`;
  return { partition, cutOffset, nextOffset, message };
}
