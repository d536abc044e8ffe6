import { awaitCommand, parseAwaitCommand } from './await-frames';
import { copyCloseCommand, copyNextCommand, copyOpenCommand, parseCopyCommand } from './copy-frames';
import { FrameFailure } from './frame';
import { nodeCommands } from './node-protocol';
import { parseRangeCommand, rangeCommand } from './range-frames';
import { parseReadCommand, readCommand, ReadEntriesWriter } from './read-frames';
import { encodeCommand } from './request-encoder';
import { RequestParser } from './request-parser';

const namespace = 'shop.orders';
const chunkId = 'shop.orders#1/c00003';
const header = { namespace, tableVersion: 300, maxAgeMs: 30_000, nowMs: 1_764_201_600_123, deadlineMs: 100 };
const positions = [{ partition: 3, nextOffset: 77 }];
const range = { chunkId, from: Buffer.from('a'), to: Buffer.alloc(0), limit: 10, bytesMax: 1024, keysOnly: false };
const reads = (): ReadEntriesWriter => {
  const entries = new ReadEntriesWriter();
  entries.add(7, 8, Buffer.from('key'));
  entries.add(9, 0, Buffer.from('other'));
  return entries;
};

/** Every request between processes whose answer depends on what it says. */
const requests: readonly (readonly [string, readonly (string | Buffer)[]])[] = [
  ['LV.READ', readCommand(header, reads())],
  ['LV.AWAIT', awaitCommand({ namespace, tableVersion: 9, deadlineMs: 5, entries: [{ chunkId, ...positions[0]! }] })],
  ['LV.RANGE', rangeCommand({ ...header, ...range, positions })],
  ['LV.COPY open', copyOpenCommand({ namespace, chunkId, slotStart: 5, slotEnd: 9, after: Buffer.from([0, 255]) })],
  ['LV.COPY next', copyNextCommand('i-1', 7, 1024)],
  ['LV.COPY close', copyCloseCommand('i-1')],
];

const parsers: Readonly<Record<string, (args: readonly Buffer[]) => object>> = {
  [nodeCommands.read]: parseReadCommand,
  [nodeCommands.await]: parseAwaitCommand,
  [nodeCommands.range]: parseRangeCommand,
  [nodeCommands.copy]: parseCopyCommand,
};

/** What a node would do for these bytes: the requests it understands, as it understands them. */
function understood(sent: Buffer): object[] {
  const found: object[] = [];
  const parser = new RequestParser((args) => {
    const parse = parsers[String(args[0]).toUpperCase()];
    try {
      if (parse) found.push(parse(args));
    } catch (error) {
      expect(error).toBeInstanceOf(FrameFailure);
    }
    return true;
  });
  parser.push(sent);
  return found;
}

describe.each(requests)('%s', (_name, args) => {
  const whole = args.map((arg) => Buffer.from(arg));

  it('says all it says in its one frame', () => {
    expect(args).toHaveLength(2);
    expect(understood(Buffer.concat(encodeCommand(args)))).toHaveLength(1);
  });

  it.each([1, 0x20, 0x80, 0xff])('any byte of its arguments changed by %i is refused', (mask) => {
    const parse = parsers[String(whole[0])]!;
    for (let i = 1; i < whole.length; i++)
      for (let at = 0; at < whole[i]!.length; at++) {
        const damaged = whole.map((arg) => Buffer.from(arg));
        damaged[i]![at]! ^= mask;
        expect(() => parse(damaged)).toThrow('fails its checksum: it was damaged on its way');
      }
  });

  it('any bit of it flipped on the way, names and lengths as well: refused, or understood as it was meant', () => {
    const sent = Buffer.concat(encodeCommand(args));
    const [meant] = understood(sent);
    for (let bit = 0; bit < sent.length * 8; bit++) {
      const damaged = Buffer.from(sent);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      for (const request of understood(damaged)) expect(request).toEqual(meant);
    }
  });
});
