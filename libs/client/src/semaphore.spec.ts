import { ManualTime } from '../test/manual-time';
import { Semaphore } from './semaphore';

function setUp(waitingMax = 10) {
  const time = new ManualTime();
  const semaphore = new Semaphore('pages', { atOnceMax: 1, waitingMax, waitMsMax: 1_000 }, time);
  const told: string[] = [];
  const take = async (name: string): Promise<void> => {
    await semaphore.take();
    told.push(name);
  };
  const begin = (name: string): void =>
    void take(name).catch((error: unknown) => told.push(`${name}: ${(error as Error).message}`));
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { semaphore, told, begin, tick, time };
}

it('lets go on in the order in which they came', async () => {
  const { semaphore, told, begin, tick } = setUp();
  for (const name of ['a', 'b', 'c']) begin(name);
  await tick();
  expect(told).toEqual(['a']);
  semaphore.giveBack();
  semaphore.giveBack();
  await tick();
  expect(told).toEqual(['a', 'b', 'c']);
});

it('tells who waits that its turn does not come, while the turn of others is still taken; its own is nobody else’s loss', async () => {
  const { semaphore, told, begin, tick, time } = setUp();
  begin('a');
  begin('b');
  time.pass(600);
  begin('c');
  time.pass(600);
  await tick();
  expect(told).toEqual(['a', 'b: too many pages were before this one for 1000 ms']);
  semaphore.giveBack();
  await tick();
  expect(told.slice(2)).toEqual(['c']);
  semaphore.giveBack();
  begin('d');
  await tick();
  expect(told.slice(3)).toEqual(['d']);
});

it('lets no more wait than it may', async () => {
  const { told, begin, tick } = setUp(1);
  for (const name of ['a', 'b', 'c']) begin(name);
  await tick();
  expect(told).toEqual(['a', 'c: 1 pages wait for their turn, no more may: ask again later']);
});
