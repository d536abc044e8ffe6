import { type Consistency, type Found, PointRead, type ReadSession, StoreFailure } from '@levee/client';
import type { RawEntry, ReadHow } from '../client/reach';
import type { LeveeError } from '../errors';
import type { BesideTurn } from '../portal/operation';
import type { GetsInOrder, OrderedGet } from './gets-in-order';

/** What becomes of a read that a node did not answer. */
export interface GetEnds {
  /** Nodes refuse it, and a portal would not do otherwise; `undefined`: one may. */
  finalFailure(failure: StoreFailure): LeveeError | undefined;
  askPortal(get: DirectGet): Promise<RawEntry | undefined>;
  /** A node has nothing, or what has expired by the session's clock. */
  foundNothing(get: DirectGet): void;
  /** The portal failed; a node may answer still, as long as the get has time. */
  leftToNode(get: DirectGet): void;
  /** Asks a node that was not asked because it was slow a moment ago; `told` gets a failure when there is none. */
  askSlowNode(get: DirectGet, told: (result: Found | undefined | StoreFailure) => void): void;
  /** `byNode`: its answer is the one that was given. */
  over(get: DirectGet, byNode: boolean, failure?: LeveeError): void;
}

/**
 * One read from its call to its answer. A node is asked; when nobody well has an answer, or it takes long, a portal too,
 * and the first answer counts. When no portal answers either, a node that was slow a moment ago is asked after all.
 */
export class DirectGet extends PointRead implements OrderedGet<DirectGet> {
  isOver = false;
  /** Those that are looked at from time to time, itself and its neighbours among them. */
  among: GetsInOrder<DirectGet> | undefined;
  earlier: DirectGet | undefined;
  later: DirectGet | undefined;
  private portalAsked = false;
  /** What the portal said, while a node may still answer. */
  private portalFailure: LeveeError | undefined;
  /** No node that is well has an answer. */
  nodesFailed = false;
  private slowNode: 'unasked' | 'asked' | 'failed' = 'unasked';
  private endSignal: (() => void) | undefined;

  constructor(
    key: Buffer,
    consistency: Consistency,
    session: ReadSession | undefined,
    readonly how: ReadHow,
    readonly turn: BesideTurn,
    private readonly ends: GetEnds,
    private readonly resolve: (entry: RawEntry | undefined) => void,
    private readonly reject: (failure: LeveeError) => void,
  ) {
    super(key, consistency, session);
    const { signal } = how;
    if (!signal) return;
    const abort = (): void => {
      // A portal says how it ends, also one that failed: it is not asked for what was given up.
      if (this.portalFailure) this.portalAsked = false;
      this.turnToPortal();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.endSignal = () => signal.removeEventListener('abort', abort);
  }

  get asksPortal(): boolean {
    return this.portalAsked;
  }

  /** Asks a portal as well. */
  turnToPortal(): void {
    if (this.portalAsked || this.isOver) return;
    this.portalAsked = true;
    this.ends.askPortal(this).then(
      (entry) => this.end(entry, false),
      (failure: LeveeError) => {
        if (isEnd(failure)) return this.fail(failure, false);
        if (this.isOver) return;
        this.portalFailure = failure;
        this.ends.leftToNode(this);
        if (this.nodesFailed) this.askSlowNode();
      },
    );
  }

  /** Nobody else has answered. */
  askSlowNode(): void {
    if (this.isOver || this.slowNode === 'asked') return;
    if (this.slowNode === 'failed') return this.endAsPortalFailed();
    this.slowNode = 'asked';
    this.ends.askSlowNode(this, (result) => {
      if (this.isOver) return;
      if (result instanceof StoreFailure) {
        this.slowNode = 'failed';
        const final = this.ends.finalFailure(result);
        return final ? this.fail(final, true) : this.endAsPortalFailed();
      }
      if (!result) return this.onMissing();
      const { value, offset, expiresAtMs } = result;
      this.end(new NodeEntry(ownBytes(value, 0, value.length), this.partition, offset, expiresAtMs), true);
    });
  }

  /** A portal was asked, and has failed. */
  get portalFailed(): boolean {
    return this.portalFailure !== undefined;
  }

  /** No node answered, or not in time: what the portal said, if it did, helps more than that. */
  endAsPortalFailed(): void {
    if (this.portalFailure) this.fail(this.portalFailure, false);
  }

  protected onValue(buffer: Buffer, start: number, end: number, expiresAtMs: number, offset: number): void {
    if (!this.isOver) this.end(new NodeEntry(ownBytes(buffer, start, end), this.partition, offset, expiresAtMs), true);
  }

  protected onMissing(): void {
    if (!this.isOver) this.ends.foundNothing(this);
    this.end(undefined, true);
  }

  protected onFailure(failure: StoreFailure): void {
    this.nodesFailed = true;
    const final = this.ends.finalFailure(failure);
    if (final) this.fail(final, true);
    else if (this.portalFailure) this.askSlowNode();
    else this.turnToPortal();
  }

  private end(entry: RawEntry | undefined, byNode: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endSignal?.();
    this.ends.over(this, byNode);
    this.resolve(entry);
  }

  private fail(failure: LeveeError, byNode: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endSignal?.();
    this.ends.over(this, byNode, failure);
    this.reject(failure);
  }
}

/** Its position is made when somebody asks for it. */
class NodeEntry implements RawEntry {
  constructor(
    readonly value: Buffer,
    private readonly partition: number,
    private readonly offset: number,
    readonly expiresAtMs: number,
  ) {}

  get position(): string {
    return `${this.partition}:${this.offset + 1}`;
  }
}

/** A small value must not keep all that came with it. */
function ownBytes(buffer: Buffer, start: number, end: number): Buffer {
  const bytes = end - start;
  if (bytes * 2 >= buffer.buffer.byteLength) return buffer.subarray(start, end);
  const own = Buffer.allocUnsafe(bytes);
  buffer.copy(own, 0, start, end);
  return own;
}

const isEnd = ({ code }: LeveeError): boolean => code === 'DEADLINE' || code === 'ABORTED';
