import { asPartition } from '@levee/kernel';
import { type Case, numbered, p0, record } from '../contract-case';

let writerNumber = 0;
const writerId = (): string => `contract-writer-${process.pid}-${Date.now().toString(36)}-${++writerNumber}`;

export const fencing: readonly Case[] = [
  [
    'a fenced writer appends in order like any other',
    async (c) => {
      const topic = await c.topic();
      const writer = await c.within(c.log.fencedWriter(writerId()), 'a writer');
      expect((await writer.append(topic, p0, numbered(2))).baseOffset).toBe(0);
      expect(await c.append(topic, [record('k', 'plain')])).toBe(2);
      const rest = await Promise.all([3, 4, 5].map((n) => writer.append(topic, p0, [record('k', `${n}`)])));
      expect(rest.map((r) => Number(r.baseOffset))).toEqual([3, 4, 5]);
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'plain', '3', '4', '5']);
      await writer.close();
    },
  ],
  [
    'a writer taken again has the same producer id and a higher epoch',
    async (c) => {
      const id = writerId();
      const first = await c.within(c.log.fencedWriter(id), 'a writer');
      const second = await c.within(c.log.fencedWriter(id), 'a writer');
      expect(second.producerId).toBe(first.producerId);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      await Promise.all([first.close(), second.close()]);
    },
  ],
  [
    'once the new writer has appended, the zombie gets FENCED and nothing of it appears',
    async (c) => {
      const topic = await c.topic();
      const id = writerId();
      const zombie = await c.within(c.log.fencedWriter(id), 'a writer');
      await zombie.append(topic, p0, [record('k', 'old')]);
      const heir = await c.within(c.log.fencedWriter(id), 'a writer');
      await heir.append(topic, p0, [record('k', 'new')]);
      await c.fails(zombie.append(topic, p0, [record('k', 'zombie')]), 'FENCED');
      await c.fails(zombie.append(topic, p0, [record('k', 'zombie')]), 'FENCED');
      await heir.append(topic, p0, [record('k', 'newer')]);
      expect(await c.values(topic)).toEqual(['old', 'new', 'newer']);
      await Promise.all([zombie.close(), heir.close()]);
    },
  ],
  [
    'the fence holds in every partition the new writer has written',
    async (c) => {
      const topic = await c.topic({}, 3);
      const id = writerId();
      const partitions = [0, 1, 2].map(asPartition);
      const zombie = await c.within(c.log.fencedWriter(id), 'a writer');
      for (const p of partitions) await zombie.append(topic, p, [record('k', 'old')]);
      const heir = await c.within(c.log.fencedWriter(id), 'a writer');
      await Promise.all(partitions.map((p) => heir.append(topic, p, [record('k', 'new')])));
      for (const p of partitions) {
        await c.fails(zombie.append(topic, p, [record('k', 'zombie')]), 'FENCED');
        expect(await c.values(topic, 0, p)).toEqual(['old', 'new']);
      }
      await Promise.all([zombie.close(), heir.close()]);
    },
  ],
  [
    'writers of different ids, and plain appends, do not fence each other',
    async (c) => {
      const topic = await c.topic();
      const [one, two] = await Promise.all([c.log.fencedWriter(writerId()), c.log.fencedWriter(writerId())]);
      for (let n = 0; n < 3; n++) {
        await one.append(topic, p0, [record('k', 'one')]);
        await two.append(topic, p0, [record('k', 'two')]);
        await c.append(topic, [record('k', 'plain')]);
      }
      expect(await c.values(topic)).toHaveLength(9);
      await Promise.all([one.close(), two.close()]);
    },
  ],
  [
    'the epoch of a writer outlives the process',
    async (c) => {
      const id = writerId();
      const before = await c.within(c.log.fencedWriter(id), 'a writer');
      await before.close();
      await c.reopen();
      const after = await c.within(c.log.fencedWriter(id), 'a writer');
      expect(after.producerId).toBe(before.producerId);
      expect(after.epoch).toBeGreaterThan(before.epoch);
      await after.close();
    },
  ],
];
