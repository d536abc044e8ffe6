import type { RespReply } from '@levee/wire';
import type { OperationEvent } from '../api';
import { DefiniteError, IndefiniteError, UnavailableError, type LeveeError } from '../errors';
import type { LinkLife, PortalLink } from './portal-link';

export type OperationName = OperationEvent['operation'];

export interface OperationRequest {
  readonly name: OperationName;
  /** What it is bound to a portal by, and kept in order with. */
  readonly key: Buffer;
  readonly isWrite: boolean;
  /** It sees what this client has written and seen. */
  readonly joins: boolean;
  readonly args: readonly (string | Buffer)[];
  /** Whether a reply can be one to it. */
  readonly isAnswer: (reply: RespReply) => boolean;
  /** Tells `see` the positions that such a reply rests on. */
  readonly positions?: (reply: RespReply, see: (position: string) => void) => void;
  /** By which time of its portal's clock something that such a reply does not show is not there. */
  readonly clock?: (reply: RespReply) => number | undefined;
  /** Monotonic. */
  readonly deadlineAtMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A read that begins at a node: its place in the order of calls. */
export interface BesideTurn {
  readonly seq: number;
  readonly keyText: string;
  /** Monotonic. */
  readonly beganAtMs: number;
}

/** Where a write was sent whose answer was lost. */
export interface SentTo {
  readonly link: PortalLink;
  readonly life: LinkLife;
  /** As SteadyClock counts. */
  readonly passedMs: number;
}

/** One request from its call to its answer, over all attempts. */
export class Operation {
  attempts = 0;
  /** Something was written to a socket that may be carried out. */
  sent: SentTo | undefined;
  /** The answer was lost: only the portal that took it may be asked once more. */
  isLost = false;
  settled = false;
  /** Of the last attempt, after which it was tried again. */
  lastFailure: LeveeError | undefined;
  private endSignal: (() => void) | undefined;

  constructor(
    readonly request: OperationRequest,
    /** Order of calls. */
    readonly seq: number,
    readonly beganAtMs: number,
    private readonly ended: (operation: Operation, failure: LeveeError | undefined) => void,
    private readonly resolve: (reply: RespReply) => void,
    private readonly reject: (failure: LeveeError) => void,
  ) {
    const { signal } = request;
    if (!signal) return;
    const abort = (): void => this.giveUp('ABORTED', 'it was aborted', signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.endSignal = () => signal.removeEventListener('abort', abort);
  }

  succeed(reply: RespReply): void {
    if (this.settled) return;
    this.end(undefined);
    this.resolve(reply);
  }

  fail(failure: LeveeError): void {
    if (this.settled) return;
    this.end(failure);
    this.reject(failure);
  }

  /** The caller waits no longer: what that says of a write depends on whether it may be on its way. */
  giveUp(code: string, why: string, cause?: unknown): void {
    const { isWrite, name } = this.request;
    const options = cause === undefined ? undefined : { cause };
    if (isWrite && this.sent)
      return this.fail(
        new IndefiniteError(code, `${name}: ${why}, after it was sent to ${this.sent.link.door.name}`, options),
      );
    if (code === 'ABORTED') return this.fail(new DefiniteError(code, `${name}: ${why}`, options));
    this.fail(new UnavailableError(code, `${name}: ${why}`, options));
  }

  private end(failure: LeveeError | undefined): void {
    this.settled = true;
    this.endSignal?.();
    this.ended(this, failure);
  }
}
