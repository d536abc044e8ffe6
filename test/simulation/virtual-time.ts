import crypto from 'node:crypto';
import type { Timers } from '@levee/kernel';

/** Whom nobody may ask while time is virtual: the answer would differ from run to run. */
const forbidden: ReadonlyArray<{ readonly of: object; readonly name: string; readonly instead: string }> = [
  { of: globalThis, name: 'setTimeout', instead: 'Timers' },
  { of: globalThis, name: 'setInterval', instead: 'Timers' },
  { of: Date, name: 'now', instead: 'Clock' },
  { of: Math, name: 'random', instead: 'Random' },
  { of: crypto, name: 'randomUUID', instead: 'NewId' },
  { of: crypto, name: 'randomBytes', instead: 'Random' },
];

/**
 * `performance` itself is one object for all suites of a worker of the test runner: what an earlier suite left running
 * still asks it. So the name stands for another object here, not the object for another clock.
 */
const realPerformance = performance;
const refusingPerformance = Object.create(realPerformance, {
  now: { value: () => refuse({ name: 'performance.now', instead: 'Clock' }) },
}) as typeof performance;

interface Event {
  readonly atMs: number;
  readonly number: number;
  action: (() => void) | undefined;
}

/**
 * The only clock of a simulated world. It stands still while anything can run, and then jumps to the next event: a
 * minute of silence costs nothing, and one order of events belongs to one seed. `setImmediate` is no time but a turn of
 * the event loop, so it is taken over while a run lasts; everything else goes through the ports.
 */
export class VirtualTime implements Timers {
  /** Milliseconds since the run began. */
  nowMs = 0;
  /** Events that happened. */
  events = 0;
  private readonly heap: Event[] = [];
  private scheduled = 0;
  private turns: (() => void)[] = [];
  private readonly realTurn = globalThis.setImmediate;
  private failure: unknown;

  after(delayMs: number, action: () => void): () => void {
    const event: Event = { atMs: this.nowMs + Math.max(0, delayMs), number: this.scheduled++, action };
    push(this.heap, event);
    return () => (event.action = undefined);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Waits for a condition, looked at every `everyMs`; fails after `deadlineMs`, saying what did not come. */
  async until(what: string, holds: () => boolean, deadlineMs: number, everyMs = 5): Promise<void> {
    const giveUpAtMs = this.nowMs + deadlineMs;
    while (!holds()) {
      if (this.nowMs > giveUpAtMs) throw new Error(`${what}: not within ${deadlineMs} ms, at ${this.nowMs} ms`);
      await this.sleep(everyMs);
    }
  }

  /** Lets the world go on until `script` is over; fails when time passes `limitMs`, or nothing is left to happen. */
  async run<T>(script: () => Promise<T>, limitMs: number): Promise<T> {
    const restore = this.takeOver();
    try {
      const outcome: { value?: Promise<T> } = {};
      const running = script();
      const settled = (): void => void (outcome.value = running);
      running.then(settled, settled);
      for (;;) {
        await this.quiet();
        if (this.failure !== undefined) throw this.failure;
        if (outcome.value !== undefined) return await outcome.value;
        if (!this.step()) throw new Error(`nothing is left to happen after ${this.nowMs} ms, and the script waits`);
        if (this.nowMs > limitMs) throw new Error(`the script is not over after ${limitMs} ms of virtual time`);
      }
    } finally {
      restore();
    }
  }

  private step(): boolean {
    for (;;) {
      const event = pop(this.heap);
      if (event === undefined) return false;
      const { action } = event;
      if (action === undefined) continue;
      event.action = undefined;
      this.nowMs = event.atMs;
      this.events++;
      this.perform(action);
      return true;
    }
  }

  /** Until no promise and no turn of the event loop has anything left to do. */
  private async quiet(): Promise<void> {
    for (;;) {
      // A real turn begins only after every microtask is done.
      await new Promise<void>((resolve) => void this.realTurn(resolve));
      if (this.turns.length === 0) return;
      for (const turn of this.turns.splice(0)) this.perform(turn);
    }
  }

  private perform(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.failure ??= error;
    }
  }

  private takeOver(): () => void {
    // A test that its deadline ended leaves its world running, and two worlds at once share what is taken over.
    if (onStage !== undefined)
      throw new Error(
        'another world still runs: a test before this one was ended by its deadline, so the machine is too busy for either',
      );
    const real = forbidden.map(({ of, name }) => Reflect.get(of, name) as unknown);
    onStage = {
      take: (turn) => this.turns.push(turn),
      refuse: (what) => (this.failure ??= new Error(what)),
    };
    forbidden.forEach(({ of, name }, index) => Reflect.set(of, name, refusals[index]));
    Reflect.set(globalThis, 'setImmediate', turn);
    Reflect.set(globalThis, 'performance', refusingPerformance);
    return () => {
      onStage = undefined;
      Reflect.set(globalThis, 'setImmediate', this.realTurn);
      Reflect.set(globalThis, 'performance', realPerformance);
      forbidden.forEach(({ of, name }, index) => Reflect.set(of, name, real[index]));
    };
  }
}

/** The world that runs. What stands in for globals knows no other: the test runner keeps every value they ever had. */
let onStage: { readonly take: (turn: () => void) => void; readonly refuse: (what: string) => unknown } | undefined;

const turn = (action: (...args: unknown[]) => void, ...args: unknown[]): object => {
  onStage?.take(() => action(...args));
  return {};
};

function refuse({ name, instead }: { readonly name: string; readonly instead: string }): never {
  throw onStage?.refuse(`${name} in virtual time: take ${instead} in the constructor`);
}

const refusals = forbidden.map((each) => () => refuse(each));

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);

/** A binary heap, earliest first; what was asked for first happens first. */
function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(event, heap[parent] as Event)) break;
    heap[at] = heap[parent] as Event;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!before(heap[child] as Event, last)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
  return first;
}
