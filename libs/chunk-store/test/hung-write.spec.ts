import { openMemory, Replica, WriteTurns, type ReplicaDatabase } from '@levee/chunk-store';
import { apply, identity, PartitionScript, put, read } from './fixtures';

/** Time of turns goes by when it is told to. */
function scene() {
  const due = new Set<() => void>();
  const after = (_delayMs: number, action: () => void): (() => void) => {
    due.add(action);
    return () => void due.delete(action);
  };
  return { turns: new WriteTurns({ after }), pass: () => [...due].forEach((action) => action()) };
}

/** A database whose writes wait until `goOn`. */
async function hanging(): Promise<{ readonly db: ReplicaDatabase; readonly goOn: () => void }> {
  const db = await openMemory();
  let goOn = (): void => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const batch = db.batch.bind(db) as () => ReturnType<ReplicaDatabase['batch']>;
  const hung = (): unknown => {
    const writer = batch();
    const write = writer.write.bind(writer);
    return Object.assign(writer, { write: () => gate.then(() => write()) });
  };
  // The replica is opened while its disk still works.
  return { db: Object.assign(db, { hang: () => Object.assign(db, { batch: hung }) }), goOn };
}

const hang = (db: ReplicaDatabase): unknown => (db as unknown as { hang(): unknown }).hang();

const settled = async (one: Promise<unknown>): Promise<boolean> => {
  let is = false;
  void one.then(() => (is = true));
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  return is;
};

const script = new PartitionScript().append(put('k', 'x'.repeat(200_000)));

it('replicas of a disk that hangs hold up those of another disk only for a while, and write when it works again', async () => {
  const { turns, pass } = scene();
  const [ofHung, ofWell] = [turns.ofDisk(), turns.ofDisk()];
  const disks = await Promise.all([hanging(), hanging()]);
  const hung = await Promise.all(disks.map(({ db }) => Replica.open(db, identity, { writeTurns: ofHung })));
  const well = await Replica.open(await openMemory(), identity, { writeTurns: ofWell });
  for (const { db } of disks) hang(db);
  const waiting = hung.map((replica) => apply(replica, script.batch(0)));
  const applied = apply(well, script.batch(0));
  expect(await settled(applied)).toBe(false);
  pass();
  await applied;
  expect(read(well, 'k')).toBe('x'.repeat(200_000));
  expect(await settled(Promise.race(waiting))).toBe(false);
  for (const { goOn } of disks) goOn();
  await Promise.all(waiting);
  for (const replica of [...hung, well]) {
    expect(replica.nextOffset(0)).toBe(1);
    await replica.close();
  }
});
