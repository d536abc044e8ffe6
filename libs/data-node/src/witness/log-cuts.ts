import type { Replica, ReplicaIdentity } from '@levee/chunk-store';
import { lossWaysOut } from '@levee/cluster';
import { keyText } from '@levee/codec';
import { type AcceptedCut, cutOf, followLimits, type LogCut, lossBehind, sameCut } from '@levee/follow';
import { messageOf, type Partition } from '@levee/kernel';
import type { LogFailure } from '@levee/log';
import { nodeProtocolLimits } from '@levee/wire';
import { nodeLimits } from '../node-limits';
import type { HostedPlace } from '../replica/hosted-place';
import type { HostedPlaces } from '../replica/hosted-places';
import type { HostedWorld } from '../replica/hosted-world';
import { holdsAllAgain, keysFrom } from './lost-records';
import { lostText } from './lost-text';

/** The replica around its cuts. */
export interface CutReplica {
  /** While it is open. */
  readonly current: Replica | undefined;
  /** Builds it anew, if that loses nothing. */
  mustRebuild(reason: string): void;
  /** Follows the partition from where the replica stands. */
  follow(partition: Partition): void;
  /** Whether it may be read has to be judged anew. */
  review(): void;
}

/**
 * [safety] What a replica holds and its log lost (I2, I14). Such a replica is a witness: it is never cleared by
 * itself, stands still in the partitions that were cut, and goes on only once the log proves to hold the same
 * records again, or people say that what was lost is lost.
 */
export class LogCuts {
  private readonly cancels = new Map<number, () => void>();
  private accepted: readonly AcceptedCut[] = [];
  private stopped = false;
  /** True while any partition is cut: for the read path. */
  any = false;

  constructor(
    private readonly world: HostedWorld,
    private readonly places: HostedPlaces,
    private readonly identity: ReplicaIdentity,
    private readonly of: CutReplica,
  ) {}

  get all(): readonly LogCut[] {
    return this.places.all.flatMap(({ cut }) => (cut === undefined ? [] : [cut]));
  }

  at(partition: number): LogCut | undefined {
    return this.any ? this.places.at(partition)?.cut : undefined;
  }

  /**
   * [safety] Why a witness does not answer who needs a position: behind the cut offsets were given again, so that a
   * position there may be of a record that the witness has not (I4). Eventual reads ask for none.
   */
  refusal(partition: number, minOffset: number): string | undefined {
    const cut = this.at(partition);
    if (cut === undefined || minOffset <= cut.cutOffset) return undefined;
    return `${partition}:${cut.cutOffset} ${this.problem ?? ''}`;
  }

  /** For people: what was lost and what helps; `undefined` while nothing is. */
  get problem(): string | undefined {
    const { all } = this;
    const [first] = all;
    if (first === undefined) return undefined;
    const { binlog, namespace, chunkId, sourceTopicId } = this.identity;
    const isOfOthers = sourceTopicId !== undefined;
    const { why } = first;
    return (
      `I14: ${chunkId} is a witness: ${binlog} lost ${lostText(all)}; nothing is cleared, writes stand still: ` +
      `${lossWaysOut(namespace, { isOfOthers })} (the log says: ${why})`
    );
  }

  /** The log said that it does not hold what the replica stands on. */
  judge(partition: Partition, failure: LogFailure): void {
    void this.judgeNow(partition, failure).catch((error: unknown) => {
      this.world.logger.warn(
        { chunkId: this.identity.chunkId, partition, error: messageOf(error) },
        'the log cannot be asked',
      );
      this.after(partition, nodeLimits.rebuildBackoffMs, () => this.judge(partition, failure));
    });
  }

  private async judgeNow(partition: Partition, failure: LogFailure): Promise<void> {
    const place = this.places.at(partition);
    const replica = this.of.current;
    if (place === undefined || replica === undefined || this.stopped) return;
    await replica.settled();
    const bounds = await this.boundsOf(partition);
    const position = replica.position(partition);
    const cut = await this.told(failure, { ...position, partition }, bounds);
    if (cut === undefined) return this.of.mustRebuild(`${failure.code}: ${failure.message}`);
    if (failure.code === 'OFFSET_OUT_OF_RANGE' && position.nextOffset <= bounds.endOffset)
      return this.after(partition, followLimits.feedRetryMaxMs, () => this.of.follow(partition));
    this.note(place, cut);
  }

  /** Looks whether the log holds what the replica has seen of the partition, and notes the cut when it does not. */
  async look(partition: Partition): Promise<LogCut | undefined> {
    const place = this.places.at(partition);
    const replica = this.of.current;
    if (place === undefined || replica === undefined) return undefined;
    if (place.cut !== undefined) return place.cut;
    const position = replica.position(partition);
    const loss = await lossBehind(this.world.log, this.identity, partition, position);
    if (loss === undefined) return undefined;
    const cut = await this.told(loss, { ...position, partition }, await this.boundsOf(partition));
    if (cut !== undefined) this.note(place, cut);
    return cut;
  }

  /** People let go what was lost, by its exact figures; why not, when the replica holds something else. */
  accept(accepted: readonly AcceptedCut[]): string | undefined {
    const { chunkId } = this.identity;
    const cuts = this.all;
    if (cuts.length === 0) return `${chunkId} is no witness: there is nothing to let go`;
    const other = cuts.find((cut) => !accepted.some((each) => sameCut(each, cut)));
    if (other !== undefined)
      return (
        `${chunkId} is a witness of partition ${other.partition} from offset ${other.cutOffset} to ` +
        `${other.nextOffset}, which was not named`
      );
    this.accepted = accepted;
    return undefined;
  }

  isAccepted(cut: LogCut): boolean {
    return this.accepted.some((each) => sameCut(each, cut));
  }

  /** The replica is cleared. */
  forget(): void {
    this.accepted = [];
    this.cancelAll();
    for (const place of this.places.all) place.cut = undefined;
    this.any = false;
  }

  stop(): void {
    this.stopped = true;
    this.cancelAll();
  }

  private note(place: HostedPlace, cut: LogCut): void {
    if (this.stopped) return;
    const { chunkId, binlog } = this.identity;
    place.cut = cut;
    place.trouble = cut.why;
    this.any = true;
    this.world.logger.error(
      { chunkId, binlog, ...cut },
      'the log lost what this replica holds: it is kept as a witness',
    );
    this.tellAge(place);
    this.of.review();
    void this.count(place, cut);
    this.checkLater(place);
  }

  /** After a restart it has not stood at the end in this process: then its age is as old as what it wrote down. */
  private tellAge(place: HostedPlace): void {
    const { logClock, clock } = this.world;
    const completeAtMs = this.of.current?.position(place.partition).completeAtMs ?? 0;
    if (place.atEndMs !== undefined || completeAtMs === 0) return;
    place.atEndMs = clock.monotonicMs() - Math.max(0, logClock.bestMs() - completeAtMs);
  }

  private async count(place: HostedPlace, cut: LogCut): Promise<void> {
    const replica = this.of.current;
    if (replica === undefined) return;
    let keysAtStake = 0;
    const keys: string[] = [];
    try {
      for await (const [key] of keysFrom(replica, cut.partition, cut.cutOffset, this.world.io.pace('digest')))
        if (++keysAtStake <= nodeProtocolLimits.keysNamedMax) keys.push(keyText(key));
    } catch (error) {
      this.world.logger.warn(
        { chunkId: this.identity.chunkId, error: messageOf(error) },
        'keys at stake were not counted',
      );
      return;
    }
    if (place.cut !== cut) return;
    place.cut = { ...cut, keysAtStake, keys };
    const { chunkId, binlog } = this.identity;
    this.world.logger.warn({ chunkId, binlog, ...place.cut }, 'what a witness holds and the log lost was counted');
  }

  private checkLater(place: HostedPlace): void {
    this.after(place.partition, nodeLimits.witnessCheckMs, () => void this.check(place));
  }

  /** People may have restored the log: then the witness goes on by itself. */
  private async check(place: HostedPlace): Promise<void> {
    const { cut, partition } = place;
    const replica = this.of.current;
    if (cut === undefined || replica === undefined || this.stopped) return;
    try {
      const { log, logger } = this.world;
      const loss = await lossBehind(log, this.identity, partition, replica.position(partition));
      if (loss === undefined && (await this.isRestored(replica, cut))) {
        if (this.stopped || place.cut?.cutOffset !== cut.cutOffset) return;
        place.cut = undefined;
        place.trouble = undefined;
        this.any = this.all.length > 0;
        logger.info(
          { chunkId: this.identity.chunkId, partition },
          'the log holds again what it had lost: the witness goes on',
        );
        this.of.review();
        return this.of.follow(partition);
      }
      const known =
        loss &&
        !cut.cutKnown &&
        (await this.told(loss, { ...replica.position(partition), partition }, await this.boundsOf(partition)));
      if (known && known.cutKnown) return this.note(place, known);
    } catch (error) {
      const { chunkId } = this.identity;
      this.world.logger.debug({ chunkId, partition, error: messageOf(error) }, 'the log of a witness cannot be asked');
    }
    this.checkLater(place);
  }

  /** [safety] Of a log that does not begin with our Genesis nothing is known to be common, whatever its epochs say. */
  private async told(...[failure, position, bounds]: Parameters<typeof cutOf>): Promise<LogCut | undefined> {
    const cut = cutOf(failure, position, bounds);
    if (cut === undefined) return undefined;
    const trouble = await this.world.feedOf(this.identity, cut.partition).checkGenesisAnew();
    return trouble === undefined ? cut : { ...cut, cutOffset: 0, cutKnown: false, why: `${trouble}; ${cut.why}` };
  }

  private async isRestored(replica: Replica, cut: LogCut): Promise<boolean> {
    const { log, io, feedOf } = this.world;
    const trouble = await feedOf(this.identity, cut.partition).checkGenesisAnew();
    return trouble === undefined && (await holdsAllAgain(log, replica, cut, io.pace('digest')));
  }

  private async boundsOf(partition: Partition): Promise<{ startOffset: number; endOffset: number }> {
    const all = await this.world.log.offsets(this.identity.binlog);
    return all.find((each) => each.partition === partition) ?? { startOffset: 0, endOffset: 0 };
  }

  private cancelAll(): void {
    for (const cancel of this.cancels.values()) cancel();
    this.cancels.clear();
  }

  private after(partition: number, ms: number, step: () => void): void {
    this.cancels.get(partition)?.();
    if (!this.stopped) this.cancels.set(partition, this.world.timers.after(ms, step));
  }
}
