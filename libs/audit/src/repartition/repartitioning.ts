import { encode } from '@levee/codec';
import { fenceKey } from '@levee/journal';
import { asPartition, Failure } from '@levee/kernel';
import type { FencedWriter, Log } from '@levee/log';
import { namespaceWindows } from '../proof/namespace-windows';
import { proofLimits, rulesNow } from '../proof/read-key';
import type { AuditWorld } from '../verify/walk-partition';
import type { Cleaning } from './certainty';
import type { Settled } from './settled';
import { Settling } from './settling';
import { type StrayProducer, Strays } from './strays';

interface RepartitionQuestion {
  readonly name: string;
  /** Of the creation that is meant. */
  readonly binlog: string;
  /** Strays go home, too, that a deletion may have followed of which nothing is left. */
  readonly beyondTombstones: boolean;
}

/**
 * Records that stand outside of their keys' partitions: found in the binlog itself, judged, and brought home. Nothing is kept
 * between two of them: what was done stands in the binlog.
 */
export class Repartitioning {
  private settling: Settling | undefined;

  private constructor(
    private readonly world: AuditWorld,
    private readonly question: RepartitionQuestion,
    private readonly strays: Strays,
    private readonly cleaning: Cleaning,
  ) {}

  /** Fails with NOT_FOUND, NOT_SUPPORTED for a topic of others, and as the log does. */
  static async open(world: AuditWorld, question: RepartitionQuestion): Promise<Repartitioning> {
    const { name, binlog } = question;
    const { clockMarginMs } = proofLimits;
    const asked = { name, clock: world.clock, effectMs: clockMarginMs };
    const { namespace, earlier } = await namespaceWindows(world.log, world.topics, asked);
    if (namespace.binlog !== binlog)
      throw new Failure('NOT_FOUND', `the binlog of ${name} is ${namespace.binlog} now, not ${binlog} any more`);
    if (namespace.sourceTopic !== null)
      throw new Failure(
        'NOT_SUPPORTED',
        `${name} serves the topic ${namespace.sourceTopic} of others: nothing is written there`,
      );
    const { deleteRetentionMs } = await rulesNow(world.log, binlog, asPartition(0));
    const strays = await Strays.open(world, namespace);
    return new Repartitioning(world, question, strays, { deleteRetentionMs, earlier, clockMarginMs });
  }

  /** Records outside of their partitions, as far as was read. */
  get records(): number {
    return this.strays.records;
  }

  /** Of those: who wrote them, the latest first. */
  get producers(): readonly StrayProducer[] {
    return [...this.strays.producers.values()].sort((a, b) => b.newestMs - a.newestMs);
  }

  /** Reads every partition on to its end, and no less far than these positions. */
  read(positions: readonly number[] = []): Promise<void> {
    return this.strays.read(positions);
  }

  /** What would be done with what was read; nothing is written. */
  look(): Promise<Settled> {
    const { cleaning, question } = this;
    return new Settling(this.world, this.strays, { cleaning, beyondTombstones: question.beyondTombstones }).run();
  }

  /**
   * Does it, once all up to the positions of the taking over is read. `check` fails unless it may still be written;
   * `restoresOnly`: nothing comes home, and only what an earlier one has overtaken is put last again.
   */
  bringHome({ writer, positions }: TakenOver, check: () => void, restoresOnly = false): Promise<Settled> {
    const { cleaning, question } = this;
    const { beyondTombstones } = question;
    const writing = { writer, positions, check };
    this.settling = new Settling(this.world, this.strays, { cleaning, beyondTombstones, writing, restoresOnly });
    return this.settling.run();
  }

  /** Once bringing home has failed: keys that may hold an older record than one that somebody wrote at that moment. */
  get atRisk(): number {
    return this.settling?.atRisk ?? 0;
  }

  /**
   * [safety] Looks at these keys, and puts last again what was overtaken; gives their number. `taken`: after the failure.
   * `signal` in the place of that of the work, which may have ended it. Fails as bringing home does.
   */
  async restoreBehind({ writer, positions }: TakenOver, signal: AbortSignal): Promise<number> {
    if (this.settling === undefined) return 0;
    const { cleaning, question } = this;
    const { beyondTombstones } = question;
    const writing = { writer, positions, check: () => undefined };
    const options = { cleaning, beyondTombstones, writing, restoresOnly: true };
    return new Settling({ ...this.world, signal }, this.strays, options).restoreBehind(this.settling);
  }

  close(): Promise<void> {
    return this.strays.close();
  }
}

/** Who alone writes now, and where each partition ended then: all that an open transaction held back is below. */
interface TakenOver {
  readonly writer: FencedWriter;
  readonly positions: readonly number[];
}

const writerName = 'repartition';

/**
 * [safety] Takes over the writing to a binlog: nothing that an earlier repartitioning sent can arrive any more, however late
 * it is. Each partition gets a fence, which says nothing to anybody else.
 */
export async function takeOverRepartition(
  log: Log,
  { binlog, partitions }: { readonly binlog: string; readonly partitions: number },
): Promise<TakenOver> {
  const writer = await log.fencedWriter(`levee-fill/${writerName}/${binlog}`);
  const positions: number[] = [];
  try {
    for (let partition = 0; partition < partitions; partition++) {
      const value = encode('Fence', { producer: writerName, number: writer.epoch + 1 });
      const fence = { key: fenceKey(writerName), value };
      const { baseOffset } = await writer.append(binlog, asPartition(partition), [fence]);
      positions.push(baseOffset + 1);
    }
  } catch (error) {
    await writer.close();
    throw error;
  }
  return { writer, positions };
}
