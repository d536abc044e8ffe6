import { writtenFrom } from '@levee/audit';
import {
  forkBegun,
  isAsideOf,
  isRewound,
  isSwapUnheard,
  nameAside,
  rewindOwner,
  unknownNamespace,
} from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import type { CommandRunner } from '@levee/journal';
import {
  asPartition,
  Failure,
  failureCode,
  isoTime,
  type Logger,
  messageOf,
  namespaceNameProblem,
  pause,
} from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';
import { type FillRequest, ForkFilling } from './fork-filling';
import { refusal } from './found';
import type { Freezes } from './freezes';
import type { Portal } from './portal';
import { ToldWork, type WorkLine } from './told-work';

const rewindLimits = {
  atOnce: 1,
  lookMs: 250,
  /** Whoever is silent for 15 minutes does not write any more. */
  frozenWithinMs: 30 * 60_000,
  /** Plans of the namespace may have to end first; their observation takes 10 minutes by default. */
  plansWithinMs: 30 * 60_000,
  adoptedWithinMs: 30_000,
  /** Records that an undo counts, of those it leaves behind. */
  countedMax: 1_000_000,
} as const;

interface Asked {
  readonly name: string;
  readonly principal: string;
  /** Runs of portals that people say have ended. */
  readonly without?: readonly string[];
}

/** Whose freeze it is, why, and who waits for it. */
interface Freezing {
  /** The namespace that is rewound. */
  readonly of: string;
  readonly reason: string;
  readonly request: Asked;
  readonly signal: AbortSignal;
  readonly tell: (message: string) => void;
}

export type RewindRequest = Asked &
  (
    | (Pick<FillRequest, 'atMs' | 'clockMarginMs' | 'rate'> & { readonly what: 'rewind' })
    | { readonly what: 'undo' }
    | { readonly what: 'cancel' }
  );

type Rewind = Extract<RewindRequest, { readonly what: 'rewind' }>;

/**
 * Takes a namespace back to what it held at a time: freezes its writes, waits until nothing of any portal can come to its
 * binlog, forks it, and lets the two change places by one decision. Nothing is kept here that is needed to go on: how far
 * it is stands in the state (whose freeze it is, whether the fork is begun, who has which name), so the same command goes on
 * after any crash, at any portal; `cancel` lets go what was begun.
 */
export class Rewinds {
  private readonly work = new ToldWork('rewinds', rewindLimits.atOnce);
  private readonly filling: ForkFilling;

  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly commands: CommandRunner,
    private readonly freezes: Freezes,
    private readonly options: { readonly topicPrefix: string; readonly logger: Logger },
  ) {
    this.filling = new ForkFilling(log, portal, commands, options.topicPrefix);
  }

  /** The last line is `done`. `signal` ends the work; what was begun stays. */
  run(request: RewindRequest, signal: AbortSignal): AsyncGenerator<WorkLine> {
    return this.work.run(`looking at ${request.name}`, signal, (ends, tell) => {
      if (request.what === 'cancel') return this.cancel(request);
      return request.what === 'undo' ? this.undo(request, ends, tell) : this.rewind(request, ends, tell);
    });
  }

  private async rewind(request: Rewind, signal: AbortSignal, tell: (message: string) => void): Promise<WorkLine> {
    const { name, atMs, principal } = request;
    const of = this.filling.sourceOf(name, 'rewound');
    const before = this.namespace(of.swappedWith);
    const reason = `it is rewound to ${isoTime(atMs)}`;
    const asked = { of: name, reason, request, signal, tell };
    if (before !== undefined && isRewound(of, before) && of.forkedAtMs === atMs) {
      if (of.frozenBy !== rewindOwner(name)) await this.refuseWritten(of, signal);
      return this.stayingFrozen(name, async () => rewoundLine(await this.opened(of, asked), before));
    }
    const begun = this.begun(of);
    if (begun !== undefined && begun.forkedAtMs !== atMs)
      throw new Failure(
        'NAMESPACE_NOT_READY',
        `a rewind of ${name} to ${isoTime(begun.forkedAtMs ?? 0)} is under way (${begun.name}): give it with that time to ` +
          `go on, or let go of it: ${cancelCommand(name)}`,
      );
    const fill: FillRequest = { ...request, source: name, name: begun?.name ?? this.freeNameAside(name), principal };
    if (begun === undefined) {
      this.refuseUnderWay(of);
      this.filling.simulate(fill, of);
      tell(`proving what ${name} held at ${isoTime(atMs)}`);
      await this.filling.prove(fill, signal, tell);
    }
    return this.stayingFrozen(name, async () => {
      const frozen = await this.frozen(of.name, asked);
      const { target, keys, digest } = await this.filling.fill(fill, { of: frozen, begun }, signal, tell);
      const [now, other] = await this.swap(frozen, target, { principal, with: { keys, digest } }, signal, tell);
      await this.opened(now, asked);
      this.options.logger.info({ namespace: name, atMs, keys, before: other.name }, 'a namespace was rewound');
      return rewoundLine(now, other);
    });
  }

  private async undo(request: RewindRequest, signal: AbortSignal, tell: (message: string) => void): Promise<WorkLine> {
    const { name, principal } = request;
    const of = this.filling.sourceOf(name, 'rewound');
    const before = this.namespace(of.swappedWith);
    const reason = `its rewind to ${isoTime(of.forkedAtMs ?? before?.forkedAtMs ?? 0)} is undone`;
    const asked = { of: name, reason, request, signal, tell };
    if (before !== undefined && before.swappedWith === name && before.forkedBinlog === of.binlog) {
      await this.stayingFrozen(name, () => this.opened(of, asked));
      const message = `${name} is what it was before it was rewound already`;
      return { event: 'done', name, before: before.name, message };
    }
    if (before?.state !== 'active' || !isRewound(of, before))
      throw new Failure(
        'NAMESPACE_NOT_READY',
        `${name} was not rewound, or what it was before is not there any more: there is nothing to undo`,
      );
    return this.stayingFrozen(name, async () => {
      const frozen = await this.frozen(name, asked);
      const frozenBefore = await this.frozen(before.name, asked);
      tell(`counting what was written to ${name} since it was rewound`);
      const left = await this.writtenSince(frozen, signal);
      const [now, other] = await this.swap(frozen, frozenBefore, { principal, with: {} }, signal, tell);
      await this.opened(now, asked);
      this.options.logger.info({ namespace: name, left: left.records, in: other.name }, 'a rewind was undone');
      const count = `${left.isAtLeast ? 'at least ' : ''}${left.records} records`;
      return {
        event: 'done',
        ...{ name, before: other.name, leftRecords: left.records, leftIsAtLeast: left.isAtLeast },
        message:
          `${name} is again what it was before it was rewound (${now.binlog}); what was written to it since, ${count}, ` +
          `is kept in ${other.name} (${other.binlog}), which is frozen`,
      };
    });
  }

  private async cancel({ name, principal }: Asked): Promise<WorkLine> {
    const of = this.namespace(name);
    if (of?.state !== 'active') throw refusal(unknownNamespace(this.portal.view.state, name));
    const owner = rewindOwner(name);
    if (of.frozenBy === owner && isSwapUnheard(of))
      throw new Failure(
        'NAMESPACE_NOT_READY',
        `${name} has changed places with ${of.swappedWith} already, and waits until every portal has heard of it: give the ` +
          'same command again to wait on (--ended names a portal that has ended), then --undo, or its opposite, takes it back',
      );
    const said: string[] = [];
    const begun = this.begun(of);
    // The fork first: whoever is at it still finds nothing to change places with.
    if (begun !== undefined) {
      await this.commands.run({
        ...{ kind: 'DeleteNamespace', principal },
        payload: { name: begun.name, number: begun.number },
      });
      said.push(`${begun.name} is deleted`);
    }
    const before = this.namespace(of.swappedWith);
    if (before?.state === 'active' && before.frozenBy === owner) {
      const reason = before.frozenReason ?? owner;
      const payload = { name: before.name, reason, owner: 'operator', insteadOf: owner };
      await this.commands.run({ kind: 'FreezeNamespace', payload, principal });
    }
    if (of.frozenBy === owner) {
      await this.commands.run({ kind: 'ThawNamespace', payload: { name, number: of.number, owner }, principal });
      said.push(`${name} takes writes`);
    }
    const what = said.length === 0 ? `no rewind of ${name} is under way: nothing was changed` : said.join(', ');
    return { event: 'done', name, message: what };
  }

  /** Every portal has heard that it has changed places: it takes writes. */
  private async opened(of: NamespaceState, asked: Freezing): Promise<NamespaceState> {
    const { name, number, frozenBy } = of;
    const owner = rewindOwner(name);
    if (frozenBy !== owner) return of;
    await this.frozen(name, asked);
    const { principal } = asked.request;
    await this.commands.run({ kind: 'ThawNamespace', payload: { name, number, owner }, principal });
    return of;
  }

  /** Once its freeze is confirmed: nothing of any portal can come to its binlog any more. */
  private async frozen(name: string, asked: Freezing): Promise<NamespaceState> {
    const { reason, signal, tell } = asked;
    const { principal, without = [] } = asked.request;
    const owner = rewindOwner(asked.of);
    const now = this.namespace(name);
    // Whoever saw that something went wrong may have frozen it.
    const insteadOf = now?.frozenBy === 'operator' ? { insteadOf: 'operator' } : {};
    const payload = { name, number: now?.number, reason, owner, ...insteadOf, ...(without.length > 0 && { without }) };
    await this.commands.run({ kind: 'FreezeNamespace', payload, principal });
    const endsAtMs = systemClock.monotonicMs() + rewindLimits.frozenWithinMs;
    for (;;) {
      const is = this.namespace(name);
      if (is?.number !== now?.number || is?.frozenBy !== owner)
        throw new Failure('NAMESPACE_NOT_READY', `somebody has ended the freeze of ${name} by ${owner}`);
      if (is.freezeConfirmedSeq !== null) return is;
      const { waiting } = await this.freezes.report(name);
      const [first] = waiting;
      const who = first === undefined ? '' : `: ${first.process} (${first.incarnation}) ${first.why}`;
      const all = waiting.length > 1 ? `, and ${waiting.length - 1} more` : '';
      tell(`writes to ${name} are frozen, waiting until nothing is on its way${who}${all}`);
      if (systemClock.monotonicMs() >= endsAtMs)
        throw new Failure('DEADLINE', `the freeze of ${name} is not confirmed after 30 minutes${who}${all}`);
      await this.rest(signal);
    }
  }

  private async swap(
    of: NamespaceState,
    other: NamespaceState,
    { principal, with: filled }: { readonly principal: string; readonly with: object },
    signal: AbortSignal,
    tell: (message: string) => void,
  ): Promise<readonly [NamespaceState, NamespaceState]> {
    const { name, number, binlog, partitions } = of;
    const bounds = await this.log.offsets(binlog);
    const positions = Array.from(
      { length: partitions },
      (_, partition) => bounds.find((each) => each.partition === asPartition(partition))?.endOffset ?? 0,
    );
    const payload = { name, number, other: other.name, otherNumber: other.number, positions, ...filled };
    const endsAtMs = systemClock.monotonicMs() + rewindLimits.plansWithinMs;
    for (;;) {
      if (signal.aborted) throw interrupted(name);
      try {
        tell(`${name} and ${other.name} change places`);
        await this.commands.run({ kind: 'SwapNamespaces', payload, principal });
        break;
      } catch (error) {
        if (failureCode(error) !== 'PLAN_CONFLICT' || systemClock.monotonicMs() >= endsAtMs) throw error;
        tell(messageOf(error));
        await this.rest(signal);
      }
    }
    const swapped = await this.portal.view.until(
      () => {
        const [now, then] = [this.namespace(name), this.namespace(other.name)];
        return now?.binlog === other.binlog && then?.binlog === binlog ? ([now, then] as const) : undefined;
      },
      rewindLimits.adoptedWithinMs,
      `${name} and ${other.name} having changed places`,
    );
    this.portal.store.refreshNow();
    return swapped;
  }

  /** Who asks again for what was done may mean what came after: that is not what it was then. */
  private async refuseWritten(of: NamespaceState, signal: AbortSignal): Promise<void> {
    const { records, isAtLeast } = await this.writtenSince(of, signal);
    if (records === 0) return;
    throw new Failure(
      'NAMESPACE_NOT_READY',
      `${of.name} was rewound to that time at ${isoTime(of.swappedAtMs ?? 0)}, and ${isAtLeast ? 'at least ' : ''}${records} ` +
        `records were written to it since: take it back (levee namespace rewind ${of.name} --undo), which keeps them aside, ` +
        'and then rewind it',
    );
  }

  private async writtenSince({ binlog, partitions, swappedAtMs }: NamespaceState, signal: AbortSignal) {
    const positions: number[] = [];
    for (let partition = 0; partition < partitions; partition++)
      positions.push(await this.log.offsetAt(binlog, asPartition(partition), swappedAtMs ?? 0));
    return writtenFrom(this.log, { binlog, positions }, { recordsMax: rewindLimits.countedMax, signal });
  }

  /** The fork that a rewind of this very creation has begun. */
  private begun({ name, binlog }: NamespaceState): NamespaceState | undefined {
    const begun = [...this.portal.view.state.namespaces()].filter(
      (of) =>
        of.state === 'creating' && of.forkedFrom === name && of.forkedBinlog === binlog && isAsideOf(of.name, name),
    );
    return begun.find(({ change }) => change === forkBegun) ?? begun[0];
  }

  private freeNameAside(name: string): string {
    const { state } = this.portal.view;
    for (let n = 1; ; n++) {
      const aside = nameAside(name, n);
      const problem = namespaceNameProblem(aside);
      if (problem !== undefined) throw new Failure('BAD_NAME', `what ${name} was is to be called ${aside}: ${problem}`);
      const { state: is = 'deleted' } = state.namespace(aside) ?? {};
      if (is === 'deleted') return aside;
    }
  }

  /** Said before anything is frozen: the names change places only once these are over. */
  private refuseUnderWay({ name }: NamespaceState): void {
    const plans = [...this.portal.view.state.openPlans()].filter(({ namespace }) => namespace === name);
    if (plans.length === 0) return;
    const shown = plans.slice(0, 8).map(({ planId, kind, state }) => `${planId} (${kind}, ${state})`);
    throw new Failure(
      'PLAN_CONFLICT',
      `${name} has ${plans.length} plans that are not over: ${shown.join(', ')}; wait, cancel them, or end their observation`,
    );
  }

  private async stayingFrozen<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (this.namespace(name)?.frozenBy !== rewindOwner(name)) throw error;
      throw new Failure(
        failureCode(error) ?? 'INTERNAL',
        `${messageOf(error)}. Writes to ${name} stay frozen: give the command again to go on, or let go of it: ${cancelCommand(name)}`,
        { cause: error },
      );
    }
  }

  private async rest(signal: AbortSignal): Promise<void> {
    await pause(systemTimers, rewindLimits.lookMs, signal);
    if (signal.aborted) throw new Failure('INTERRUPTED', 'the rewind was ended');
  }

  private namespace(name: string | null): NamespaceState | undefined {
    return name === null ? undefined : this.portal.view.state.namespace(name);
  }
}

const cancelCommand = (name: string): string => `levee namespace rewind ${name} --cancel`;

const interrupted = (name: string): Failure => new Failure('INTERRUPTED', `the rewind of ${name} was ended`);

function rewoundLine(of: NamespaceState, before: NamespaceState): WorkLine {
  const { name, forkedAtMs, forkedKeys, forkedDigest } = of;
  const at = isoTime(forkedAtMs ?? 0);
  return {
    event: 'done',
    ...{ name, at, keys: forkedKeys, digest: forkedDigest, before: before.name },
    message:
      `${name} is what it was at ${at}: ${forkedKeys} keys, digest ${forkedDigest}; what it was until now is ${before.name}, ` +
      `frozen; take it back: levee namespace rewind ${name} --undo`,
  };
}
