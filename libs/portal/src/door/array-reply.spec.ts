import { ArrayReply } from './array-reply';

const random = (seed: number) => () => (seed = (seed * 48_271) % 0x7fffffff) / 0x7fffffff;

it.each([
  [2, '$-1\r\n'],
  [3, '_\r\n'],
] as const)('in RESP%d an array is the same, in whatever order its values come', (protocol, none) => {
  const values = Array.from({ length: 300 }, (_, i) =>
    i % 7 === 0 ? undefined : i % 31 === 1 ? `LVUNREADABLE ${i}` : Buffer.alloc((i * 37) % 9_000, 65 + (i % 26)),
  );
  const encoded = values.map((value) => {
    if (typeof value === 'string') return `-${value}\r\n`;
    return value ? `$${value.length}\r\n${value.toString()}\r\n` : none;
  });
  const next = random(7);
  for (const order of [(i: number) => i, (i: number) => -i, () => next()]) {
    const array = new ArrayReply(protocol, values.length);
    const places = values.map((_, i) => ({ i, at: order(i) })).sort((a, b) => a.at - b.at);
    for (const { i } of places) array.set(i, values[i]);
    expect(Buffer.concat(array.finish()).toString()).toBe(`*300\r\n${encoded.join('')}`);
  }
});

it('no part is much larger than another, whatever the whole is', () => {
  const array = new ArrayReply(2, 2_000);
  for (let i = 0; i < 2_000; i++) array.set(i, Buffer.alloc(1_000));
  const parts = array.finish();
  expect(parts.length).toBeGreaterThan(10);
  expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(140_000);
});

it('an empty one is an array', () => expect(String(new ArrayReply(2, 0).finish()[0])).toBe('*0\r\n'));
