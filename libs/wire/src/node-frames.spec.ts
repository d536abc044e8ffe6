import fc from 'fast-check';
import { fastestMs } from '../../../test/support/fastest';
import { awaitCommand, encodeAwaitReply, parseAwaitCommand, parseAwaitReply, type AwaitOutcome } from './await-frames';
import { encodeCopyFrame, encodeCopyOpened, parseCopyCommand, parseCopyFrame, parseCopyOpened } from './copy-frames';
import { FrameFailure, FrameWriter, noSeal, type Seal } from './frame';
import { parseEntryError } from './node-protocol';
import { encodeRangeReply, parseRangeCommand, parseRangeReply, rangeCommand, type RangeItem } from './range-frames';
import { parseReadCommand, readCommand, ReadEntriesWriter, ReadReply, ReadReplyWriter, readTags } from './read-frames';

const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array));
const long = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const position = fc.record({ partition: fc.nat(1023), nextOffset: long });
/** A frame that a hostile or broken sender sealed well. */
function sealedFrame(body: Buffer): Buffer {
  const frame = new FrameWriter();
  frame.bytes(body);
  return frame.finish();
}
const seal = expect.any(Number) as number;
const received = (args: readonly (string | Buffer)[]): Buffer[] => args.map((arg) => Buffer.from(arg as string));

describe('LV.READ', () => {
  it('carries its entries', () => {
    const entry = fc.record({ slot: fc.nat(999_999), minOffset: long, key: bytes });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), long, (entries, tableVersion) => {
        const writer = new ReadEntriesWriter(1);
        for (const each of entries) writer.add(each.slot, each.minOffset, each.key);
        const header = { namespace: 'shop.orders', tableVersion, maxAgeMs: -1, nowMs: 5, deadlineMs: 7 };
        const request = parseReadCommand(received(readCommand(header, writer)));
        expect(request).toMatchObject(header);
        for (let pass = 0; pass < 2; pass++) {
          const seen: { slot: number; minOffset: number; key: Buffer }[] = [];
          const { entries: cursor } = request;
          while (cursor.next()) seen.push({ slot: cursor.slot, minOffset: cursor.minOffset, key: cursor.key() });
          expect(seen).toEqual(entries);
          cursor.rewind();
        }
      }),
    );
  });

  it('carries its reply', () => {
    const result = fc.oneof(
      fc.record({ tag: fc.constant(readTags.value), offset: long, expiresAtMs: long, value: bytes }),
      fc.record({ tag: fc.constant(readTags.error), text: fc.string({ unit: 'grapheme', maxLength: 20 }) }),
      fc.record({ tag: fc.constant(readTags.nil), offset: long }),
      fc.record({ tag: fc.constant(readTags.again) }),
    );
    fc.assert(
      fc.property(fc.array(result, { maxLength: 20 }), fc.array(position, { maxLength: 5 }), (results, positions) => {
        const writer = new ReadReplyWriter(noSeal, 1);
        for (const each of results) {
          if ('value' in each) writer.value(each.offset, each.expiresAtMs || null, each.value);
          else if ('text' in each) writer.error(each.text);
          else if ('offset' in each) writer.nil(each.offset);
          else writer.again();
        }
        const reply = new ReadReply(writer.finish(12.7, 99, positions));
        expect([reply.ageMs, reply.tableVersion, reply.count]).toEqual([12, 99, results.length]);
        const seen: unknown[] = [];
        while (reply.next()) {
          const { tag, offset, expiresAtMs } = reply;
          if (tag === readTags.value) seen.push({ tag, offset, expiresAtMs, value: reply.value() });
          else if (tag === readTags.nil) seen.push({ tag, offset });
          else seen.push(tag === readTags.error ? { tag, text: reply.errorText() } : { tag });
        }
        expect(seen).toEqual(results);
        expect(reply.positions()).toEqual(positions);
      }),
    );
  });
});

describe('LV.AWAIT', () => {
  it('carries entries and outcomes', () => {
    const entry = fc.record({ chunkId: fc.string(), partition: fc.nat(99), nextOffset: long });
    const outcome: fc.Arbitrary<AwaitOutcome> = fc.oneof(
      fc.constant({ kind: 'applied' as const }),
      fc.record({ kind: fc.constant('behind' as const), nextOffset: long }),
      fc.record({ kind: fc.constant('moved' as const), seq: long }),
    );
    fc.assert(
      fc.property(fc.array(entry), fc.array(outcome), (entries, outcomes) => {
        const request = { namespace: 'a', tableVersion: 3, deadlineMs: 4, entries };
        expect(parseAwaitCommand(received(awaitCommand(request)))).toEqual({ ...request, seal });
        expect(parseAwaitReply(encodeAwaitReply({ tableVersion: 8, outcomes }))).toEqual({ tableVersion: 8, outcomes });
      }),
    );
  });
});

describe('LV.RANGE', () => {
  it('carries request and reply', () => {
    const item: fc.Arbitrary<RangeItem> = fc.oneof(
      fc.record({ key: bytes, offset: long, expiresAtMs: fc.option(fc.integer({ min: 1 })), value: bytes }),
      bytes.map((key) => ({ key, offset: 0, expiresAtMs: null, value: Buffer.alloc(0), error: 'LVUNREADABLE 1:2 x' })),
    );
    const positions = fc.array(position, { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(item), positions, fc.option(bytes, { nil: undefined }), (items, at, nextKey) => {
        const reply = { ageMs: 1, tableVersion: 2, items, positions: at, nextKey };
        expect(parseRangeReply(encodeRangeReply(reply))).toEqual(reply);
      }),
    );
    const request = {
      namespace: 'a',
      tableVersion: 1,
      maxAgeMs: 2,
      nowMs: 3,
      deadlineMs: 4,
      chunkId: 'a#1/c00001',
      from: Buffer.from([0]),
      to: Buffer.alloc(0),
      limit: 10,
      bytesMax: 1000,
      keysOnly: true,
      positions: [{ partition: 1, nextOffset: 2 }],
    };
    expect(parseRangeCommand(received(rangeCommand(request)))).toEqual({ ...request, seal });
    for (const name of ['limit', 'bytesMax'])
      expect(() => parseRangeCommand(received(rangeCommand({ ...request, [name]: 0 })))).toThrow(
        `${name} is at least 1`,
      );
  });
});

describe('hostile frames', () => {
  const name = Buffer.from('LV.ANY');
  const parsers: readonly (readonly [string, (frame: Buffer) => unknown])[] = [
    ['read request', (frame) => parseReadCommand([name, frame])],
    ['read reply', (frame) => new ReadReply(frame).positions()],
    ['await request', (frame) => parseAwaitCommand([name, frame])],
    ['range request', (frame) => parseRangeCommand([name, frame])],
    ['copy request', (frame) => parseCopyCommand([name, frame])],
    ['await reply', parseAwaitReply],
    ['range reply', parseRangeReply],
  ];
  it.each(parsers)('%s: only FrameFailure, within 50 ms of the processor', (_name, parse) => {
    const word = fc.constantFrom(0, 1, 2, 3, 0xff, 0xffff_ffff);
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      fc.array(word, { maxLength: 30 }).map((words) => Buffer.from(Uint32Array.from(words).buffer)),
    );
    fc.assert(
      fc.property(frame, fc.boolean(), (given, sealed) => {
        const work = (): void => {
          try {
            parse(sealed ? sealedFrame(given) : given);
          } catch (error) {
            expect(error).toBeInstanceOf(FrameFailure);
          }
        };
        expect(fastestMs(50, work)).toBeLessThan(50);
      }),
      { numRuns: 1000 },
    );
  });

  it('an answer with any bit flipped is refused, whatever it says', () => {
    const replies = new ReadReplyWriter();
    replies.value(3, null, Buffer.from('value'));
    const whole: readonly (readonly [Buffer, (frame: Buffer) => unknown])[] = [
      [replies.finish(1, 2, [{ partition: 1, nextOffset: 4 }]), (frame) => new ReadReply(frame)],
      [encodeAwaitReply({ tableVersion: 1, outcomes: [{ kind: 'applied' }] }), parseAwaitReply],
      [encodeRangeReply({ ageMs: 1, tableVersion: 2, items: [], positions: [], nextKey: undefined }), parseRangeReply],
    ];
    for (const [frame, parse] of whole) {
      expect(() => parse(frame)).not.toThrow();
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = Buffer.from(frame);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => parse(damaged)).toThrow('fails its checksum');
      }
    }
  });

  it('the answer to one request fits no other, nor a request that has none', () => {
    const [ours, another] = [7, 8] as Seal[];
    const replies = new ReadReplyWriter(ours);
    replies.value(3, null, Buffer.from('value'));
    const outcomes: AwaitOutcome[] = [{ kind: 'applied' }];
    const whole: readonly (readonly [Buffer, (frame: Buffer, answerTo?: Seal) => unknown])[] = [
      [replies.finish(1, 2, []), (frame, answerTo) => new ReadReply(frame, answerTo)],
      [encodeAwaitReply({ tableVersion: 1, outcomes }, ours), parseAwaitReply],
      [
        encodeRangeReply({ ageMs: 1, tableVersion: 2, items: [], positions: [], nextKey: undefined }, ours),
        parseRangeReply,
      ],
      [encodeCopyOpened({ copyId: 'c', positions: [], bytesEstimate: 5 }, ours), parseCopyOpened],
      [
        encodeCopyFrame({ sequence: 1, last: true, block: Buffer.from('b') }, ours),
        (frame, answerTo) => parseCopyFrame(frame, 1, answerTo),
      ],
    ];
    for (const [frame, parse] of whole) {
      expect(() => parse(frame, ours)).not.toThrow();
      expect(() => parse(frame, another)).toThrow('answers another request');
      expect(() => parse(frame)).toThrow('fails its checksum');
    }
  });

  it('reads the code of an entry error', () => {
    expect(parseEntryError('LVBEHIND 3:77')).toEqual({ code: 'LVBEHIND', detail: '3:77' });
    expect(parseEntryError('WHAT 3')).toBeUndefined();
  });
});
