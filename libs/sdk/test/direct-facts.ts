import type { FakeNode } from '../../client/test/fake-node';

/** What a portal says to LV.DIRECT of one chunk that all of these nodes hold. */
export const directFacts = (name: string, nodes: readonly FakeNode[], but: object = {}): object => ({
  change: 'metaChange',
  version: 5,
  askedAs: `@${name}#1 ${name}#1`,
  log: 'levee.binlog.shop.orders',
  partitions: 4,
  hashAlgorithm: 'murmur2',
  consistency: 'session',
  notDirect: null,
  nodes: nodes.map(({ nodeId, port }) => ({ nodeId, storeId: `s-${nodeId}`, respAddress: `127.0.0.1:${port}` })),
  routes: [
    {
      chunkId: `${name}#1/c1`,
      slotStart: 0,
      slotEnd: 1_000_000,
      seq: 5,
      nodes: nodes.map((_, i) => i),
      upCount: nodes.length,
    },
  ],
  ...but,
});

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
