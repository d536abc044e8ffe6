import { type ByteStream, type Network, systemNetwork } from '@levee/wire';
import { FakeNode } from './fake-node';
import { closeStores, readOnce, storeOn } from './store-on-nodes';

afterEach(closeStores);

const beginning = Buffer.from('*2\r\n$7\r\nLV.READ\r\n$');

/** TCP that flips a bit of the 20th read that goes out: one of its counts, lengths and name, or of its frame. */
function damagedNetwork(bit: number): { network: Network; reads: () => number } {
  let reads = 0;
  const damaged = (bytes: Buffer): Buffer => {
    for (let at = bytes.indexOf(beginning); at >= 0; at = bytes.indexOf(beginning, at + 1)) {
      if (++reads !== 20) continue;
      const bent = Buffer.from(bytes);
      bent[at + (bit >> 3)]! ^= 1 << (bit & 7);
      return bent;
    }
    return bytes;
  };
  const connect: Network['connect'] = (to) => {
    const stream: ByteStream = systemNetwork.connect(to);
    const write = stream.write.bind(stream);
    stream.write = (bytes) => write(damaged(bytes));
    return stream;
  };
  return { network: { ...systemNetwork, connect }, reads: () => reads };
}

/** A node that sees more requests than were sent, because a count was damaged, answers all of them. */
describe('reads one after the other, of which one is damaged on its way', () => {
  const bytes = Array.from({ length: beginning.length + 6 }, (_, at) => at);

  it.each(bytes)('in any bit of its byte %i: everybody gets the value of his own key', async (at) => {
    for (let bit = at * 8; bit < at * 8 + 8; bit++) {
      const nodes = await Promise.all([1, 2].map((i) => new FakeNode(`n${i}`, 'the key', 10).start()));
      const { network, reads } = damagedNetwork(bit);
      const store = storeOn(nodes, {}, { network });
      const answers: Promise<string>[] = [];
      for (let i = 0; i < 60; i++) {
        answers.push(readOnce(store, { key: `key-${i}` }));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await Promise.all(answers)).toEqual(answers.map((_, i) => `key-${i}`));
      expect(reads()).toBeGreaterThanOrEqual(20);
    }
  });
});
