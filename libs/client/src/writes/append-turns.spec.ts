import { ManualTime } from '../../test/manual-time';
import { CallbackAppend } from '../callback-operations';
import type { NamespaceStore } from '../routes/namespace-store';
import type { StoreFailure } from '../store-errors';
import { storeLimits, type StoreLimits } from '../store-limits';
import { AppendLine, AppendTurns } from './append-turns';

const kb = 1_000;

/** Sizes are whole kilobytes, the 64 that each record costs besides included. */
function setUp(limits: Partial<StoreLimits> = {}) {
  const time = new ManualTime();
  const given: CallbackAppend[] = [];
  const outcomes: string[] = [];
  const names = new Map<CallbackAppend, string>();
  const sizes = { appendsAtOnceBytesMax: 100 * kb, appendsOfOneBytesMax: 60 * kb, appendSmallBytes: 2 * kb };
  const turns = new AppendTurns({ ...storeLimits, ...sizes, ...limits }, { clock: time, timers: time }, ({ append }) =>
    given.push(append as CallbackAppend),
  );
  const write = (line: AppendLine | undefined, name: string, kilobytes: number): void => {
    const record = Buffer.alloc(kilobytes * kb - 64 - name.length);
    const append: CallbackAppend = new CallbackAppend(Buffer.from(name), record, 'logged', undefined, (failure) =>
      outcomes.push(`${name} ${(failure as StoreFailure).code}`),
    );
    append.line = line;
    append.deadlineAtMs = time.monotonicMs() + storeLimits.appendMs;
    names.set(append, name);
    turns.enter({ namespace: {} as NamespaceStore, append });
  };
  /** The log has taken the first `n`; what was given to it since. */
  const take = async (n: number): Promise<string> => {
    const before = given.length;
    for (const append of given.splice(0, n)) turns.over(append);
    await new Promise((resolve) => setImmediate(resolve));
    return shown(given.slice(before - n));
  };
  const shown = (some: readonly CallbackAppend[]): string => some.map((append) => names.get(append)).join(' ');
  return { turns, time, given, write, take, outcomes, underWay: () => shown(given) };
}

describe('turns of those who write', () => {
  it('one asker has a share of what is given to the log at a time, and its writes stay in their order', async () => {
    const { write, take, underWay, turns } = setUp();
    const line = new AppendLine();
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) write(line, name, 30);
    expect(underWay()).toBe('a1 a2');
    expect(await take(1)).toBe('a3');
    expect(await take(2)).toBe('a4 a5');
    await take(2);
    expect([turns.bytes, turns.records]).toEqual([0, 0]);
  });

  it('a small write of who has nothing under way does not wait for the large ones of others', () => {
    const { write, underWay } = setUp();
    for (const name of ['a', 'b', 'c', 'd']) for (let i = 0; i < 9; i++) write(undefined, `${name}${i}`, 50);
    expect(underWay()).toBe('a0 a1');
    const bystander = new AppendLine();
    write(bystander, 'small', 1);
    write(bystander, 'also', 1);
    expect(underWay()).toBe('a0 a1 small also');
    write(bystander, 'large', 50);
    expect(underWay()).toBe('a0 a1 small also');
  });

  it('small writes without end, each of another asker, do not starve a larger one', async () => {
    const { write, underWay, turns, given } = setUp({ appendsAtOnceBytesMax: 20 * kb });
    const lines = new Map(Array.from({ length: 18 }, (_, i) => [`s${i}`, new AppendLine()]));
    for (const [name, line] of lines) write(line, name, 2);
    write(new AppendLine(), 'large', 5);
    expect(underWay()).not.toContain('large');
    let rounds = 0;
    while (!underWay().includes('large') && rounds++ < 100) {
      const oldest = given.shift()!;
      // What it writes next stands in its socket before others have their turn.
      turns.over(oldest);
      const name = oldest.key.toString();
      write(lines.get(name), name, 2);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rounds).toBeLessThan(30);
  });

  it('who did not wait before is next, in the order in which they came; every other turn is of those who wait longer', async () => {
    const { write, take } = setUp();
    const lines = ['a', 'b'].map((name) => ({ name, line: new AppendLine() }));
    for (const { name, line } of lines) for (let i = 1; i <= 6; i++) write(line, `${name}${i}`, 50);
    const order: string[] = [];
    for (let i = 0; i < 4; i++) order.push(await take(1));
    for (const name of ['c', 'd', 'e']) write(new AppendLine(), name, 50);
    for (let i = 0; i < 7; i++) order.push(await take(1));
    expect(order).toEqual(['a3', 'a4', 'b1', 'a5', 'c', 'b2', 'd', 'a6', 'e', 'b3', 'b4']);
  });

  it('I3: one whose turn does not come fails definitely in its time, and what it waited in is counted no more', async () => {
    const { write, take, outcomes, time, turns } = setUp({ appendMs: 1_000 });
    const line = new AppendLine();
    for (const name of ['a1', 'a2', 'a3']) write(line, name, 50);
    time.pass(storeLimits.appendMs + 200);
    expect(outcomes).toEqual(['a3 LVDEFINITE']);
    expect(turns.records).toBe(2);
    expect(await take(2)).toBe('');
    write(line, 'a4', 50);
    expect(turns.records).toBe(1);
  });

  it('once too much waits, who has more than an equal part is refused, and nobody else is', async () => {
    const { write, outcomes, turns } = setUp({ appendQueueBytesMax: 400 * kb });
    const greedy = new AppendLine();
    for (let i = 0; i < 10; i++) write(greedy, `a${i}`, 50);
    expect([turns.busy, turns.records, outcomes]).toEqual([true, 10, []]);
    for (let i = 0; i < 5; i++) write(new AppendLine(), `b${i}`, 50);
    write(greedy, 'a10', 50);
    const modest = new AppendLine();
    for (let i = 0; i < 2; i++) write(modest, `c${i}`, 50);
    await new Promise((resolve) => setImmediate(resolve));
    expect(outcomes).toEqual(['a10 LVLIMIT']);
  });

  it('a process that stops takes out everything that waits', async () => {
    const { write, outcomes, turns, take } = setUp();
    const line = new AppendLine();
    for (const name of ['a1', 'a2', 'a3', 'a4']) write(line, name, 50);
    write(undefined, 'b', 50);
    turns.clear({ code: 'LVSTOPPING' } as StoreFailure);
    expect(outcomes.sort()).toEqual(['a3 LVSTOPPING', 'a4 LVSTOPPING', 'b LVSTOPPING']);
    expect(await take(2)).toBe('');
    expect(turns.records).toBe(0);
  });
});
