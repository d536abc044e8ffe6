import { CodecFailure, decode, decodeAs, encode, encodePut, PutView, readPut } from '@levee/codec';
import { InvariantViolation } from '@levee/kernel';
import { RequestParser, requestLimits } from '@levee/wire';
import fc from 'fast-check';
import { fastestMs } from './support/fastest';
import { full, seed } from './support/seed';

const durationMs = full ? 60_000 : 2_000;
const leastTried = 2_000;
const slowMs = 50;
const view = new PutView();

/** Runs `attack` on generated inputs for `durationMs`; every third of the time must leave the heap where it was. */
function fuzz<T>(inputs: fc.Arbitrary<T>, attack: (input: T) => void): void {
  const gc = globalThis.gc;
  if (gc === undefined) throw new Error('run node with --expose-gc, as npm test does');
  const heap = (): number => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const began = performance.now();
  let heapAfterFirstThird = 0;
  let tried = 0;
  for (let batch = 0; performance.now() - began < durationMs || tried < leastTried; batch++) {
    for (const input of fc.sample(inputs, { numRuns: 200, seed: seed + batch })) {
      tried += 1;
      const ms = fastestMs(slowMs, () => attack(input));
      if (ms >= slowMs) throw new Error(`slow every time, ${ms.toFixed(0)} ms: ${fc.stringify(input)}`);
    }
    if (heapAfterFirstThird === 0 && performance.now() - began > durationMs / 3) heapAfterFirstThird = heap();
  }
  expect(heap() - heapAfterFirstThird).toBeLessThan(10 * 1024 * 1024);
}

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

describe(`fuzzing for ${durationMs / 1000} s each, seed ${seed}`, () => {
  it(
    'RESP requests: any bytes in any pieces give commands or one named failure',
    () => {
      const token = fc.oneof(
        fc.constantFrom(
          '*',
          '$',
          '\r\n',
          '\n',
          '-1',
          '0',
          '3',
          '1000000000',
          '99999999999999999999',
          'GET',
          'SET',
          ' ',
          '"',
          "'",
          '\\x',
        ),
        fc.string({ maxLength: 12 }),
        fc.nat(70_000).map((n) => `$${n}\r\n`),
        fc.nat(20).map((n) => `*${n}\r\n$3\r\nGET\r\n`),
      );
      const stream = fc.oneof(
        bytes,
        fc.array(token, { maxLength: 60 }).map((tokens) => Buffer.from(tokens.join(''), 'latin1')),
      );
      fuzz(fc.tuple(stream, fc.array(fc.nat(400), { maxLength: 8 })), ([input, cuts]) => {
        let arguments_ = 0;
        const parser = new RequestParser((args) => {
          for (const arg of args) arguments_ += arg.length;
          return true;
        });
        const edges = [...new Set([0, ...cuts.filter((cut) => cut < input.length), input.length])].sort(
          (a, b) => a - b,
        );
        for (let i = 1; i < edges.length; i++) parser.push(input.subarray(edges[i - 1], edges[i]));
        expect(arguments_).toBeLessThanOrEqual(input.length);
        expect(parser.bufferedBytes).toBeLessThanOrEqual(requestLimits.requestBytesMax);
        if (parser.failure !== undefined) expect(parser.failure.length).toBeGreaterThan(5);
      });
    },
    durationMs + 30_000,
  );

  it(
    'Avro records: any bytes decode or fail as CodecFailure, nothing else',
    () => {
      const sound = [
        encodePut(Buffer.from('k'), Buffer.from('value'), null),
        encode('Claim', {
          term: 1,
          instance: 'm1',
          nonce: 'n',
          producerId: 1,
          epoch: 2,
          clusterId: 'c',
          claimedAtMs: 3,
        }),
        encode('Barrier', { clusterId: 'c', number: 1, digestPlan: null, chunks: ['a', 'b'], writtenAtMs: 1 }),
      ];
      const damaged = fc
        .tuple(fc.nat(sound.length - 1), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }), fc.nat(200))
        .map(([which, flips, cut]) => {
          const copy = Buffer.from(sound[which] as Buffer);
          for (const [at, value] of flips) if (at < copy.length) copy[at] = value;
          return cut < copy.length ? copy.subarray(0, cut) : copy;
        });
      const framed = fc
        .tuple(fc.nat(sound.length - 1), bytes)
        .map(([which, body]) => Buffer.concat([(sound[which] as Buffer).subarray(0, 10), body]));
      fuzz(fc.oneof(bytes, damaged, framed), (input) => {
        for (const work of [() => decode(input), () => decodeAs('Decision', input), () => readPut(input, view)]) {
          try {
            work();
          } catch (error) {
            if (!(error instanceof CodecFailure) || error instanceof InvariantViolation) throw error;
          }
        }
      });
    },
    durationMs + 30_000,
  );
});
