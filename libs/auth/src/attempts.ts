import { assert, type Clock, Failure, networkOf, pause, type Timers } from '@levee/kernel';

const attemptLimits = {
  /** Passwords of one door that are hashed at the same time: all doors of a process have one thread for it. */
  hashingMax: 1,
  /** Attempts that wait for that; as many of addresses that have failed. More are refused. */
  waitingMax: 64,
  /** Who is refused hears it after so long: asking again at once gains nothing, and costs this process little. */
  refusedAfterMs: 1_000,
  /** Each failure beyond those that are free makes the next attempt wait twice as long. */
  waitMsMin: 100,
  waitMsMax: 5_000,
  /** So long without an attempt, and an address is forgiven. */
  forgivenAfterMs: 60_000,
  /** Those remembered; the one heard longest ago that does not wait is forgotten. */
  networksMax: 10_000,
} as const;

/**
 * What counts as one stranger, from narrow to wide: a single address of IPv4; of IPv6 whoever has one address has all of a
 * /64, may have been given a /48, and have 65,536 of those where he is a provider. `waitingMax`: attempts that wait for a
 * hash, or because they are slowed down. `freeFailures` cost nothing: people mistype, and many people share a wide one.
 */
const widths = [
  { bits: 64, waitingMax: 4, freeFailures: 3 },
  { bits: 48, waitingMax: 8, freeFailures: 24 },
  { bits: 32, waitingMax: 32, freeFailures: 192 },
] as const;

assert(
  widths.every(({ waitingMax }) => waitingMax < attemptLimits.waitingMax),
  'no network, however wide, keeps others from waiting for their turn',
);

/** Users of whom attempts failed from one network, when there is more than one. */
const many = Symbol('many');

interface Network {
  failures: number;
  /** Whose they were. */
  whose: string | typeof many | undefined;
  waiting: number;
  lastMs: number;
}

interface Turn {
  readonly of: readonly Network[];
  readonly begin: () => void;
  readonly refuse: () => void;
}

/**
 * Slows down who guesses: attempts of one network wait longer with each that failed, and few are looked at at once. A stranger
 * who has many networks slows himself alone: they count as one as far as they are within one that is wider.
 */
export class Attempts {
  readonly counts = { failed: 0, slowed: 0, refused: 0 };
  private readonly networks = new Map<string, Network>();
  private hashing = 0;
  /** Who waits for a turn to hash, in the order in which they came. */
  private turns: readonly Turn[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  /** Waits as long as this address has to. Fails with LIMIT when too many of its networks wait. */
  async admit(address: string): Promise<void> {
    const of = this.of(address);
    const { waitMsMin, waitMsMax } = attemptLimits;
    const extra = Math.max(...of.map(({ failures }, i) => failures - widthOf(i).freeFailures));
    if (extra <= 0) return;
    await this.wait(of, async () => {
      this.counts.slowed++;
      const ms = Math.min(waitMsMax, waitMsMin * 2 ** Math.min(20, extra - 1));
      await pause(this.timers, ms);
    });
  }

  /** Runs what hashes a password, when its turn comes. Fails with LIMIT when too many wait. */
  async hashed<T>(address: string, work: () => Promise<T>): Promise<T> {
    if (this.hashing >= attemptLimits.hashingMax) {
      const of = this.of(address);
      const line = lineOf(of);
      const before = this.turns.filter((each) => lineOf(each.of) === line);
      if (before.length >= attemptLimits.waitingMax) return this.refused();
      await this.wait(of, () => this.turn(of));
    } else this.hashing++;
    try {
      return await work();
    } finally {
      const next = this.nextTurn();
      if (next === undefined) this.hashing--;
      else next();
    }
  }

  private turn(of: readonly Network[]): Promise<void> {
    return new Promise((begin, end) => {
      const refuse = (): void => void this.refused().catch(end);
      this.turns = [...this.turns, { of, begin, refuse }];
    });
  }

  /**
   * Those whose networks have not failed go before those of which only the widest has, and those before the others: by what
   * is known by now, since a stranger's first guesses come before any of them is known to be wrong. Whoever is put back
   * takes a place in the later line: beyond its length the last are refused.
   */
  private nextTurn(): (() => void) | undefined {
    const lines: Turn[][] = [[], [], []];
    for (const turn of this.turns) lines[lineOf(turn.of)]?.push(turn);
    for (const line of lines) for (const turn of line.splice(attemptLimits.waitingMax)) turn.refuse();
    const kept = new Set(lines.flat());
    const [next] = kept;
    this.turns = this.turns.filter((turn) => turn !== next && kept.has(turn));
    return next?.begin;
  }

  /** Of a user that there is; `undefined` = of nobody that is known. */
  failed(address: string, user: string | undefined): void {
    this.counts.failed++;
    for (const of of this.of(address)) {
      of.whose = user !== undefined && (of.failures === 0 || of.whose === user) ? user : many;
      of.failures++;
    }
  }

  /**
   * A password was right. That user's failures are taken back, as people mistype. Where others failed too it proves nothing:
   * whoever guesses would take back his guesses with a password of his own.
   */
  succeeded(address: string, user: string): void {
    for (const network of networksOf(address)) {
      const of = this.networks.get(network);
      if (of?.whose !== user) continue;
      of.failures = 0;
      of.whose = undefined;
    }
  }

  private async wait(of: readonly Network[], until: () => Promise<void>): Promise<void> {
    if (of.some(({ waiting }, i) => waiting >= widthOf(i).waitingMax)) return this.refused();
    for (const each of of) each.waiting++;
    try {
      await until();
    } finally {
      for (const each of of) each.waiting--;
    }
  }

  private async refused(): Promise<never> {
    this.counts.refused++;
    await pause(this.timers, attemptLimits.refusedAfterMs);
    throw new Failure('LIMIT', 'too many attempts to authenticate wait: try again in a moment');
  }

  /** Of its networks, from narrow to wide. */
  private of(address: string): Network[] {
    const all = networksOf(address).map((network) => this.heard(network));
    while (this.networks.size > attemptLimits.networksMax && this.forgetOldest(all));
    return all;
  }

  private heard(network: string): Network {
    const nowMs = this.clock.monotonicMs();
    let of = this.networks.get(network);
    if (of === undefined || (of.waiting === 0 && nowMs - of.lastMs > attemptLimits.forgivenAfterMs))
      of = { failures: 0, whose: undefined, waiting: 0, lastMs: nowMs };
    of.lastMs = nowMs;
    this.networks.delete(network);
    this.networks.set(network, of);
    return of;
  }

  /** One that waits is never forgotten: it would begin anew beside those that wait. False: there is no other. */
  private forgetOldest(but: readonly Network[]): boolean {
    for (const [network, of] of this.networks)
      if (of.waiting === 0 && !but.includes(of)) return this.networks.delete(network);
    return false;
  }
}

const widthOf = (i: number): (typeof widths)[number] => widths[i] ?? widths[0];

/** Which line its attempts wait in. */
function lineOf(of: readonly Network[]): 0 | 1 | 2 {
  const [narrow, ...wider] = of.map(({ failures }) => failures > 0);
  if (narrow === true || wider[0] === true) return 2;
  return wider[1] === true ? 1 : 0;
}

/** From narrow to wide; of IPv4, and of IPv4 in IPv6, the address alone. */
const networksOf = (address: string): string[] => [...new Set(widths.map(({ bits }) => networkOf(address, bits)))];
