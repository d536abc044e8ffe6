import { type Schema, Type } from 'avsc';
import { dice, seed } from '../../../test/support/seed';
import { avro } from '../src/avro';
import { boundsOf } from '../src/avro-bounds';

/** A zig-zag integer. */
function long(value: bigint): Buffer {
  const bytes = [];
  let left = value < 0n ? -value * 2n - 1n : value * 2n;
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Buffer.from([...bytes, Number(left)]);
}

const list: Schema = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] };
const array = (items: Schema): Schema => ({ type: 'array', items });

describe('a value whose bytes a stranger chose', () => {
  it.each<[string, Schema, Buffer, RegExp]>([
    ['counts more items than there are bytes', array('int'), long(2n ** 50n), /items of at least 1 bytes, 0 are left/],
    [
      'counts as many, with the size of the block',
      array('int'),
      Buffer.concat([long(-(2n ** 50n)), long(4n)]),
      /are left/,
    ],
    ['counts nulls without end', array('null'), Buffer.concat([long(2n ** 40n), long(0n)]), /items that have no bytes/],
    [
      'counts empty records without end',
      array({ type: 'record', name: 'E', fields: [] }),
      long(2n ** 40n),
      /have no bytes/,
    ],
    [
      'counts them in many blocks',
      array('null'),
      Buffer.concat(Array.from({ length: 4 }, () => long(100_000n))),
      /have no bytes/,
    ],
    ['counts keys that are not there', { type: 'map', values: 'null' }, long(2n ** 50n), /are left/],
    ['announces a longer text than there is', 'string', long(2n ** 40n), /bytes are announced, 0 are left/],
    ['announces a text of less than nothing', 'bytes', long(-5n), /a length of -5/],
    ['is deeper than anybody goes', list, Buffer.concat([Buffer.alloc(200_000, 2), Buffer.from([0])]), /deep/],
    ['chooses a branch that is none', ['null', 'int'], long(7n), /number 7 of 2/],
    ['has an integer that does not end', 'long', Buffer.alloc(11, 0xff), /more than 10 bytes/],
    ['is cut off', 'double', Buffer.alloc(7), /8 bytes are announced, 7 are left/],
    ['has more behind it', 'int', Buffer.from([2, 2]), /1 bytes follow/],
  ])('and that %s is an error at once', (_what, schema, body, message) => {
    const codec = avro(JSON.stringify(schema), { registry: { id: 1 } });
    const frame = Buffer.from([0, 0, 0, 0, 1]);
    const began = performance.now();
    expect(() => codec.decode(Buffer.concat([frame, body]))).toThrow(message);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it(`is walked to its end where avsc reads it, and never goes beyond it (seed ${seed})`, () => {
    const random = dice(seed);
    const schema: Schema = {
      type: 'record',
      name: 'All',
      fields: [
        { name: 'a', type: array({ type: 'map', values: ['null', 'long', 'string'] }) },
        { name: 'b', type: { type: 'fixed', name: 'F', size: 5 } },
        { name: 'c', type: { type: 'enum', name: 'E', symbols: ['X', 'Y'] } },
        { name: 'd', type: ['null', 'All'], default: null },
        { name: 'e', type: array(array('double')) },
        ...(['boolean', 'int', 'float', 'double', 'bytes'] as const).map((type) => ({ name: type, type })),
      ],
    };
    const type = Type.forSchema(schema);
    const check = boundsOf(type);
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const body = type.toBuffer(type.random());
      check(body);
      const damaged = Buffer.from(body);
      damaged[Math.floor(random() * body.length)] = Math.floor(random() * 256);
      try {
        check(damaged.subarray(0, Math.floor(random() * 2) * body.length || Math.floor(random() * body.length)));
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
