import { assert } from '@levee/kernel';
import type { NetworkBudget } from './network-budget';
import { oneLine, ReplyWriter, type RespProtocol } from './reply-writer';

/** Where a slot tells that it is complete, so that the replies before and after it can be written. */
export interface SlotOwner {
  /** Nobody reads what is written, as far as can be told. */
  readonly gone: boolean;
  /** It has not taken what it was sent. */
  readonly takesSlowly: boolean;
  /** `costBytes`: of its command, which are free now. */
  slotDone(bytes: number, costBytes: number): void;
  /** A command that is not answered keeps so much more in memory. */
  slotGrows(bytes: number): void;
  /** Begins no further command before this one is answered. */
  waitFor(slot: ReplySlot): void;
  /** Counts what is held now. */
  tell(): void;
}

/** Who wants to know how long a command took. */
interface ReplyWatcher {
  /** The reply to what began at `beganAtMs` is complete; `code`: the first word of an error. */
  over(beganAtMs: number, code: string | undefined): void;
}

const waiting = 0;
const textual = 1;
const bulky = 2;
const encoded = 3;

const copyBytesMax = 256 * 1024;

/**
 * Place of one command's reply in its connection's order. Complete it exactly once, now or later, in any order
 * relative to other slots. Buffers given to it must stay unchanged until they are written (end of the tick after).
 */
export class ReplySlot {
  private state: number = waiting;
  private line = '';
  private buffer: Buffer | undefined;
  private parts: readonly Buffer[] | undefined;
  private start = 0;
  private end = 0;
  private after: (() => void) | undefined;
  private watcher: ReplyWatcher | undefined;
  private beganAtMs = 0;
  private promised: { readonly budget: NetworkBudget; readonly bytes: number } | undefined;

  constructor(
    private readonly owner: SlotOwner,
    /** Of the connection when the command came. */
    readonly protocol: RespProtocol,
    /** What the command keeps in memory until it is answered. */
    private costBytes = 0,
  ) {}

  get done(): boolean {
    return this.state !== waiting;
  }

  /** Nobody will read the reply, as far as can be told; it is to be completed all the same. */
  get abandoned(): boolean {
    return this.owner.gone;
  }

  /** Whoever asked has not taken what it was sent before. */
  get takesSlowly(): boolean {
    return this.owner.takesSlowly;
  }

  /** Counts what was gathered for the reply; until then it is held by nobody else. */
  gathered(bytes: number): void {
    if (this.done) return;
    this.costBytes += bytes;
    this.owner.slotGrows(bytes);
  }

  /** The connection's next command is begun when this one is answered: what takes long is done one after the other. */
  holdPipeline(): void {
    if (!this.done) this.owner.waitFor(this);
  }

  /** Bytes that `budget` has set aside for this reply: given back once it is complete, and counted as queued. */
  promise(budget: NetworkBudget, bytes: number): void {
    this.promised = { budget, bytes };
  }

  /** Tells `watcher` once the reply is complete; there is one at most, and it costs no closure. */
  watch(watcher: ReplyWatcher, beganAtMs: number): void {
    this.watcher = watcher;
    this.beganAtMs = beganAtMs;
  }

  /** Calls `action` once the reply is complete. */
  whenDone(action: () => void): void {
    if (this.done) return action();
    const { after } = this;
    this.after = after ? () => (after(), action()) : action;
  }

  ok(): void {
    this.lineOf('+OK\r\n');
  }

  simple(text: string): void {
    this.lineOf(`+${oneLine(text)}\r\n`);
  }

  /** `text` begins with the error's code, as in `ERR syntax error`. */
  error(text: string): void {
    this.lineOf(`-${oneLine(text)}\r\n`);
  }

  integer(n: number): void {
    this.lineOf(`:${n}\r\n`);
  }

  null(): void {
    this.lineOf(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
  }

  bulk(bytes: Buffer): void {
    this.bulkSlice(bytes, 0, bytes.length);
  }

  /** As `bulk(buffer.subarray(start, end))`, without making the view. */
  bulkSlice(buffer: Buffer, start: number, end: number): void {
    this.complete(bulky);
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.told(end - start);
  }

  text(text: string): void {
    this.bulk(Buffer.from(text, 'utf8'));
  }

  /** Any other shape; HELLO answers in the protocol it switches to. */
  write(build: (writer: ReplyWriter) => void, protocol = this.protocol, bytesExpected?: number): void {
    const writer = new ReplyWriter(protocol, bytesExpected);
    build(writer);
    this.raw(writer.finish());
  }

  /** An encoded reply. */
  raw(bytes: Buffer): void {
    this.complete(encoded);
    this.buffer = bytes;
    this.end = bytes.length;
    this.told(bytes.length);
  }

  /** An encoded reply in parts, which are sent as they are. */
  rawParts(parts: readonly Buffer[]): void {
    const [first] = parts;
    if (parts.length === 1 && first) return this.raw(first);
    this.complete(encoded);
    this.parts = parts;
    for (const { length } of parts) this.end += length;
    this.told(this.end);
  }

  /** Payload bytes held, as told to the owner. */
  get payloadBytes(): number {
    return this.state === textual ? this.line.length : this.end - this.start;
  }

  /** At least as many bytes as `encodeInto` writes. */
  get bytesMax(): number {
    if (this.state === textual) return this.line.length * 3;
    return this.end - this.start + 16;
  }

  /** A large reply that is encoded already: it is cheaper not copied. */
  get whole(): readonly Buffer[] | undefined {
    if (this.parts) return this.parts;
    return this.state === encoded && this.end > copyBytesMax ? [this.buffer as Buffer] : undefined;
  }

  /** Writes the reply at `at` and returns the place after it. */
  encodeInto(target: Buffer, at: number): number {
    if (this.state === textual) return at + writeLine(target, this.line, at);
    const buffer = this.buffer as Buffer;
    let to = at;
    const { start, end } = this;
    if (this.state === bulky) {
      target[to++] = 0x24;
      to = writeDecimal(target, to, end - start);
      target[to++] = 13;
      target[to++] = 10;
    }
    if (end - start <= 24) for (let i = start; i < end; i++) target[to++] = buffer[i] as number;
    else {
      buffer.copy(target, to, start, end);
      to += end - start;
    }
    if (this.state === bulky) {
      target[to++] = 13;
      target[to++] = 10;
    }
    return to;
  }

  private lineOf(line: string): void {
    this.complete(textual);
    this.line = line;
    this.told(line.length);
  }

  private told(bytes: number): void {
    this.owner.slotDone(bytes, this.costBytes);
    if (this.promised !== undefined) {
      // Counted as queued before it is given back: else the room would be given away twice.
      this.owner.tell();
      this.promised.budget.giveBack(this.promised.bytes);
    }
    this.watcher?.over(this.beganAtMs, this.errorCode);
    this.after?.();
  }

  private get errorCode(): string | undefined {
    const { line } = this;
    return line.startsWith('-') ? line.slice(1, line.search(/[ \r]/)) : undefined;
  }

  private complete(state: number): void {
    assert(this.state === waiting, 'a reply slot is completed once');
    this.state = state;
  }
}

function writeLine(target: Buffer, line: string, at: number): number {
  if (line.length > 64) return target.write(line, at, 'utf8');
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code > 0x7f) return target.write(line, at, 'utf8');
    target[at + i] = code;
  }
  return line.length;
}

/** Decimal digits of a non-negative integer; returns the place after them. */
function writeDecimal(target: Buffer, at: number, n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  let rest = n;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    target[i] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}
