import { ByteQueue } from './byte-queue';

/** `-ERR …` inside or as a reply. */
export class RespError {
  constructor(readonly text: string) {}

  /** The first word. */
  get code(): string {
    const space = this.text.indexOf(' ');
    return space < 0 ? this.text : this.text.slice(0, space);
  }
}

/** A reply as received: simple strings are strings, bulks are Buffers (views), maps are `RespMap`. */
export type RespReply =
  string | number | bigint | boolean | null | Buffer | RespError | RespReply[] | RespMap | RespPush;

export class RespMap {
  constructor(readonly entries: readonly RespReply[]) {}
}

/** An out-of-band message: it answers no request. */
export class RespPush {
  constructor(readonly items: readonly RespReply[]) {}
}

export interface ReplyLimits {
  readonly bulkBytesMax: number;
  readonly depthMax: number;
  /** Members of all arrays of one reply. */
  readonly membersMax: number;
  readonly lineBytesMax: number;
}

const replyLimits: ReplyLimits = {
  bulkBytesMax: 64 * 1024 * 1024,
  depthMax: 8,
  membersMax: 1_000_000,
  lineBytesMax: 64 * 1024,
};

interface Frame {
  readonly items: RespReply[];
  left: number;
  readonly kind: 'array' | 'map' | 'push';
}

const notYet = Symbol('not yet');
const opened = Symbol('opened');

/** Incremental, bounded in depth and size; hostile bytes end in `failure`, never in an exception. */
export class ReplyParser {
  failure: string | undefined;
  private readonly queue = new ByteQueue();
  private readonly stack: Frame[] = [];
  private members = 0;
  private searched = 0;
  /** Length of the bulk whose header is consumed, -1 without. */
  private bulkLength = -1;
  private bulkKind = 0;

  constructor(
    private readonly onReply: (reply: RespReply) => void,
    private readonly limits: ReplyLimits = replyLimits,
  ) {}

  push(chunk: Buffer): void {
    if (this.failure !== undefined) return;
    this.queue.push(chunk, this.bulkLength >= 0 ? this.bulkLength + 2 : 0);
    while (this.failure === undefined) {
      const value = this.bulkLength >= 0 ? this.bulkBody() : this.next();
      if (value === notYet) return;
      if (value !== opened) this.finish(value);
    }
  }

  /** Puts a complete value into what is open; emits the outermost. */
  private finish(value: RespReply): void {
    let done = value;
    for (;;) {
      const top = this.stack[this.stack.length - 1];
      if (top === undefined) {
        this.members = 0;
        return this.onReply(done);
      }
      top.items.push(done);
      if (--top.left > 0) return;
      this.stack.pop();
      done = closed(top);
    }
  }

  private next(): RespReply | typeof notYet | typeof opened {
    const { queue } = this;
    const lineEnd = queue.buffer.indexOf(13, queue.start + this.searched);
    if (lineEnd < 0 || lineEnd + 1 >= queue.end) {
      this.searched = Math.max(0, queue.length - 1);
      if (queue.length > this.limits.lineBytesMax) this.fail(`a line of more than ${this.limits.lineBytesMax} bytes`);
      return notYet;
    }
    this.searched = 0;
    if (queue.buffer[lineEnd + 1] !== 10) return this.fail('CR without LF in a line');
    const type = queue.buffer[queue.start] as number;
    const text = (): string => queue.buffer.toString('utf8', start, lineEnd);
    const start = queue.start + 1;
    queue.start = lineEnd + 2;
    switch (String.fromCharCode(type)) {
      case '+':
        return text();
      case '-':
        return new RespError(text());
      case ':':
        return this.integer(text());
      case '$':
      case '=':
      case '!':
        return this.bulkHeader(type, text());
      case '_':
        return null;
      case '#':
        return text() === 't';
      case ',':
        return double(text());
      case '(':
        return this.bigNumber(text());
      case '*':
      case '~':
        return this.open('array', text(), 1);
      case '%':
        return this.open('map', text(), 2);
      case '>':
        return this.open('push', text(), 1);
      default:
        return this.fail(`no reply begins with byte ${type}`);
    }
  }

  private open(kind: Frame['kind'], text: string, width: number): RespReply | typeof notYet | typeof opened {
    if (text === '-1') return null;
    const count = Number(text) * width;
    if (!/^\d{1,10}$/.test(text) || (this.members += count) > this.limits.membersMax)
      return this.fail(`an aggregate of '${text.slice(0, 24)}' members; at most ${this.limits.membersMax}`);
    if (count === 0) return closed({ items: [], left: 0, kind });
    if (this.stack.length >= this.limits.depthMax) return this.fail(`nested deeper than ${this.limits.depthMax}`);
    this.stack.push({ items: [], left: count, kind });
    return opened;
  }

  private bulkHeader(kind: number, text: string): RespReply | typeof notYet {
    if (text === '-1') return null;
    const length = Number(text);
    if (!/^\d{1,10}$/.test(text) || length > this.limits.bulkBytesMax)
      return this.fail(`a bulk of '${text.slice(0, 24)}' bytes; at most ${this.limits.bulkBytesMax}`);
    this.bulkLength = length;
    this.bulkKind = kind;
    return this.bulkBody();
  }

  private bulkBody(): RespReply | typeof notYet {
    const { queue } = this;
    const end = queue.start + this.bulkLength;
    if (end + 2 > queue.end) return notYet;
    const body = queue.buffer.subarray(queue.start, end);
    if (queue.buffer[end] !== 13 || queue.buffer[end + 1] !== 10) return this.fail('no CRLF after a bulk');
    queue.start = end + 2;
    this.bulkLength = -1;
    if (this.bulkKind === 0x21) return new RespError(body.toString('utf8'));
    return this.bulkKind === 0x3d ? body.subarray(Math.min(4, body.length)) : body;
  }

  private integer(text: string): RespReply | typeof notYet {
    if (!/^[-+]?\d{1,20}$/.test(text)) return this.fail(`no integer: '${text.slice(0, 24)}'`);
    const n = Number(text);
    return Number.isSafeInteger(n) ? n : BigInt(text.replace('+', ''));
  }

  private bigNumber(text: string): RespReply | typeof notYet {
    return /^[-+]?\d{1,400}$/.test(text) ? BigInt(text.replace('+', '')) : this.fail('no big number');
  }

  private fail(why: string): typeof notYet {
    this.failure = why;
    this.queue.clear();
    this.stack.length = 0;
    return notYet;
  }
}

function closed(frame: Frame): RespReply {
  if (frame.kind === 'map') return new RespMap(frame.items);
  return frame.kind === 'push' ? new RespPush(frame.items) : frame.items;
}

function double(text: string): number {
  if (text === 'inf') return Infinity;
  return text === '-inf' ? -Infinity : Number(text);
}
