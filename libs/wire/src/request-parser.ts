import { ByteQueue } from './byte-queue';
import { ChunkList } from './chunk-list';
import { splitInline } from './inline';
import { PackedArguments } from './packed-arguments';
import { isWebRequest, webRequestFailure } from './web-request';

/** Limits of one connection's requests. Defaults: {@link requestLimits}. */
export interface RequestLimits {
  readonly argumentsMax: number;
  /** One argument. Above the 1 MiB a value may have, so that doors can refuse it by name instead of hanging up. */
  readonly bulkBytesMax: number;
  /** An inline command, or the line of a count. */
  readonly lineBytesMax: number;
  /** All arguments of one command. */
  readonly requestBytesMax: number;
}

export const requestLimits: RequestLimits = {
  argumentsMax: 65_536,
  bulkBytesMax: 16 * 1024 * 1024,
  lineBytesMax: 64 * 1024,
  requestBytesMax: 64 * 1024 * 1024,
};

/** Of who has not said who he is, where somebody asks: enough for saying it (as Redis bounds them, more tightly in bytes). */
export const strangerRequestLimits: RequestLimits = {
  argumentsMax: 10,
  bulkBytesMax: 16 * 1024,
  lineBytesMax: 16 * 1024,
  requestBytesMax: 64 * 1024,
};

const star = 0x2a;
const dollar = 0x24;
const cr = 0x0d;
const lf = 0x0a;

/** A view of each, or, of very many, where each is. */
export type CommandArguments = readonly Buffer[] | PackedArguments;

/** What one view costs besides its bytes. */
export const argumentOverheadBytes = 96;
/** Of a command with more, views are made when they are asked for. */
export const viewsMax = 1_024;
/** No number in a request has more digits. */
const digitsMax = 10;

/** Results of reading the number of a `*` or `$` line. */
const incomplete = -2;
const wrong = -3;

/**
 * Incremental parser of RESP requests: arrays of bulks, and inline commands as people type them into telnet.
 * Hostile bytes end in `failure` (the text Redis users know), never in an exception; arguments are views.
 */
export class RequestParser {
  /** Text of the `-ERR` reply after which the connection must be closed; {@link webRequestFailure} is not answered. */
  failure: string | undefined;
  /** Commands handed on so far. */
  completed = 0;
  private paused = false;
  private stopped = false;
  /** What arrived while it was paused. */
  private readonly ahead = new ChunkList();
  private readonly queue = new ByteQueue();
  /** Arguments of the command under way; `undefined` between commands. */
  private args: Buffer[] | PackedArguments | undefined;
  private argsLeft = 0;
  private argBytes = 0;
  /** Length of the bulk under way; -1 while its header is still to come. */
  private bulkLength = -1;
  /** Bytes of the waiting line already searched for its end. */
  private searched = 0;

  /**
   * `onRequest` returns false to stop parsing until `resume()`, as does `onMany`, which is given what has very many
   * arguments. `isStranger`: {@link strangerRequestLimits} hold, too.
   */
  constructor(
    private readonly onRequest: (args: Buffer[]) => boolean,
    private readonly limits: RequestLimits = requestLimits,
    private readonly isStranger: () => boolean = () => false,
    private readonly onMany?: (args: PackedArguments) => boolean,
  ) {}

  /** Bytes in memory that no command was made of yet. */
  get bufferedBytes(): number {
    const overhead = this.args === undefined ? 0 : overheadOf(this.args);
    return this.queue.length + this.argBytes + overhead + this.ahead.bytes;
  }

  /** Of the command that `onRequest` was called with: its arguments, and what they cost. */
  requestBytes = 0;

  /** A command has begun, and its end is still to come. */
  get isUnfinished(): boolean {
    return !this.paused && (this.args !== undefined || this.queue.length > 0);
  }

  push(chunk: Buffer): void {
    if (this.failure !== undefined || this.stopped) return;
    if (this.paused) return this.ahead.push(chunk);
    this.take(chunk);
  }

  /** Goes on with what it had begun and one piece of what waits, no more: others have their turn in between. */
  resume(): void {
    if (!this.paused || this.stopped) return;
    this.paused = false;
    this.parse();
    if (this.paused || this.failure !== undefined) return;
    const chunk = this.ahead.shift();
    if (chunk) this.take(chunk);
    if (this.hasMore) this.paused = true;
  }

  /** What arrived while it was paused is not all parsed. */
  get hasMore(): boolean {
    return !this.ahead.isEmpty && this.failure === undefined;
  }

  private take(chunk: Buffer): void {
    this.queue.push(chunk, this.bulkLength > 0 ? this.bulkLength + 2 : 0);
    this.parse();
  }

  /** Forgets what waits; nothing is emitted any more. */
  stop(): void {
    this.paused = true;
    this.stopped = true;
    this.forget();
  }

  private forget(): void {
    this.queue.clear();
    this.ahead.clear();
    this.args = undefined;
    this.argBytes = 0;
  }

  private parse(): void {
    while (!this.paused && this.failure === undefined) {
      if (this.args === undefined && !this.beginRequest()) return;
      while (this.argsLeft > 0) if (!this.readBulk()) return;
      const args = this.args;
      this.args = undefined;
      if (args === undefined) continue;
      this.requestBytes = this.argBytes + overheadOf(args);
      this.argBytes = 0;
      if (args.length === 0) continue;
      this.completed++;
      if (!this.begin(args)) this.paused = true;
    }
  }

  private begin(args: Buffer[] | PackedArguments): boolean {
    if (args instanceof PackedArguments) return this.onMany?.(args) ?? true;
    return this.onRequest(args);
  }

  /** True when `args` and `argsLeft` are set, or an empty command was skipped; false: more bytes or a failure. */
  private beginRequest(): boolean {
    const { queue } = this;
    if (queue.start === queue.end) return false;
    if (queue.buffer[queue.start] !== star) return this.inline();
    const count = this.number('multibulk');
    if (count < -1) return false;
    if (count > this.limits.argumentsMax) return this.fail('invalid multibulk length');
    if (this.refusesStranger('multibulk length', count, 'argumentsMax')) return false;
    this.argsLeft = Math.max(0, count);
    this.args = this.onMany !== undefined && count > viewsMax ? new PackedArguments() : [];
    return true;
  }

  private readBulk(): boolean {
    const { queue } = this;
    if (this.bulkLength < 0) {
      if (queue.start === queue.end) return false;
      const first = queue.buffer[queue.start] as number;
      if (first !== dollar) return this.fail(`expected '$', got '${printable(first)}'`);
      const length = this.number('bulk');
      if (length === incomplete || length === wrong) return false;
      if (length < 0 || length > this.limits.bulkBytesMax) return this.fail('invalid bulk length');
      if (this.argBytes + length > this.limits.requestBytesMax)
        return this.fail(`too big request: more than ${this.limits.requestBytesMax} bytes in one command`);
      if (this.refusesStranger('bulk length', length, 'bulkBytesMax')) return false;
      if (this.refusesStranger('request', this.argBytes + length, 'requestBytesMax')) return false;
      this.bulkLength = length;
    }
    const end = queue.start + this.bulkLength;
    if (end + 2 > queue.end) return false;
    const { buffer } = queue;
    if (buffer[end] !== cr || buffer[end + 1] !== lf) return this.fail('expected CRLF after a bulk string');
    const { args } = this;
    if (args instanceof PackedArguments) args.add(buffer, queue.start, end);
    else (args as Buffer[]).push(buffer.subarray(queue.start, end));
    this.argBytes += this.bulkLength;
    queue.start = end + 2;
    this.bulkLength = -1;
    this.argsLeft--;
    return true;
  }

  /** The number of the line at `start`, which is then consumed; or `incomplete`; or `wrong` with `failure` set. */
  private number(kind: 'multibulk' | 'bulk'): number {
    const { queue } = this;
    const { buffer, end } = queue;
    let at = queue.start + 1;
    const negative = at < end && buffer[at] === 0x2d;
    if (negative) at++;
    let n = 0;
    let digits = 0;
    for (; at < end; at++) {
      const digit = (buffer[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      if (++digits > digitsMax) break;
      n = n * 10 + digit;
    }
    if (digits > digitsMax) return this.tooManyDigits(kind);
    if (at === end || (at + 1 === end && buffer[at] === cr)) return incomplete;
    if (digits === 0 || buffer[at] !== cr || buffer[at + 1] !== lf) {
      this.fail(`invalid ${kind} length`);
      return wrong;
    }
    queue.start = at + 2;
    if (!negative) return n;
    if (kind === 'bulk' && n !== 0) {
      this.fail('invalid bulk length');
      return wrong;
    }
    return n === 0 ? 0 : -1;
  }

  /** As Redis: the line is read to its end before it is wrong, unless it is too long. */
  private tooManyDigits(kind: 'multibulk' | 'bulk'): number {
    const { queue } = this;
    const lineEnd = queue.buffer.indexOf(cr, queue.start + this.searched);
    const found = lineEnd >= 0 && lineEnd + 1 < queue.end;
    if (!found && queue.length <= this.limits.lineBytesMax) {
      this.searched = Math.max(0, queue.length - 1);
      return incomplete;
    }
    const tooBig = (found ? lineEnd - queue.start : queue.length) > this.limits.lineBytesMax;
    const name = kind === 'multibulk' ? 'mbulk' : 'bulk';
    this.fail(tooBig ? `too big ${name} count string` : `invalid ${kind} length`);
    return wrong;
  }

  private inline(): boolean {
    const { queue } = this;
    const lineEnd = queue.buffer.indexOf(lf, queue.start + this.searched);
    const found = lineEnd >= 0 && lineEnd < queue.end;
    const lineBytes = found ? lineEnd - queue.start : queue.length;
    if (lineBytes > this.limits.lineBytesMax) return this.fail('too big inline request');
    if (this.refusesStranger('inline request', lineBytes, 'lineBytesMax')) return false;
    if (!found) {
      this.searched = queue.length;
      return false;
    }
    this.searched = 0;
    const end = lineEnd > queue.start && queue.buffer[lineEnd - 1] === cr ? lineEnd - 1 : lineEnd;
    const line = queue.buffer.subarray(queue.start, end);
    if (isWebRequest(line)) return this.end(webRequestFailure);
    const args = splitInline(line);
    queue.start = lineEnd + 1;
    if (args === undefined) return this.fail('unbalanced quotes in request');
    if (args.length > this.limits.argumentsMax) return this.fail('too many arguments in inline request');
    this.args = args;
    this.argsLeft = 0;
    return true;
  }

  /** True: `failure` says that it is too much before AUTH. Who it is is asked for large amounts alone. */
  private refusesStranger(what: string, amount: number, limit: keyof RequestLimits): boolean {
    const most = strangerRequestLimits[limit];
    if (amount <= most || !this.isStranger()) return false;
    const unit = limit === 'argumentsMax' ? 'arguments' : 'bytes';
    this.fail(`unauthenticated ${what}: at most ${most} ${unit} before AUTH or HELLO`);
    return true;
  }

  private fail(what: string): false {
    return this.end(`ERR Protocol error: ${what}`);
  }

  private end(failure: string): false {
    this.failure = failure;
    this.forget();
    return false;
  }
}

const overheadOf = (args: CommandArguments): number =>
  args instanceof PackedArguments ? args.overheadBytes : args.length * argumentOverheadBytes;

function printable(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
