import { type AuditWorld, Repartitioning, takeOverRepartition } from '@levee/audit';
import { isRepartitionOf, repartitionOwner, unknownNamespace } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { type CommandRunner, controlTopics } from '@levee/journal';
import { ByteRate, Failure, failureCode, type Logger, messageOf, pause } from '@levee/kernel';
import { type Log, systemClock, systemNewId, systemTimers } from '@levee/log';
import { refusal } from './found';
import type { Freezes } from './freezes';
import type { Portal } from './portal';
import { activeProducers, refuseActive, repartitionedLine } from './repartitioned-line';
import { ToldWork, type WorkLine } from './told-work';

const repartitionLimits = {
  atOnce: 1,
  lookMs: 250,
  /** Whoever is silent for 15 minutes does not write any more. */
  frozenWithinMs: 30 * 60_000,
  /** Reading and writing beside clients. */
  bytesPerSecond: 32 * 1024 * 1024,
  /** Between two attempts to end a freeze, each time longer. */
  againMs: 1_000,
  againMsMax: 30_000,
  /** Attempts to put last again what was overtaken; after that the freeze ends all the same, and it is told. */
  restoresMax: 3,
  /** Whoever took the writing over has taken the freeze over before: that is heard of by then. */
  heardOfMs: 5_000,
} as const;

export interface RepartitionRequest {
  readonly name: string;
  readonly principal: string;
  readonly what: 'bringHome' | 'dryRun' | 'cancel';
  /** People say that who wrote strays is stopped, or set right. */
  readonly producersStopped: boolean;
  readonly beyondTombstones: boolean;
  /** Runs of portals that people say have ended. */
  readonly without: readonly string[];
  /** Bytes per second; default 32 MiB. */
  readonly rate?: number | undefined;
}

/** Who asks, and who waits for it. */
interface Asked {
  readonly of: NamespaceState;
  /** Of its freeze: this run, and no other, at whatever portal. */
  readonly owner: string;
  readonly request: RepartitionRequest;
  readonly signal: AbortSignal;
  readonly tell: (message: string) => void;
}

/**
 * Brings records home that a producer wrote into wrong partitions, under a freeze of the namespace's writes. What was done
 * stands in the binlog alone, so the same command goes on after any crash, at any portal, and takes over from a run that is
 * not over. The freeze ends with the work, also when that fails; when the portal dies, the same command or `cancel` ends it.
 */
export class Repartitions {
  private readonly work = new ToldWork('repartitionings', repartitionLimits.atOnce);
  /** Until the last step of it is over, whoever listens. */
  private readonly busy = new Set<string>();
  private readonly ending = new AbortController();

  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly commands: CommandRunner,
    private readonly freezes: Freezes,
    private readonly options: { readonly topicPrefix: string; readonly logger: Logger },
  ) {}

  /** The last line is `done`. `signal` ends the work. */
  run(request: RepartitionRequest, signal: AbortSignal): AsyncGenerator<WorkLine> {
    return this.work.run(`looking at ${request.name}`, signal, async (ends, tell) => {
      const of = this.namespace(request.name);
      if (this.busy.has(of.binlog))
        throw new Failure(
          'LIMIT',
          `an earlier repartitioning of ${of.name} is about to end here: ask again in a moment`,
        );
      this.busy.add(of.binlog);
      try {
        const owner = repartitionOwner(of.name, systemNewId().slice(0, 8));
        const asked = { of, owner, request, signal: ends, tell };
        return await (request.what === 'cancel' ? this.cancel(asked) : this.repartition(asked));
      } finally {
        this.busy.delete(of.binlog);
      }
    });
  }

  /** What waits between two attempts waits no more. */
  close(): void {
    this.ending.abort();
  }

  private open({ of: { name, binlog }, request, signal, tell }: Asked): Promise<Repartitioning> {
    const rate = request.rate ?? repartitionLimits.bytesPerSecond;
    const world: AuditWorld = {
      ...{ log: this.log, topics: controlTopics(this.options.topicPrefix), clock: systemClock, signal },
      rate: new ByteRate(rate, systemClock, systemTimers),
      progress: (what, next, end) => tell(`reading ${what}: ${next} of ${end}`),
    };
    const { beyondTombstones } = request;
    return Repartitioning.open(world, { name, binlog, beyondTombstones });
  }

  private async repartition(asked: Asked): Promise<WorkLine> {
    const { of, request } = asked;
    const { name } = of;
    const repartitioning = await this.open(asked);
    try {
      await repartitioning.read();
      const found = await repartitioning.look();
      const active = activeProducers(repartitioning.producers);
      if (request.what === 'dryRun')
        return repartitionedLine(of, { ...found, records: repartitioning.records, active, isDry: true });
      const isLeft = isRepartitionOf(of.frozenBy, name);
      if (found.home + found.restored === 0 && !isLeft)
        return repartitionedLine(of, { ...found, records: repartitioning.records, active, isDry: false });
      if (!request.producersStopped) refuseActive(name, active);
      const line = await this.whileFrozen(asked, repartitioning);
      if (line['contested'] !== 0) throw new Failure('CONTESTED', line.message);
      return line;
    } finally {
      await repartitioning.close();
    }
  }

  private async bringHome(asked: Asked, repartitioning: Repartitioning): Promise<WorkLine> {
    const { of, owner, request, tell } = asked;
    const { name } = of;
    const { frozenSeq } = await this.frozen(asked);
    const check = (): void => {
      const now = this.portal.view.state.namespace(name);
      if (now?.number === of.number && now.frozenSeq === frozenSeq && now.frozenBy === owner) return;
      throw freezeEnded(name, owner);
    };
    const taken = await takeOverRepartition(this.log, of);
    try {
      await repartitioning.read(taken.positions);
      if (!request.producersStopped) refuseActive(name, activeProducers(repartitioning.producers));
      const { records } = repartitioning;
      tell(`bringing records of ${name} home`);
      const settled = await repartitioning.bringHome(taken, check);
      await repartitioning.read();
      const strayed = repartitioning.records - records;
      const { home, restored } = settled;
      this.options.logger.info({ namespace: name, home, restored, strayed }, 'a namespace was repartitioned');
      const active = strayed === 0 ? [] : activeProducers(repartitioning.producers);
      return repartitionedLine(of, { ...settled, records, active, strayed, isDry: false });
    } finally {
      await taken.writer.close();
    }
  }

  /** Thaws in the end, unless somebody else goes on with it. */
  private async whileFrozen(asked: Asked, repartitioning: Repartitioning): Promise<WorkLine> {
    const { name } = asked.of;
    try {
      const line = await this.bringHome(asked, repartitioning);
      await this.thaw(asked);
      return line;
    } catch (error) {
      const code = failureCode(error) ?? 'INTERNAL';
      if (code === 'FENCED') await pause(systemTimers, repartitionLimits.heardOfMs, this.ending.signal);
      await this.letGo(asked, repartitioning);
      const frozenBy = this.frozenBy(name);
      if (frozenBy !== null && !isRepartitionOf(frozenBy, name)) throw error;
      const { atRisk } = repartitioning;
      const behind =
        atRisk > 0 && code !== 'FENCED'
          ? `. Of at most ${atRisk} keys that came home a newer record may stand behind it, until the command is given again`
          : '';
      const stay = `Writes to ${name} stay frozen: give the command again to go on, or let go of it: ${cancelCommand(name)}`;
      const goesOn = frozenBy === null ? 'Portals take writes again; give the command again to go on' : stay;
      const after = frozenBy === null || frozenBy === asked.owner ? goesOn : `Another run goes on: ${frozenBy}`;
      throw new Failure(code, `${messageOf(error)}${behind}. ${after}`, { cause: error });
    }
  }

  private async cancel(asked: Asked): Promise<WorkLine> {
    const { of, signal } = asked;
    const { name } = of;
    if (!isRepartitionOf(of.frozenBy, name))
      return { event: 'done', name, message: `no repartitioning of ${name} is under way: nothing was changed` };
    // A run that is not over writes nothing more, and does not end the freeze.
    await this.freeze(asked);
    let restored = 0;
    let missed = '';
    try {
      restored = await this.restore(asked);
    } catch (error) {
      const code = failureCode(error) ?? 'INTERNAL';
      if (signal.aborted || code === 'FENCED')
        throw new Failure(code, `${messageOf(error)}. Give it again: ${cancelCommand(name)}`, { cause: error });
      this.options.logger.warn(
        { namespace: name, code, error: messageOf(error) },
        'overtaken records were not looked for',
      );
      missed =
        `; whether a newer record stands behind one that came home could not be looked at (${messageOf(error)}): ` +
        `levee namespace repartition ${name} does that when it is given again`;
    }
    await this.letGo(asked);
    const again = restored > 0 ? `; ${restored} newer records that it had overtaken were put last again` : '';
    const message = `${name} takes writes; what was brought home stays${again}${missed}`;
    return { event: 'done', name, restored, message };
  }

  /** [safety] Of a run that was ended between writing and reading behind that: what it overtook is put last again. */
  private async restore(asked: Asked): Promise<number> {
    const repartitioning = await this.open(asked);
    try {
      const taken = await takeOverRepartition(this.log, asked.of);
      try {
        await repartitioning.read(taken.positions);
        return (await repartitioning.bringHome(taken, () => undefined, true)).restored;
      } finally {
        await taken.writer.close();
      }
    } finally {
      await repartitioning.close();
    }
  }

  /** Until it is done, or somebody else goes on; at least once, and no longer than the portal lives. */
  private async letGo(asked: Asked, ended?: Repartitioning): Promise<void> {
    const { name } = asked.of;
    const { againMs, againMsMax } = repartitionLimits;
    for (let tries = 1; this.frozenBy(name) === asked.owner; tries++) {
      try {
        return await this.letGoOnce(asked, tries, ended);
      } catch (error) {
        const told = { namespace: name, tries, code: failureCode(error), error: messageOf(error) };
        this.options.logger.warn(told, 'a repartitioning could not end its freeze, and tries again');
        asked.tell(`writes to ${name} stay frozen until this succeeds: ${messageOf(error)}`);
      }
      if (this.ending.signal.aborted) return;
      await pause(systemTimers, Math.min(againMsMax, againMs * tries), this.ending.signal);
    }
  }

  /** [safety] Nothing that this or an earlier one sent may arrive behind what clients write from now on. */
  private async letGoOnce(asked: Asked, tries: number, ended?: Repartitioning): Promise<void> {
    const taken = await takeOverRepartition(this.log, asked.of);
    try {
      // The work may have been ended by its own signal.
      await ended?.restoreBehind(taken, this.ending.signal);
    } catch (error) {
      if (failureCode(error) !== 'NOT_PROVABLE' && tries < repartitionLimits.restoresMax) throw error;
      const told = { namespace: asked.of.name, keys: ended?.atRisk, error: messageOf(error) };
      this.options.logger.error(told, 'newer records may stand behind what came home: repartition again');
    } finally {
      await taken.writer.close();
    }
    await this.thaw(asked);
  }

  private async thaw({ of: { name, number }, owner, request: { principal } }: Asked): Promise<void> {
    if (this.frozenBy(name) !== owner) return;
    try {
      await this.commands.run({ kind: 'ThawNamespace', payload: { name, number, owner }, principal });
    } catch (error) {
      // Another run has taken it over just now.
      if (failureCode(error) !== 'NAMESPACE_FROZEN') throw error;
    }
  }

  private async freeze({ of: { name, number }, owner, request: { principal, without } }: Asked): Promise<void> {
    const reason = 'records in wrong partitions are brought home';
    const frozenBy = this.frozenBy(name);
    const insteadOf = isRepartitionOf(frozenBy, name) ? { insteadOf: frozenBy } : {};
    const payload = { name, number, reason, owner, ...insteadOf, ...(without.length > 0 && { without }) };
    await this.commands.run({ kind: 'FreezeNamespace', payload, principal });
  }

  private frozenBy(name: string): string | null {
    return this.portal.view.state.namespace(name)?.frozenBy ?? null;
  }

  /** Once its freeze is confirmed: nothing of any portal can come to its binlog any more. */
  private async frozen(asked: Asked): Promise<NamespaceState> {
    const { of, owner, signal, tell } = asked;
    const { name, number } = of;
    await this.freeze(asked);
    const endsAtMs = systemClock.monotonicMs() + repartitionLimits.frozenWithinMs;
    for (;;) {
      const is = this.portal.view.state.namespace(name);
      if (is?.number !== number || is.frozenBy !== owner) throw freezeEnded(name, owner);
      if (is.freezeConfirmedSeq !== null) return is;
      const { waiting } = await this.freezes.report(name);
      const [first] = waiting;
      const who = first === undefined ? '' : `: ${first.process} (${first.incarnation}) ${first.why}`;
      const all = waiting.length > 1 ? `, and ${waiting.length - 1} more` : '';
      tell(`writes to ${name} are frozen, waiting until nothing is on its way${who}${all}`);
      if (systemClock.monotonicMs() >= endsAtMs)
        throw new Failure('DEADLINE', `the freeze of ${name} is not confirmed after 30 minutes${who}${all}`);
      await pause(systemTimers, repartitionLimits.lookMs, signal);
      if (signal.aborted) throw new Failure('INTERRUPTED', `the repartitioning of ${name} was ended`);
    }
  }

  private namespace(name: string): NamespaceState {
    const { state } = this.portal.view;
    const known = state.namespace(name);
    if (known?.state !== 'active') throw refusal(unknownNamespace(state, name));
    if (known.sourceTopic !== null)
      throw new Failure(
        'NOT_SUPPORTED',
        `${name} serves the topic ${known.sourceTopic} of others, where Levee moves no records: that is its owner's to do`,
      );
    return known;
  }
}

const freezeEnded = (name: string, owner: string): Failure =>
  new Failure('NAMESPACE_NOT_READY', `somebody has ended, or taken over, the freeze of ${name} by ${owner}`);

const cancelCommand = (name: string): string => `levee namespace repartition ${name} --cancel`;
