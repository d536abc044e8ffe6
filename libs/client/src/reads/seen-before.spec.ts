import { asOffset, asPartition, type Offset } from '@levee/kernel';
import type { NamespaceStore } from '../routes/namespace-store';
import { SeenBefore } from './seen-before';

const partition = asPartition(3);

/** What this process wrote, and a session saw, of the partition. */
function scene(written: number, seen?: number) {
  const at = { written, seen: seen ?? 0 };
  const namespace = { writes: { newestOf: (): Offset => asOffset(at.written) } } as unknown as NamespaceStore;
  const session = seen === undefined ? undefined : { nextOffset: (): Offset => asOffset(at.seen) };
  return { at, before: new SeenBefore(namespace, session) };
}

it.each([
  ['the process wrote more', 7, 5, 7],
  ['the session saw more', 5, 7, 7],
  ['there is no session', 5, undefined, 5],
])('begins with all that was seen: %s', (_case, written, seen, position) => {
  expect(scene(written, seen).before.positionOf(partition)).toBe(position);
});

it('stays as it was when it was first asked for, and falls when the log lost its end', () => {
  const { at, before } = scene(5, 7);
  before.positionOf(partition);
  Object.assign(at, { written: 100, seen: 90 });
  expect(before.positionOf(partition)).toBe(7);
  Object.assign(at, { written: 4, seen: 4 });
  expect(before.positionOf(partition)).toBe(4);
  Object.assign(at, { written: 50, seen: 50 });
  expect(before.positionOf(partition)).toBe(4);
});
