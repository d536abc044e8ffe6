import { CallbackRead } from '../callback-operations';
import type { NamespaceStore } from '../routes/namespace-store';
import { ReadLine, ReadTurns, type WaitingRead } from './read-turns';

const limits = {
  readsAtOnceMax: 100,
  readsOfOneMax: 80,
  readWindowBytes: 6_400_000,
  readBytesAtOnceMax: 50_000_000,
  readSmallBytes: 0,
};

class Asker {
  gone = false;
  full = false;
  readonly line = new ReadLine(
    limits,
    () => this.gone,
    () => this.full,
  );

  constructor(readonly name: string) {}

  read(i: number): WaitingRead {
    const read = new CallbackRead(Buffer.from(`${this.name}${i}`), 'session', undefined, () => undefined);
    read.line = this.line;
    return { read, namespace: {} as NamespaceStore };
  }
}

class Scene {
  readonly turns: ReadTurns;

  constructor(more: Partial<typeof limits> = {}) {
    this.turns = new ReadTurns({ ...limits, ...more });
  }

  underWay: WaitingRead[] = [];
  dropped: string[] = [];
  private readonly counts = new Map<string, number>();

  ask(asker: Asker, count: number): void {
    for (let n = 0; n < count; n++) {
      const i = this.counts.get(asker.name) ?? 0;
      this.counts.set(asker.name, i + 1);
      const one = asker.read(i);
      if (this.turns.enter(one.namespace, one.read)) this.underWay.push(one);
    }
  }

  of(asker: Asker): number {
    return this.underWay.filter(({ read }) => read.line === asker.line).length;
  }

  /** The oldest are answered. */
  answer(count: number, valueBytes = 1): string[] {
    const answered = this.underWay.splice(0, count);
    for (const { read } of answered) this.turns.leave(read, valueBytes);
    this.admit();
    return answered.map(({ read }) => read.key.toString());
  }

  admit(): void {
    this.turns.admit(
      (one) => this.underWay.push(one),
      ({ read }) => this.dropped.push(read.key.toString()),
    );
  }
}

describe('reads have their turn', () => {
  it('those of one asker in their order, more at a time once its values are known to be small', () => {
    const scene = new Scene();
    const a = new Asker('a');
    scene.ask(a, 500);
    expect(scene.of(a)).toBe(64);
    const order: string[] = [];
    while (scene.underWay.length > 0) {
      order.push(...scene.answer(16));
      expect(scene.of(a)).toBeLessThanOrEqual(80);
    }
    expect(order).toEqual(Array.from({ length: 500 }, (_, i) => `a${i}`));
    scene.ask(a, 100);
    expect(scene.of(a)).toBe(80);
  });

  it('fewer at a time while they are large, and one at least', () => {
    const scene = new Scene();
    const a = new Asker('a');
    scene.ask(a, 300);
    scene.answer(1, 1_600_000);
    scene.answer(63, 1_600_000);
    expect(scene.of(a)).toBe(4);
    scene.answer(4, 100_000_000);
    expect(scene.of(a)).toBe(1);
  });

  it('one that asks without end keeps nobody from a turn', () => {
    const scene = new Scene();
    const [greedy, more, small] = [new Asker('g'), new Asker('m'), new Asker('s')];
    scene.ask(greedy, 100_000);
    scene.ask(more, 100_000);
    scene.answer(64);
    scene.ask(small, 1);
    for (let round = 0; scene.of(small) === 0; round++) {
      expect(round).toBeLessThan(3);
      scene.answer(64);
    }
    expect(scene.underWay.length).toBeLessThanOrEqual(100);
    expect(scene.turns.waiting).toBeGreaterThan(190_000);
  });

  it('all together ask for no more bytes at a time than there is room for, and for one value at least', () => {
    const scene = new Scene();
    const askers = Array.from({ length: 60 }, (_, i) => new Asker(`${i}:`));
    for (const asker of askers) scene.ask(asker, 20);
    while (askers.some(({ line }) => line.valueBytes === undefined)) scene.answer(1, 6_000_000);
    while (scene.underWay.length > 0) {
      scene.answer(1, 6_000_000);
      expect(scene.underWay.length).toBeLessThanOrEqual(100);
    }
    for (const asker of askers) scene.ask(asker, 20);
    expect(scene.underWay.length).toBe(9);
    scene.answer(9, 600_000_000);
    expect(scene.underWay.length).toBeGreaterThan(0);
    while (scene.underWay.length > 0) scene.answer(1, 600_000_000);
    expect(scene.turns.waiting).toBe(0);
  });

  it('who does not take what was read is not read for, until it does', () => {
    const scene = new Scene();
    const [a, b] = [new Asker('a'), new Asker('b')];
    scene.ask(a, 200);
    a.full = true;
    scene.answer(64);
    expect(scene.of(a)).toBe(0);
    scene.ask(b, 1);
    expect(scene.of(b)).toBe(1);
    a.full = false;
    scene.admit();
    expect(scene.of(a)).toBeGreaterThan(60);
  });

  it('what nobody waits for is dropped and never asked for', () => {
    const scene = new Scene();
    const [a, b] = [new Asker('a'), new Asker('b')];
    scene.ask(a, 1_000);
    scene.ask(b, 100);
    a.gone = true;
    scene.answer(64);
    expect([scene.dropped.length, scene.of(a), scene.turns.waiting < 100]).toEqual([936, 0, true]);
  });

  it('what many do not wait for any more is dropped in pieces', () => {
    const scene = new Scene();
    const gone = Array.from({ length: 50 }, (_, i) => new Asker(`g${i}`));
    for (const asker of gone) scene.ask(asker, 500);
    for (const asker of gone) asker.gone = true;
    let calls = 0;
    for (let before = -1; scene.dropped.length > before; calls++) {
      before = scene.dropped.length;
      scene.answer(64);
      expect(scene.dropped.length - before).toBeLessThan(1_200);
    }
    expect([scene.turns.waiting, calls > 10]).toEqual([0, true]);
  });

  it('what found no room is the next of its line, and one that is told so again and again is no loop', () => {
    const scene = new Scene();
    const a = new Asker('a');
    scene.ask(a, 70);
    const [first] = scene.underWay.splice(0, 1);
    scene.turns.again(first!);
    scene.admit();
    expect(scene.underWay.at(-1)).toBe(first);
    for (const one of scene.underWay.splice(0).reverse()) scene.turns.again(one);
    scene.admit();
    expect(scene.answer(70).sort()).toEqual(Array.from({ length: 64 }, (_, i) => `a${i}`).sort());
    while (scene.underWay.length > 0) scene.answer(100);
    expect(scene.turns.waiting).toBe(0);
  });

  it('askers of one value each share a line, and wait for nobody else', () => {
    const scene = new Scene();
    const greedy = new Asker('g');
    scene.ask(greedy, 10_000);
    const one = greedy.read(0);
    one.read.line = undefined;
    expect(scene.turns.enter(one.namespace, one.read)).toBe(true);
    scene.turns.leave(one.read, 1_000_000);
  });

  it('a small read of who has little under way does not wait for those of others, up to twice as many bytes', () => {
    const scene = new Scene({ readSmallBytes: 64_000 });
    const large = Array.from({ length: 30 }, (_, i) => new Asker(`${i}:`));
    for (const asker of large) scene.ask(asker, 20);
    while (large.some(({ line }) => line.valueBytes === undefined)) scene.answer(1, 6_000_000);
    while (scene.underWay.length > 9) scene.answer(1, 6_000_000);
    const [small, other] = [new Asker('s'), new Asker('o')];
    small.line.saw(500);
    scene.ask(small, 40);
    expect(scene.of(small)).toBe(16);
    other.line.saw(40_000);
    scene.ask(other, 2);
    expect(scene.of(other)).toBe(1);
    const many = Array.from({ length: 2_000 }, (_, i) => new Asker(`m${i}`));
    for (const asker of many) {
      asker.line.saw(60_000);
      scene.ask(asker, 1);
    }
    const theirs = many.filter((asker) => scene.of(asker) === 1).length;
    expect([theirs > 50, scene.underWay.length <= 200]).toEqual([true, true]);
  });

  it('of many who begin to wait, who came first is asked for first', () => {
    const scene = new Scene();
    const greedy = [new Asker('g'), new Asker('h')];
    for (const asker of greedy) scene.ask(asker, 1_000);
    const others = Array.from({ length: 40 }, (_, i) => new Asker(`${String(i).padStart(2, '0')}:`));
    for (const asker of others) scene.ask(asker, 1);
    const order: string[] = [];
    while (others.some((asker) => asker.line.size > 0)) order.push(...scene.answer(16));
    order.push(...scene.answer(100), ...scene.answer(100));
    const theirs = order.filter((key) => key.includes(':'));
    expect(theirs).toEqual(others.map(({ name }) => `${name}0`));
    for (const { line } of greedy) expect(line.size).toBeLessThan(1_000);
  });

  it('what waits for longer than it may is taken out, wherever its line stands, and counted no more', () => {
    const scene = new Scene();
    const [a, b] = [new Asker('a'), new Asker('b')];
    scene.ask(a, 100);
    scene.ask(b, 100);
    for (const { read } of scene.underWay) read.deadlineAtMs = 10;
    a.full = true;
    const late: string[] = [];
    const waiting = scene.turns.waiting;
    scene.turns.sweep(-1, ({ read }) => late.push(read.key.toString()));
    expect(late).toEqual([]);
    // Never placed in time, their deadline is 0.
    scene.turns.sweep(5, ({ read }) => late.push(read.key.toString()));
    expect([late.length, late[0], scene.turns.waiting]).toEqual([waiting, 'a64', 0]);
    scene.ask(b, 1);
    scene.answer(100);
    expect(scene.turns.waiting).toBe(0);
  });
});

it('small reads without end, each of another connection, do not starve a larger one', () => {
  const scene = new Scene({ readBytesAtOnceMax: 10_000, readSmallBytes: 1_000 });
  const small = Array.from({ length: 18 }, (_, i) => new Asker(`s${i}-`));
  for (const asker of small) asker.line.saw(1_000);
  const large = new Asker('large');
  large.line.saw(2_000);
  for (const asker of small) scene.ask(asker, 1);
  scene.ask(large, 1);
  expect(scene.of(large)).toBe(0);
  let rounds = 0;
  while (scene.of(large) === 0 && rounds++ < 100) {
    const [oldest] = scene.underWay;
    const asker = small.find(({ line }) => line === oldest?.read.line)!;
    // What it asks next stands in its socket before others have their turn.
    scene.turns.leave(scene.underWay.shift()!.read, 1_000);
    scene.ask(asker, 1);
    scene.admit();
  }
  expect(rounds).toBeLessThan(30);
});
