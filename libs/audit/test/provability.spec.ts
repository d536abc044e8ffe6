import { KeyReading } from '../src/proof/key-reading';
import { type CompactionRules, type Cut, type Evidence, prove, type Proof } from '../src/proof/provability';
import type { StoredBatch } from '@levee/log';
import { seed } from '../../../test/support/seed';
import { CleanedPartition } from './cleaned-partition';

const settings = { lagMs: 100, deleteRetentionMs: 240 };
const marginMs = 12;
const keys = ['a', 'b', 'c', 'd'];
const walks = 1500;
/** Walks among which each forgery is known to be found out. */
const forgedWalks = 3000;

/** What a walk tells the rule, so that a test can take one precondition away. */
interface Forgery {
  readonly batch?: (batch: StoredBatch) => StoredBatch;
  readonly evidence?: (evidence: Evidence) => Evidence;
  readonly rules?: (rules: CompactionRules, partition: CleanedPartition) => CompactionRules;
  readonly cut?: (cut: Cut, evidence: Evidence) => Cut;
}

interface Outcome {
  readonly seed: number;
  readonly proof: Proof;
  /** What is wrong with the answer; `undefined`: nothing. */
  readonly wrong: string | undefined;
}

/** A history, a reading in the midst of cleanings, one question, and what is true. */
function walk(seed: number, forgery: Forgery = {}): Outcome {
  const random = randomOf(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const embedded = seed % 5 === 1;
  const createTime = seed % 5 === 2;
  const skewMs = embedded ? 0 : upTo(marginMs / 2 + 1);
  const partition = new CleanedPartition(settings, random, { skewMs, brokers: embedded ? 1 : 2 });
  const earlier: { untilMs: number; lagMs: number }[] = [];

  const append = (): void => {
    const one = () => ({ key: keys[upTo(keys.length)] as string, value: random() < 0.35 ? null : 'v' });
    const records = Array.from({ length: 1 + upTo(3) }, one);
    const kind = !embedded && random() < 0.12 ? ('void' as const) : ('data' as const);
    const stampMs = createTime ? Math.max(0, partition.nowMs - 150 + upTo(200)) : undefined;
    partition.append(records, stampMs === undefined ? { kind } : { kind, stampMs });
    if (kind === 'void')
      partition.append([{ value: null }], { kind: 'control', ...(stampMs === undefined ? {} : { stampMs }) });
  };
  const happens = (slow: boolean): void => {
    partition.nowMs += random() < 0.1 ? upTo(slow ? 300 : 120) : upTo(6);
    if (random() < 0.5) partition.clean();
    if (!embedded && random() < 0.06) partition.changeLeader();
  };

  partition.append([{ value: 'genesis' }]);
  const lives = 6 + upTo(22);
  const wrongUntil = seed % 7 === 3 ? upTo(lives) : -1;
  for (let i = 0; i < lives; i++) {
    append();
    happens(random() < 0.5);
    if (i < wrongUntil) for (let n = 0; n < 4; n++) partition.clean({ ...settings, lagMs: 0 });
    // The pass that began under the wrong policy may still be going on.
    if (i === wrongUntil) {
      for (let n = 0; n < 40; n++) partition.clean({ ...settings, lagMs: 0 });
      earlier.push({ untilMs: partition.nowMs, lagMs: 0 });
    }
  }
  if (wrongUntil >= 0 && earlier.length === 0) earlier.push({ untilMs: partition.nowMs, lagMs: 0 });
  if (seed % 11 === 4) partition.deleteBelow(upTo(partition.endOffset / 2));

  const key = keys[upTo(keys.length)] as string;
  const cut: Cut =
    random() < 0.7
      ? { timeMs: random() < 0.6 ? partition.nowMs - 60 + upTo(100) : 980 + upTo(partition.nowMs - 980) }
      : { nextOffset: partition.startOffset + upTo(partition.endOffset - partition.startOffset + 1) };

  const told = embedded ? partition.cleanedBelow : undefined;
  const { startOffset } = partition;
  const options = { cut, startOffset, cleanedBelow: told, clockMarginMs: marginMs, recordsMax: 1 };
  const reading = new KeyReading(Buffer.from(key), options);
  const end = partition.endOffset;
  while (reading.nextOffset < end) {
    const at = { epoch: partition.epoch, askedMs: partition.nowMs };
    const batch = partition.batchFrom(reading.nextOffset);
    if (batch === undefined) break;
    reading.add(forgery.batch?.(batch) ?? batch, at);
    if (random() < 0.7) for (let n = upTo(4); n >= 0; n--) happens(random() < 0.3);
  }
  const ourSkewMs = embedded ? 0 : upTo(marginMs / 2 + 1) - marginMs / 4;
  const seen = reading.evidence(partition.nowMs + ourSkewMs);
  // Who reads a log that is cleaned beside it, and asks it again afterwards, sees that it was cleaned further meanwhile.
  if (embedded && partition.cleanedBelow !== told) return { seed, proof: unread, wrong: undefined };
  const rules = { ...settings, earlier, cleanedBelow: told, clockMarginMs: embedded ? 0 : marginMs };
  const evidence = forgery.evidence?.(seen) ?? seen;
  const proof = prove(forgery.cut?.(cut, evidence) ?? cut, evidence, forgery.rules?.(rules, partition) ?? rules);
  for (let i = 0; i < 3; i++) append();
  return { seed, proof, wrong: wrongWith(proof, { partition, key, cut }) };
}

const unread: Proof = { verdict: 'not provable', reason: 'slow-read', message: '', provableFromMs: undefined };

function wrongWith(
  proof: Proof,
  { partition, key, cut }: { readonly partition: CleanedPartition; readonly key: string; readonly cut: Cut },
): string | undefined {
  if (proof.verdict !== 'proved') return undefined;
  const true_ = partition.truth(key, cut);
  if (proof.offset === true_?.offset) return undefined;
  if (proof.offset === undefined) return true_?.value === null ? undefined : `absent, it was ${true_?.offset}`;
  if (proof.between !== undefined) {
    const inForceMs = partition.timeOf(proof.offset);
    const { fromMs, toMs } = proof.between;
    const then = partition.truth(key, { timeMs: inForceMs });
    if (inForceMs >= fromMs && inForceMs <= toMs && then?.offset === proof.offset) return undefined;
  }
  return `offset ${proof.offset} by ${proof.by}, it was ${true_?.offset ?? 'absent'}`;
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let a = seed * 0x9e3779b1;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const seedsFrom = (run: number, count: number): number[] => Array.from({ length: count }, (_, i) => run * 100_000 + i);

describe('what is said to be proved is true', () => {
  it('whatever cleaners, leaders, clocks and slow readers do meanwhile', () => {
    const outcomes = seedsFrom(seed, walks).map((each) => walk(each));
    expect(outcomes.filter(({ wrong }) => wrong !== undefined)).toEqual([]);
    const count = (name: string): number =>
      outcomes.filter(({ proof }) => (proof.verdict === 'proved' ? proof.by : proof.reason) === name).length;
    const names = [
      'contiguity',
      'window',
      'value',
      'before-window',
      'log-start',
      'leader-change',
      'slow-read',
      'create-time',
      'too-recent',
    ];
    const counts = Object.fromEntries(names.map((name) => [name, count(name)]));
    expect(Object.entries(counts).filter(([, n]) => n === 0)).toEqual([]);
  });
});

/** The number is the walk that found each out last time: there the search begins. */
const forgeries: readonly (readonly [string, number, Forgery])[] = [
  ['it was read too slowly', 102739, { evidence: (e) => ({ ...e, readingMs: 0 }) }],
  ['clocks differ', 101568, { rules: (r) => ({ ...r, clockMarginMs: 0 }) }],
  ['the log does not begin at 0', 100390, { evidence: (e) => ({ ...e, startOffset: 0 }) }],
  ['times are the producers’', 101372, { evidence: (e) => ({ ...e, createTime: false }) }],
  ['a batch that is empty has lost records', 100029, { batch: (b) => (b.recordCount > 0 ? b : whole(b)) }],
  ['a transaction was aborted', 100012, { batch: (b) => (b.kind === 'void' ? { ...b, kind: 'data' } : b) }],
  ['a record of the key follows before the window', 100573, { evidence: (e) => ({ ...e, later: undefined }) }],
  ['records of that time may still come', 100349, { evidence: (e) => ({ ...e, cutPassed: true }) }],
  [
    'the window is a time, not an offset',
    100117,
    { cut: byOffset, evidence: (e) => ({ ...e, timeAtCutMs: e.cutPassed ? Infinity : -Infinity }) },
  ],
  [
    'a removed record may have carried a later time',
    102612,
    { evidence: (e) => ({ ...e, candidate: e.candidate && { ...e.candidate, latestMs: e.candidate.timeMs } }) },
  ],
];

function whole(batch: StoredBatch): StoredBatch {
  return { ...batch, recordCount: batch.nextOffset - batch.baseOffset };
}

function byOffset(cut: Cut, evidence: Evidence): Cut {
  return 'timeMs' in cut ? { nextOffset: evidence.cutOffset } : cut;
}

describe('each precondition is needed: without it something false is proved', () => {
  it.each(forgeries)('%s', (_, known, forgery) => {
    // Always the same walks: these are known to lead there.
    const walksOfAll = [known, ...seedsFrom(1, forgedWalks)];
    expect(walksOfAll.find((each) => walk(each, forgery).wrong !== undefined)).toBeDefined();
  });
});

/** Histories in which chance seldom leads: what is read in them, with what is told to the rule. */
describe('what two brokers, and a policy that was wrong, can hide', () => {
  const key = 'a';
  const old = { timeMs: 1001 };

  /** a=v at 1, deleted at 2, then enough of others for segments; the deletion may be gone. */
  function deleted(brokers: number): CleanedPartition {
    const partition = new CleanedPartition(settings, () => 0.9, { skewMs: 0, brokers });
    partition.append([{ value: 'genesis' }]);
    partition.append([{ key, value: 'v' }, ...others(5)]);
    partition.nowMs += 10;
    partition.append([{ key, value: null }, ...others(5)]);
    partition.append(others(6));
    partition.append(others(6));
    return partition;
  }

  let otherKeys = 0;
  const others = (count: number): { key: string; value: string }[] =>
    Array.from({ length: count }, () => ({ key: `o${otherKeys++}`, value: 'v' }));

  function clean(partition: CleanedPartition, broker: number): void {
    for (const waitMs of [settings.lagMs + 50, settings.deleteRetentionMs + 50]) {
      partition.nowMs += waitMs;
      partition.cleanWhole(broker);
    }
  }

  function reading(partition: CleanedPartition, cut: Cut, between: () => void = () => undefined): KeyReading {
    const cleanedBelow = partition.brokers.length === 1 ? partition.cleanedBelow : undefined;
    const found = new KeyReading(Buffer.from(key), {
      cut,
      startOffset: 0,
      cleanedBelow,
      clockMarginMs: 0,
      recordsMax: 1,
    });
    for (;;) {
      const batch = partition.batchFrom(found.nextOffset);
      if (batch === undefined) return found;
      found.add(batch, { epoch: partition.epoch, askedMs: 0 });
      if (found.own.length === 1) between();
    }
  }

  const rules: CompactionRules = { ...settings, earlier: [], cleanedBelow: undefined, clockMarginMs: 0 };

  it('a leader that has cleaned less, and then one that has cleaned more', () => {
    const partition = deleted(2);
    clean(partition, 1);
    let changed = false;
    const seen = reading(partition, { timeMs: 1200 }, () => {
      if (!changed) partition.changeLeader();
      changed = true;
    }).evidence(partition.nowMs);
    expect(seen.candidate?.offset).toBe(1);
    expect(prove({ timeMs: 1200 }, seen, rules)).toMatchObject({ verdict: 'not provable', reason: 'leader-change' });
    // Without that precondition a deleted value would be proved.
    expect(prove({ timeMs: 1200 }, { ...seen, leaderChanged: false }, rules)).toMatchObject({
      verdict: 'proved',
      offset: 1,
    });
    expect(partition.truth(key, { timeMs: 1200 })?.value).toBeNull();
  });

  it('a policy that let everything be cleaned at once, until it was mended', () => {
    const partition = new CleanedPartition(settings, () => 0.9, { skewMs: 0 });
    partition.append([{ value: 'genesis' }]);
    partition.nowMs += 200;
    partition.append([{ key, value: 'v1' }]);
    partition.append(others(4));
    partition.nowMs += 10;
    partition.append([{ key, value: 'v2' }, ...others(5)]);
    partition.append(others(6));
    partition.append(others(6));
    partition.cleanWhole(0, { ...settings, lagMs: 0 });
    const cut = { timeMs: 1205 };
    const seen = reading(partition, cut).evidence(partition.nowMs + 20);
    const wrong = { ...rules, earlier: [{ untilMs: partition.nowMs, lagMs: 0 }] };
    expect(prove(cut, seen, wrong)).toMatchObject({ reason: 'before-window', provableFromMs: partition.nowMs });
    expect(prove(cut, seen, rules)).toMatchObject({ verdict: 'proved', offset: undefined });
    expect(partition.truth(key, cut)?.value).toBe('v1');
  });

  it('a cleaner that says where it goes only when it has been there', () => {
    const partition = deleted(1);
    partition.nowMs += settings.lagMs + 50;
    const before = partition.cleanedBelow;
    partition.clean();
    partition.clean();
    const seen = reading(partition, old).evidence(partition.nowMs);
    const told = { ...rules, cleanedBelow: partition.cleanedBelow };
    expect(prove(old, seen, told)).toMatchObject({ verdict: 'not provable', reason: 'before-window' });
    const late = { ...seen, cleanedToMs: -Infinity, lastGap: undefined };
    expect(prove(old, late, { ...rules, cleanedBelow: before })).toMatchObject({
      verdict: 'proved',
      offset: undefined,
    });
    expect(partition.truth(key, old)?.value).toBe('v');
  });

  it('a gap where no cleaner should have been moves the bound behind it', () => {
    const partition = new CleanedPartition(settings, () => 0.9, { skewMs: 0 });
    partition.append([{ value: 'genesis' }]);
    partition.append([{ key, value: 'v1' }]);
    partition.nowMs += 10;
    partition.append([{ key, value: 'v2' }, ...others(5)]);
    partition.nowMs += 10;
    partition.append(others(8));
    const cut = { timeMs: 1015 };
    const whole = reading(partition, cut).evidence(partition.nowMs);
    expect(prove(cut, whole, rules)).toMatchObject({ verdict: 'proved', by: 'contiguity', offset: 2 });
    // Somebody removed what is younger than the lag: the bound cannot be where the policy says.
    for (const broker of partition.brokers) broker.batches = broker.batches.filter((_, i) => i !== 2);
    const cutShort = reading(partition, cut).evidence(partition.nowMs);
    expect(prove(cut, cutShort, rules)).toMatchObject({ reason: 'unexplained-gap', provableFromMs: partition.nowMs });
    expect(prove({ timeMs: partition.nowMs - 1 }, { ...cutShort, lastGap: undefined }, rules)).toMatchObject({
      offset: 1,
    });
  });
});
