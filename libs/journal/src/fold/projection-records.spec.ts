import { encode } from '@levee/codec';
import { asOffset } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { ProjectedTopic } from './projection-records';

const node = encode('UnitState', {
  change: 'UnitAdded',
  seq: 7,
  term: 1,
  unitId: 'n1/u1',
  nodeId: 'n1',
  storeId: 's1',
  capacityBytes: 1024,
  engine: 'memory',
  state: 'free',
  generation: 0,
  chunkId: null,
});

const record = (offset: number, key: string, value: Buffer | null): StoredRecord => ({
  offset: asOffset(offset),
  key: Buffer.from(key),
  value,
  headers: [],
  timestampMs: 0,
});

test('the last record of a key says whether it can be read: a good one after damage mends it', () => {
  const topic = new ProjectedTopic();
  topic.add(record(0, 'unit/n1/u1', node));
  expect([topic.damaged, topic.entities.get('unit/n1/u1')?.seq]).toEqual([undefined, 7]);
  topic.add(record(1, 'unit/n1/u1', Buffer.from('garbage')));
  expect(topic.damaged).toMatch(/^unit\/n1\/u1 at offset 1: /);
  expect(topic.entities.has('unit/n1/u1')).toBe(false);
  topic.add(record(2, 'unit/n1/u1', node));
  expect([topic.damaged, topic.entities.get('unit/n1/u1')?.seq]).toEqual([undefined, 7]);
});

test('a stranger’s key that cannot be read is known by its name, so that it can be taken out', () => {
  const topic = new ProjectedTopic();
  topic.add(record(0, 'route/nowhere', Buffer.from('garbage')));
  expect([...topic.unreadable.keys()]).toEqual(['route/nowhere']);
  topic.add(record(1, 'route/nowhere', null));
  expect(topic.damaged).toBeUndefined();
});
