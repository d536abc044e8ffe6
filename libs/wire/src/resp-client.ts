import { Failure, messageOf, silentLogger, type Clock, type Logger, type Random, type Timers } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers } from '@levee/log';
import type { ByteStream, Network } from './network';
import { ReplyParser, RespError, RespPush, type RespReply } from './reply-parser';
import { encodeCommand } from './request-encoder';
import { systemNetwork } from './system-network';

export type RespClientFailureCode = 'NOT_SENT' | 'LIMIT' | 'OUTCOME_UNKNOWN';

/**
 * Why a request has no reply. NOT_SENT: certainly not executed. LIMIT: nor was it, because too much waits in this
 * process, which says nothing of the server. OUTCOME_UNKNOWN: perhaps executed.
 */
export class RespClientFailure extends Failure<RespClientFailureCode> {
  override readonly name = 'RespClientFailure';
}

export interface RespClientLimits {
  /** Requests waiting or unanswered. */
  readonly requestsMax: number;
  readonly requestBytesMax: number;
  readonly connectMs: number;
  /** Unanswered requests and not one byte received for this long: the connection is given up. */
  readonly stallMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

const respClientLimits: RespClientLimits = {
  requestsMax: 4_096,
  requestBytesMax: 64 * 1024 * 1024,
  connectMs: 2_000,
  stallMs: 10_000,
  backoffMinMs: 20,
  backoffMaxMs: 1_000,
};

export interface RespClientOptions {
  readonly limits?: Partial<RespClientLimits>;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  readonly network?: Network;
  /** Sent first on every connection, in their order; a text returned by `check` closes it and fails what waits. */
  readonly hello?: RespGreeting | readonly RespGreeting[];
  /** Called when a connection stands: what it sends comes before everything that waited for it. */
  readonly onReady?: () => void;
  /** What the server says without being asked. */
  readonly onPush?: (items: readonly RespReply[]) => void;
}

interface RespGreeting {
  readonly args: readonly (string | Buffer)[];
  check(reply: RespReply): string | undefined;
}

export type RespCallback = (failure: RespClientFailure | undefined, reply: RespReply) => void;

interface Request {
  readonly args: readonly (string | Buffer)[];
  readonly bytes: number;
  readonly deadlineAtMs: number;
  /** `undefined` once answered (a late reply is dropped). */
  done: RespCallback | undefined;
}

/**
 * One pipelined connection to one address, made on first use and made again with growing pauses. While it is known
 * to be down, requests fail at once, so that the caller can turn to another server.
 */
export class RespClient {
  private readonly limits: RespClientLimits;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly random: Random;
  private readonly network: Network;
  private socket: ByteStream | undefined;
  private state: 'idle' | 'connecting' | 'ready' | 'backoff' | 'closed' = 'idle';
  private waiting: Request[] = [];
  /** Written, in order of their replies. */
  private sent: Request[] = [];
  private sentFirst = 0;
  private bytes = 0;
  private failures = 0;
  private lastByteMs = 0;
  private flushing = false;
  private cancelSweep: (() => void) | undefined;
  private cancelBackoff: () => void = () => undefined;

  constructor(
    readonly address: { readonly host: string; readonly port: number },
    private readonly options: RespClientOptions = {},
  ) {
    this.limits = { ...respClientLimits, ...options.limits };
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? systemClock;
    this.timers = options.timers ?? systemTimers;
    this.random = options.random ?? systemRandom;
    this.network = options.network ?? systemNetwork;
  }

  /** True unless the last attempt to connect failed a moment ago. */
  get usable(): boolean {
    return this.state !== 'backoff' && this.state !== 'closed';
  }

  /** The server has greeted, and the connection stands. */
  get connected(): boolean {
    return this.state === 'ready';
  }

  get outstanding(): number {
    return this.waiting.length + this.sent.length - this.sentFirst;
  }

  /**
   * Calls `done` exactly once, never before `send` returned; an error reply of the server is a `RespError` reply.
   * `always`: however much waits, for what little others rest on.
   */
  send(args: readonly (string | Buffer)[], deadlineMs: number, done: RespCallback, always?: 'always'): void {
    let bytes = 0;
    for (const arg of args) bytes += arg.length;
    const problem = this.refusal(bytes, always !== undefined);
    if (problem !== undefined) {
      process.nextTick(() => done(problem, null));
      return;
    }
    this.bytes += bytes;
    this.waiting.push({ args, bytes, deadlineAtMs: this.clock.monotonicMs() + deadlineMs, done });
    if (this.state === 'idle') this.open();
    this.flushSoon();
    this.sweepLater();
  }

  /** As `send`; an error reply rejects as well. For paths that are not hot. */
  request(args: readonly (string | Buffer)[], deadlineMs: number): Promise<RespReply> {
    return new Promise((resolve, reject) => {
      this.send(args, deadlineMs, (failure, reply) => {
        if (failure) reject(failure);
        else if (reply instanceof RespError) reject(new Failure(reply.code, reply.text));
        else resolve(reply);
      });
    });
  }

  /** A reply does not fit its request: nor may those behind it. Gives the connection up, as if it had broken. */
  renew(why: string): void {
    if (this.socket) this.lose(why);
  }

  /** Fails what is under way and connects no more. */
  close(): void {
    this.lose('the client was closed');
    this.state = 'closed';
    this.cancelBackoff();
  }

  private refusal(bytes: number, always: boolean): RespClientFailure | undefined {
    const server = `${this.address.host}:${this.address.port}`;
    const { requestsMax, requestBytesMax } = this.limits;
    if (this.state === 'closed') return new RespClientFailure('NOT_SENT', `the client for ${server} is closed`);
    if (this.state === 'backoff') return new RespClientFailure('NOT_SENT', `${server} cannot be reached`);
    if (always) return undefined;
    const waiting = this.outstanding;
    if (waiting >= requestsMax)
      return new RespClientFailure('LIMIT', `${waiting} requests to ${server} wait, at most ${requestsMax}`);
    if (this.bytes + bytes > requestBytesMax && waiting > 0)
      return new RespClientFailure('LIMIT', `${this.bytes} bytes to ${server} wait, at most ${requestBytesMax}`);
    return undefined;
  }

  private open(): void {
    this.state = 'connecting';
    let socket: ByteStream;
    try {
      socket = this.network.connect(this.address);
    } catch (error) {
      // An address that no socket takes, such as a port that is no number: somebody wrote it about himself.
      process.nextTick(() => this.lose(messageOf(error)));
      return;
    }
    this.socket = socket;
    this.lastByteMs = this.clock.monotonicMs();
    // Once given up, what still comes on it answers nobody: it must not be counted against the next connection.
    const parser = new ReplyParser((reply) => {
      if (this.socket === socket) this.received(reply);
    });
    const cancelConnect = this.timers.after(this.limits.connectMs, () =>
      setImmediate(() => {
        if (this.state === 'connecting') this.lost(socket, 'connecting took too long');
      }),
    );
    socket.on('connect', () => {
      if (this.socket !== socket) return;
      this.greet(socket, cancelConnect);
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.socket !== socket) return;
      this.lastByteMs = this.clock.monotonicMs();
      parser.push(chunk);
      if (parser.failure !== undefined) this.lost(socket, `protocol error: ${parser.failure}`);
    });
    socket.on('error', (error) => {
      cancelConnect();
      this.lost(socket, messageOf(error));
    });
    socket.on('close', () => {
      cancelConnect();
      this.lost(socket, 'the connection was closed');
    });
  }

  private greet(socket: ByteStream, cancelConnect: () => void): void {
    const greetings = [this.options.hello ?? []].flat();
    let left = greetings.length;
    if (left === 0) return this.ready(cancelConnect);
    for (const greeting of greetings) {
      for (const piece of encodeCommand(greeting.args)) socket.write(piece);
      this.sent.push({
        args: greeting.args,
        bytes: 0,
        deadlineAtMs: Infinity,
        done: (failure, reply) => {
          if (failure) return cancelConnect();
          const problem = greeting.check(reply);
          if (problem !== undefined) {
            cancelConnect();
            this.logger.warn({ ...this.address, problem }, 'another server than expected answers');
            return this.lost(socket, problem);
          }
          if (--left === 0) this.ready(cancelConnect);
        },
      });
    }
  }

  private ready(cancelConnect: () => void): void {
    cancelConnect();
    this.failures = 0;
    this.state = 'ready';
    const { waiting } = this;
    this.waiting = [];
    this.options.onReady?.();
    for (const request of waiting) this.waiting.push(request);
    this.flushSoon();
  }

  private received(reply: RespReply): void {
    if (reply instanceof RespPush) return this.options.onPush?.(reply.items);
    const request = this.sent[this.sentFirst];
    if (request === undefined) return this.lose('a reply without a request');
    this.sentFirst++;
    if (this.sentFirst === this.sent.length || this.sentFirst > 1024) {
      this.sent = this.sent.slice(this.sentFirst);
      this.sentFirst = 0;
    }
    this.bytes -= request.bytes;
    const { done } = request;
    request.done = undefined;
    done?.(undefined, reply);
  }

  private flushSoon(): void {
    if (this.flushing || this.state !== 'ready') return;
    this.flushing = true;
    process.nextTick(this.flush);
  }

  /** Writes what waits: it need not be called, the end of a tick does so. */
  readonly flush = (): void => {
    this.flushing = false;
    const { socket } = this;
    if (this.state !== 'ready' || !socket || this.waiting.length === 0) return;
    const requests = this.waiting;
    this.waiting = [];
    if (this.sent.length === this.sentFirst) this.lastByteMs = this.clock.monotonicMs();
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (const request of requests) {
      for (const piece of encodeCommand(request.args)) {
        pieces.push(piece);
        bytes += piece.length;
      }
      this.sent.push(request);
    }
    if (bytes <= copyBytesMax) socket.write(Buffer.concat(pieces, bytes));
    else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
  };

  private lost(socket: ByteStream, why: string): void {
    if (this.socket === socket) this.lose(why);
  }

  /** Gives the connection up: what was written may have been executed, what waited was not. */
  private lose(why: string): void {
    const { socket } = this;
    const { host, port } = this.address;
    this.socket = undefined;
    socket?.destroy();
    const sent = this.sent.slice(this.sentFirst);
    const { waiting } = this;
    this.sent = [];
    this.sentFirst = 0;
    this.waiting = [];
    this.bytes = 0;
    if (this.state !== 'closed') this.backOff(why);
    for (const { done } of sent) done?.(new RespClientFailure('OUTCOME_UNKNOWN', `${host}:${port}: ${why}`), null);
    for (const { done } of waiting) done?.(new RespClientFailure('NOT_SENT', `${host}:${port}: ${why}`), null);
  }

  private backOff(why: string): void {
    this.state = 'backoff';
    const { backoffMinMs, backoffMaxMs } = this.limits;
    const pauseMs =
      Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.failures++, 16)) * (0.5 + this.random.next() / 2);
    this.logger.debug({ ...this.address, why, pauseMs }, 'a connection was lost');
    this.cancelBackoff = this.timers.after(pauseMs, () => {
      if (this.state === 'backoff') this.state = 'idle';
    });
  }

  /** Judged by the time of the timer, when what had arrived by then is read: this process may have had a pause. */
  private sweepLater(): void {
    this.cancelSweep ??= this.timers.after(sweepMs, () => {
      const nowMs = this.clock.monotonicMs();
      setImmediate(() => this.sweep(nowMs));
    });
  }

  /** Answers requests past their deadline, and gives up a connection that has fallen silent. */
  private sweep(now: number): void {
    this.cancelSweep = undefined;
    const { host, port } = this.address;
    for (let i = this.sentFirst; i < this.sent.length; i++)
      expire(this.sent[i] as Request, now, 'OUTCOME_UNKNOWN', `${host}:${port} did not answer in time`);
    const late = this.waiting.filter((request) => request.deadlineAtMs <= now);
    if (late.length > 0) {
      this.waiting = this.waiting.filter((request) => request.deadlineAtMs > now);
      for (const request of late) {
        this.bytes -= request.bytes;
        expire(request, now, 'NOT_SENT', `no connection to ${host}:${port} in time`);
      }
    }
    const { socket } = this;
    if (socket && this.sent.length > this.sentFirst && now - this.lastByteMs > this.limits.stallMs)
      this.lost(socket, `nothing received for ${this.limits.stallMs} ms`);
    if (this.outstanding > 0) this.sweepLater();
  }
}

/** A small write is gathered into one buffer; larger ones are cheaper not copied. */
const copyBytesMax = 128 * 1024;
const sweepMs = 20;

function expire(request: Request, nowMs: number, code: 'NOT_SENT' | 'OUTCOME_UNKNOWN', why: string): void {
  const { done } = request;
  if (done === undefined || request.deadlineAtMs > nowMs) return;
  request.done = undefined;
  done(new RespClientFailure(code, why), null);
}
