import { murmur2 } from '@levee/kernel';
import { RespClientFailure, RespError, type RespReply } from '@levee/wire';
import type { OperationEvent } from '../api';
import type { RawWatch, WatchWish } from '../client/reach';
import { DefiniteError, IndefiniteError, type LeveeError, LimitError, PendingError, UnavailableError } from '../errors';
import { doorError, outcomes, passing } from './door-errors';
import { KeyLines } from './key-lines';
import { type BesideTurn, Operation, type OperationName, type OperationRequest } from './operation';
import { denialBy, type PortalDoor } from './portal-door';
import { PortalLink } from './portal-link';
import { PortalWatch } from './portal-watch';
import { doorFor } from './rendezvous';
import { isPosition } from './replies';
import type { RequestsChoice } from './requests-choice';
import { SessionMemory } from './session-memory';

/** The requests of one namespace: each to the portal of its key, again where that is safe, within its deadline. */
export class PortalRequests {
  readonly memory = new SessionMemory();
  private readonly links = new Map<PortalDoor, PortalLink[]>();
  private readonly lines: KeyLines;
  private underWay = 0;
  private seq = 0;
  /** Of which portals answer, when portals were last told of a clock. */
  private toldAtChanges = 0;
  private closed = false;
  private cancelSweep: (() => void) | undefined;
  private whenIdle: (() => void)[] = [];

  constructor(
    readonly namespace: string,
    private readonly choice: RequestsChoice,
  ) {
    const { timers } = choice.world;
    this.lines = new KeyLines({
      timers,
      choose: (keyHash) => this.linkFor(keyHash),
      send: (operation, link, done) => this.send(operation, link, done),
      pauseMs: (operation) => this.pauseMs(operation),
    });
  }

  /** Resolves with a reply that is no error; rejects with a LeveeError. `turn`: it began at a node. */
  perform(request: OperationRequest, turn?: BesideTurn): Promise<RespReply> {
    const { limits, world, budget } = this.choice;
    if (this.closed && !turn)
      return Promise.reject(new DefiniteError('CLIENT_CLOSED', `${request.name}: the client is closed`));
    if (request.signal?.aborted === true)
      return Promise.reject(
        new DefiniteError('ABORTED', `${request.name}: it was aborted`, { cause: request.signal.reason }),
      );
    if (this.underWay >= limits.operationsMax && !turn)
      return Promise.reject(
        new LimitError(
          'CLIENT_LIMIT',
          `${this.underWay} operations of namespace ${this.namespace} wait for their answers, at most ` +
            `${limits.operationsMax} (limits.operationsMax): await some of them`,
        ),
      );
    this.underWay++;
    if (!turn) budget.operation();
    this.cancelSweep ??= world.timers.after(sweepMs, () => this.sweep());
    return new Promise((resolve, reject) => {
      const { seq, beganAtMs } = turn ?? { seq: this.seq++, beganAtMs: world.clock.monotonicMs() };
      const ended = (operation: Operation, failure: LeveeError | undefined): void => this.ended(operation, failure);
      const operation = new Operation(request, seq, beganAtMs, ended, resolve, reject);
      this.lines.add(operation, murmur2(request.key));
    });
  }

  /** A read of the key may be answered at once, without a portal: it overtakes nothing. `keyText`: its bytes, as latin1. */
  mayAnswer(keyText: string): boolean {
    return !this.closed && this.lines.isFree(keyText);
  }

  get isMeasured(): boolean {
    return this.choice.metrics.operation !== undefined;
  }

  /** A read begins that is asked of a node; `undefined`: not beside what is under way. */
  beginBeside(key: Buffer): BesideTurn | undefined {
    const { limits, world, budget } = this.choice;
    if (this.closed || this.underWay >= limits.operationsMax) return undefined;
    const keyText = key.toString('latin1');
    if (!this.lines.enter(keyText)) return undefined;
    this.underWay++;
    budget.operation();
    return { seq: this.seq++, keyText, beganAtMs: world.clock.monotonicMs() };
  }

  /** It is over, whoever answered. `told`: what measurements are told, where no portal was asked. */
  endBeside({ keyText, beganAtMs }: BesideTurn, told: Told | undefined): void {
    this.lines.leave(keyText);
    this.over();
    if (told) this.tell(told, beganAtMs);
  }

  /** Measurements are told of what no portal was asked for. */
  tell({ name: operation, by = 'node', failure }: Told, beganAtMs: number): void {
    this.measure({ operation, by, attempts: 1, beganAtMs }, failure);
  }

  /** Which portal a key is bound to now. */
  doorOf(key: Buffer): PortalDoor | undefined {
    return doorFor(murmur2(key), this.choice.doors);
  }

  watch(wish: WatchWish): Promise<RawWatch> {
    if (this.closed) return Promise.reject(new DefiniteError('CLIENT_CLOSED', 'watch: the client is closed'));
    return PortalWatch.open(this.namespace, this.choice, wish);
  }

  /** Takes no more, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.underWay > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
    this.cancelSweep?.();
    for (const [door, links] of this.links)
      for (const link of links) {
        door.links.delete(link);
        link.close();
      }
  }

  private linkFor(keyHash: number): PortalLink | undefined {
    const door = doorFor(keyHash, this.choice.doors);
    if (!door) return undefined;
    let links = this.links.get(door);
    if (!links) {
      const count = this.choice.limits.connectionsPerPortal;
      links = Array.from({ length: count }, () => new PortalLink(door, this.namespace, this.memory));
      for (const link of links) door.links.add(link);
      this.links.set(door, links);
    }
    return links[(keyHash >>> 8) % links.length];
  }

  private send(operation: Operation, link: PortalLink, done: (again: boolean) => void): void {
    const { request } = operation;
    const nowMs = this.choice.world.clock.monotonicMs();
    const leftMs = request.deadlineAtMs - nowMs;
    if (leftMs <= 0) {
      this.tooLate(operation);
      return done(false);
    }
    const args = operation.isLost ? repeated(operation, this.choice.steady.passedMs()) : request.args;
    if (!args) {
      operation.fail(lost(operation));
      return done(false);
    }
    operation.attempts++;
    if (request.joins) this.tellClock(request);
    const joining = request.joins ? link.join() : undefined;
    const { life } = link;
    operation.sent ??= { link, life, passedMs: this.choice.steady.passedMs() };
    link.send(args, leftMs, (failure, reply) => {
      if (operation.settled) return done(false);
      if (failure) return done(this.failed(operation, link, failure));
      if (!(reply instanceof RespError)) {
        if (!request.isAnswer(reply)) return done(this.failed(operation, link, strange(operation, link)));
        if (joining?.refusal) return done(this.unjoined(operation, joining.refusal));
        request.positions?.(reply, (position) => this.memory.observe(position, link));
        if (request.joins) this.seeClock(request, reply, link);
        operation.succeed(reply);
        return done(false);
      }
      done(this.refused(operation, link, reply));
    });
  }

  /**
   * [safety] A key is asked for at one portal while the same ones answer. At another one, whose clock may be behind, it must not be
   * there again once it was seen as expired; and a page shows keys of all.
   */
  private tellClock({ name }: OperationRequest): void {
    const { changes } = this.choice.ups;
    if (name !== 'page' && changes === this.toldAtChanges) return;
    this.toldAtChanges = changes;
    this.memory.tellClockSeen();
  }

  private seeClock({ name, clock }: OperationRequest, reply: RespReply, link: PortalLink): void {
    const clockMs = clock?.(reply);
    if (clockMs === undefined) return;
    this.memory.observeClock(clockMs);
    // Its keys are, or may be by now, those of other portals.
    if (name === 'page' || !link.door.up) this.memory.tellClock(link);
  }

  /** No answer came. True: it is tried again. */
  private failed(operation: Operation, link: PortalLink, failure: RespClientFailure): boolean {
    const { isWrite, name, deadlineAtMs } = operation.request;
    const notSent = failure.code !== 'OUTCOME_UNKNOWN';
    if (notSent && !operation.isLost) operation.sent = undefined;
    if (failure.code === 'LIMIT') {
      operation.fail(known(operation, new LimitError('CLIENT_LIMIT', `${name}: ${failure.message}`)));
      return false;
    }
    const { denied } = link.door;
    if (notSent && denied) {
      operation.fail(known(operation, denied));
      return false;
    }
    if (deadlineAtMs <= this.choice.world.clock.monotonicMs()) {
      this.tooLate(operation);
      return false;
    }
    link.door.suspect(failure.message);
    if (isWrite && operation.isLost) {
      operation.fail(lost(operation));
      return false;
    }
    if (isWrite && !notSent) operation.isLost = true;
    return this.retry(operation, () =>
      operation.isLost ? lost(operation) : new UnavailableError('NO_PORTAL', `${name}: ${failure.message}`),
    );
  }

  /** [safety] It was read without what this client wrote and saw, as the portal did not take that: it is read again. */
  private unjoined(operation: Operation, refusal: LeveeError): true {
    operation.lastFailure = refusal;
    operation.sent = undefined;
    return true;
  }

  /** The portal said no. True: it is tried again. */
  private refused(operation: Operation, link: PortalLink, reply: RespError): boolean {
    const { isWrite } = operation.request;
    const isElsewhere = reply.code === 'LVNAMESPACE' && link.refusal !== undefined;
    const failure = doorError(isElsewhere ? (link.refusal as string) : reply.text, isWrite);
    // It is in the log, and was written on another connection perhaps, which is gone.
    if (failure instanceof PendingError && isPosition(failure.position))
      this.memory.observe(failure.position, { joined: -1, log: link.log });
    if (reply.code === 'LVSESSION') link.startAnew();
    if (reply.code === 'LVANEW') link.takeAnew();
    if (reply.code === 'LVSTOPPING' || reply.code === 'LVNOTREADY') link.door.suspect(reply.text);
    // [safety] What was refused is the question what became of it.
    if (operation.isLost && !outcomes.has(reply.code)) {
      if (passing.has(reply.code)) return this.retry(operation, () => known(operation, failure));
      operation.fail(known(operation, failure));
      return false;
    }
    // It did not happen, and nobody repeats it elsewhere: it is a new request from here on.
    if (failure.kind === 'definite') {
      operation.sent = undefined;
      operation.isLost = false;
    }
    if (passing.has(reply.code)) return this.retry(operation, () => failure);
    operation.fail(failure);
    return false;
  }

  private retry(operation: Operation, failure: () => LeveeError): boolean {
    operation.lastFailure = failure();
    if (this.choice.budget.take()) return true;
    operation.fail(operation.lastFailure);
    return false;
  }

  /** Full jitter: of many that failed at once no two come back at once. */
  private pauseMs({ attempts, isLost }: Operation): number {
    const { limits, world } = this.choice;
    const most = Math.min(limits.retryPauseMsMax, limits.retryPauseMs * 2 ** Math.min(attempts, 16));
    // Its connection, which was lost, must have been made again.
    return (isLost ? reconnectMs : 0) + world.random.next() * most;
  }

  private tooLate(operation: Operation): void {
    const { beganAtMs, request, sent, lastFailure } = operation;
    // What a portal said last helps more than that time is over.
    if (!sent && lastFailure) return operation.fail(lastFailure);
    const problems = this.choice.doors.filter(({ up }) => !up).map(({ name, problem }) => `${name}: ${problem}`);
    const why = problems.length === 0 ? '' : `; not asked are ${problems.join(', ')}`;
    operation.giveUp('DEADLINE', `no answer within ${Math.round(request.deadlineAtMs - beganAtMs)} ms${why}`);
  }

  private ended({ request, attempts, beganAtMs }: Operation, failure: LeveeError | undefined): void {
    this.over();
    this.measure({ operation: request.name, by: 'portal', attempts, beganAtMs }, failure);
  }

  private over(): void {
    this.underWay--;
    if (this.underWay === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private measure(
    { beganAtMs, ...what }: Pick<OperationEvent, 'operation' | 'by' | 'attempts'> & { readonly beganAtMs: number },
    failure: LeveeError | undefined,
  ): void {
    const { metrics, world } = this.choice;
    if (!metrics.operation) return;
    try {
      metrics.operation({
        namespace: this.namespace,
        ...what,
        ms: world.clock.monotonicMs() - beganAtMs,
        outcome: failure?.kind ?? 'ok',
        code: failure?.code,
      });
    } catch {
      // Measurements do not stop what is measured.
    }
  }

  /** Ends what waits for its turn, or for a portal, beyond its deadline. */
  private sweep(): void {
    this.cancelSweep = undefined;
    const nowMs = this.choice.world.clock.monotonicMs();
    const denial = denialBy(this.choice.doors);
    for (const operation of this.lines.waiting()) {
      if (operation.settled) continue;
      if (operation.request.deadlineAtMs <= nowMs) this.tooLate(operation);
      else if (denial) operation.fail(known(operation, denial));
    }
    if (this.underWay > 0) this.cancelSweep = this.choice.world.timers.after(sweepMs, () => this.sweep());
  }
}

interface Told {
  readonly name: OperationName;
  readonly by?: OperationEvent['by'];
  readonly failure?: LeveeError;
}

const sweepMs = 25;
const reconnectMs = 40;

/** [safety] It is none of a portal, or belongs to another request; so may those behind it. Nothing is known of the request. */
function strange({ request: { name } }: Operation, link: PortalLink): RespClientFailure {
  const what = `${link.door.name} answered ${name} with what is no answer to it`;
  link.renew(what);
  return new RespClientFailure('OUTCOME_UNKNOWN', what);
}

/** `refusal`: why nobody says what became of it. */
function lost({ request: { name }, sent }: Operation, refusal?: LeveeError): LeveeError {
  const portal = sent?.link.door.name ?? 'the portal';
  const what = `${name}: the connection to ${portal} was lost before it answered`;
  if (!refusal) return new IndefiniteError('LVINDEFINITE', `${what}. Read before you repeat it`);
  const why = `${what}, and what became of it is not told: ${refusal.code} ${refusal.message}. Read before you repeat it`;
  return new IndefiniteError('LVINDEFINITE', why, { cause: refusal });
}

/** [safety] Of a write whose answer was lost a refusal of what came later says nothing. */
const known = (operation: Operation, failure: LeveeError): LeveeError =>
  operation.isLost && failure.kind === 'definite' ? lost(operation, failure) : failure;

/** The same write once more, for the process that took it first and no other; `undefined`: which one that was is unknown. */
function repeated({ request, sent }: Operation, passedMs: number): readonly (string | Buffer)[] | undefined {
  if (!sent || sent.life.incarnation === '') return undefined;
  // Rounded up: an older write is rather taken for forgotten.
  return [...request.args, 'AGAIN', sent.life.incarnation, String(Math.ceil(passedMs - sent.passedMs) + 1)];
}
