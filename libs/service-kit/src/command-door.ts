import { lastValueFrom } from 'rxjs';
import { decide, masterCommandKinds, type RejectionCode } from '@levee/cluster';
import type { CommandOutcome } from '@levee/events';
import { type Clock, doorCode, Failure, failureCode, messageOf, pause, type Timers, TokenBucket } from '@levee/kernel';
import type { ClusterView, CommandRunner, SubmittedCommand } from '@levee/journal';
import { commandsPattern, type LogClient } from './log-client';

export const commandDoorLimits = {
  /** Of one principal, on average and at once: every command is a record in the log, also one that is rejected. */
  perSecond: 50,
  /** One too many is told so after a while: who asks again at once would keep the process from serving others. */
  refusedAfterMs: 250,
  /** So many wait for that; more are told at once. */
  refusedWaitingMax: 1_000,
  /** Those remembered; the one heard longest ago is forgotten. */
  principalsMax: 10_000,
} as const;

/** What no state of a cluster would accept. */
const malformed: ReadonlySet<string> = new Set<RejectionCode>([
  'UNKNOWN_KIND',
  'BAD_COMMAND',
  'BAD_NAME',
  'UNKNOWN_KNOB',
  'FORBIDDEN',
  'TOO_LARGE',
]);

/** Lets commands into the log: what is no command, or one too many of somebody, is refused here and recorded nowhere. */
export class CommandDoor implements CommandRunner {
  private readonly principals = new Map<string, TokenBucket>();
  private refusedWaiting = 0;

  constructor(
    private readonly client: LogClient,
    private readonly view: ClusterView,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly limits: typeof commandDoorLimits = commandDoorLimits,
  ) {}

  /** What became of it; a rejection is thrown as a Failure with its code. */
  async run(command: SubmittedCommand): Promise<CommandOutcome> {
    const known = command.id === undefined ? undefined : this.view.state.outcome(command.id);
    return accepted(known ?? (await this.decided(command).catch(undecided)));
  }

  /** Of a command of the last 24 h; `undefined` = it was not decided, or not yet. */
  outcome(id: string): CommandOutcome | undefined {
    return this.view.state.outcome(id);
  }

  private async decided(command: SubmittedCommand): Promise<CommandOutcome> {
    if (!this.countPrincipal(command.principal)) await this.refuse(command.principal);
    this.refuseMalformed(command);
    return lastValueFrom(this.client.send<CommandOutcome>(commandsPattern, command));
  }

  /** False: it is one too many. */
  private countPrincipal(principal: string): boolean {
    const { perSecond, principalsMax } = this.limits;
    const bucket = this.principals.get(principal) ?? new TokenBucket(perSecond, () => this.clock.monotonicMs());
    this.principals.delete(principal);
    this.principals.set(principal, bucket);
    const [oldest] = this.principals.keys();
    if (this.principals.size > principalsMax && oldest !== undefined) this.principals.delete(oldest);
    return bucket.take();
  }

  private async refuse(principal: string): Promise<never> {
    const { perSecond, refusedAfterMs, refusedWaitingMax } = this.limits;
    if (this.refusedWaiting < refusedWaitingMax) {
      this.refusedWaiting++;
      await pause(this.timers, refusedAfterMs);
      this.refusedWaiting--;
    }
    throw new Failure(
      'LIMIT',
      `more than ${perSecond} commands a second of ${principal}: nothing was written, slow down`,
    );
  }

  /** As a master would decide it now. */
  private refuseMalformed({ kind, payload, principal }: SubmittedCommand): void {
    if (masterCommandKinds.has(kind))
      throw new Failure('FORBIDDEN', `${kind} says what the master has done: only the active master may give it`);
    const { state, seq, term } = this.view;
    const nowMs = this.clock.nowMs();
    const command = { id: '', kind, payload: JSON.stringify(payload ?? {}), principal, submittedAtMs: nowMs };
    const { rejection } = decide(state, command, { nowMs, term, seq: seq + 1 });
    if (rejection && malformed.has(rejection.code)) throw new Failure(rejection.code, rejection.message);
  }
}

/** As doors say it: with their code. */
export function shownOutcome(outcome: CommandOutcome): CommandOutcome {
  const { rejectionCode } = outcome;
  return { ...outcome, rejectionCode: rejectionCode === null ? null : doorCode(rejectionCode) };
}

function accepted(outcome: CommandOutcome): CommandOutcome {
  if (outcome.rejectionCode === null) return outcome;
  const details = { commandId: outcome.commandId, seq: outcome.seq };
  throw new Failure(outcome.rejectionCode, outcome.rejectionMessage ?? '', { details });
}

/** It is in the log: a master that comes later decides it, which an operator has to know before giving it again. */
function undecided(error: unknown): never {
  if (failureCode(error) !== 'DEADLINE') throw error;
  const more = 'it may still be taken, ask GET /v1/commands/<id>; levee doctor says whether a master serves';
  throw new Failure('DEADLINE', `${messageOf(error)}: ${more}`, { cause: error });
}
