/**
 * Is the history of one register linearizable? Is there one order of its operations, each at a moment between its
 * invocation and its answer, in which every read finds what the write before it left?
 *
 * Just-in-time linearization with cached configurations (Wing and Gong, "Testing and verifying concurrent objects",
 * 1993; Lowe, "Testing for linearizability", 2016). Events are walked in time; a configuration is the register's
 * content plus the set of open operations that have already taken their place in the order. Nothing takes its place
 * before an answer forces it to, and then every set of open writes that could have come first is tried. The history is
 * illegal when an answer leaves no configuration.
 *
 * What keeps the set small:
 * - an open read takes its place at the first moment its content is there: it changes nothing, so earlier is never worse;
 * - a write takes its place in sight only where an open read needs it, or at its own answer. A write that nobody needs
 *   to see is put right before any write that took its place while it was open, unseen and without a branch: a
 *   configuration remembers when a write last took its place, and later is never worse;
 * - a write of unknown outcome that nobody needs to see stays outside the order.
 */
import { assertCheckable, contentOf, historyLimits, isWrite, tookEffect, type Operation } from './operation';

export interface CheckOptions {
  /** A check that takes longer is a failure, not a pass. */
  readonly deadlineMs?: number;
  readonly nowMs?: () => number;
}

export type KeyVerdict =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  | {
      readonly kind: 'violation';
      /** The operation whose answer no order explains. */
      readonly stuck: Operation;
      /** What the register could have held right before that answer. */
      readonly possible: ReadonlyArray<string | null>;
    };

const deadlineMsDefault = 5_000;
/** Configurations are numbers: content in the high bits, in the low ones a bit per open operation that has its place. */
const maskSpan = 2 ** historyLimits.openAtOnceMax;
const configurationsBetweenClockReads = 4_096;

interface Open {
  readonly operation: Operation;
  readonly content: number;
  readonly writes: boolean;
  /** True when nobody knows whether it happened: it may stay outside the order for ever. */
  readonly optional: boolean;
  bit: number;
  /** Number of the event that opened it. */
  invokedAt: number;
}

interface Event {
  readonly atNs: number;
  readonly returns: boolean;
  readonly subject: Open;
}

/** Judges the operations of one key; throws when they exceed `historyLimits`. */
export function checkKey(key: string, operations: readonly Operation[], options: CheckOptions = {}): KeyVerdict {
  assertCheckable(key, operations);
  const nowMs = options.nowMs ?? (() => performance.now());
  const startedMs = nowMs();
  const deadlineMs = options.deadlineMs ?? deadlineMsDefault;
  const { events, contents } = eventsOf(operations);

  const open: Open[] = [];
  let freeBits = maskSpan - 1;
  /** Configuration -> number of the event at which a write last took its place in it. */
  let configurations = new Map<number, number>([[0, -1]]);
  let untilClockRead = 0;

  for (const [now, { returns, subject }] of events.entries()) {
    if (!returns) {
      const bit = freeBits & -freeBits;
      if (bit === 0)
        throw new RangeError(`${key} has more than ${historyLimits.openAtOnceMax} operations open at once`);
      freeBits ^= bit;
      subject.bit = bit;
      subject.invokedAt = now;
      open.push(subject);
      if (!subject.writes) configurations = withReadInPlace(configurations, subject);
      continue;
    }

    const next = new Map<number, number>();
    const stack: number[] = [];
    for (const [configuration, lastPlaced] of configurations) {
      if (((configuration % maskSpan) & subject.bit) !== 0) keepLatest(next, configuration - subject.bit, lastPlaced);
      else {
        if (subject.writes && lastPlaced >= subject.invokedAt) keepLatest(next, configuration, lastPlaced);
        stack.push(configuration);
      }
    }
    const reached = new Set<number>();
    for (let configuration = stack.pop(); configuration !== undefined; configuration = stack.pop()) {
      if (--untilClockRead <= 0) {
        untilClockRead = configurationsBetweenClockReads;
        const afterMs = nowMs() - startedMs;
        if (afterMs > deadlineMs) return { kind: 'timeout', afterMs };
      }
      const placed = configuration % maskSpan;
      for (const write of open) {
        if (!write.writes || (placed & write.bit) !== 0) continue;
        let mask = placed | write.bit;
        let served = false;
        for (const read of open) {
          if (read.writes || read.content !== write.content || (mask & read.bit) !== 0) continue;
          mask |= read.bit;
          served = true;
        }
        if (write !== subject && !served) continue;
        const after = write.content * maskSpan + mask;
        if ((mask & subject.bit) !== 0) keepLatest(next, after - subject.bit, now);
        else if (!reached.has(after)) {
          reached.add(after);
          if (subject.writes) keepLatest(next, after, now);
          stack.push(after);
        }
      }
    }
    if (next.size === 0) {
      const held = new Set([...configurations.keys()].map((c) => contents[Math.floor(c / maskSpan)] ?? null));
      return { kind: 'violation', stuck: subject.operation, possible: [...held] };
    }
    configurations = next;
    open.splice(open.indexOf(subject), 1);
    freeBits |= subject.bit;
  }
  return { kind: 'linearizable' };
}

function withReadInPlace(configurations: ReadonlyMap<number, number>, read: Open): Map<number, number> {
  const placed = new Map<number, number>();
  for (const [configuration, lastPlaced] of configurations) {
    const finds = Math.floor(configuration / maskSpan) === read.content;
    placed.set(finds ? configuration + read.bit : configuration, lastPlaced);
  }
  return placed;
}

function keepLatest(configurations: Map<number, number>, configuration: number, lastPlaced: number): void {
  const known = configurations.get(configuration);
  if (known === undefined || known < lastPlaced) configurations.set(configuration, lastPlaced);
}

/** Invocations and answers in time; at one moment invocations come first, so that touching intervals overlap. */
function eventsOf(operations: readonly Operation[]): { events: Event[]; contents: Array<string | null> } {
  const contents: Array<string | null> = [null];
  const numbers = new Map<string | null, number>([[null, 0]]);
  const everRead = new Set<string | null>();
  for (const operation of operations)
    if (!isWrite(operation) && operation.outcome === 'ok') everRead.add(contentOf(operation));

  const events: Event[] = [];
  for (const operation of operations) {
    if (operation.outcome === 'definite') continue;
    const writes = isWrite(operation);
    const optional = writes && !tookEffect(operation);
    const content = contentOf(operation);
    if (writes ? optional && !everRead.has(content) : operation.outcome !== 'ok') continue;
    let number = numbers.get(content);
    if (number === undefined) {
      number = contents.push(content) - 1;
      numbers.set(content, number);
    }
    const subject: Open = { operation, content: number, writes, optional, bit: 0, invokedAt: 0 };
    events.push({ atNs: operation.invokedAtNs, returns: false, subject });
    if (!optional) events.push({ atNs: operation.completedAtNs as number, returns: true, subject });
  }
  events.sort((a, b) => a.atNs - b.atNs || Number(a.returns) - Number(b.returns));
  return { events, contents };
}
