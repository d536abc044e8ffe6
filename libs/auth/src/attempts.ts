import { type Clock, Failure, pause, type Timers } from '@levee/kernel';

const attemptLimits = {
  /** Passwords of one door that are hashed at the same time: all doors of a process have one thread for it. */
  hashingMax: 1,
  /** Attempts that wait for that; as many of addresses that have failed. More are refused. */
  waitingMax: 64,
  /** Attempts of one address that wait for that, or because they are slowed down. */
  waitingOfAddressMax: 4,
  /** Who is refused hears it after so long: asking again at once gains nothing, and costs this process little. */
  refusedAfterMs: 1_000,
  /** Failures of one address that cost it nothing: people mistype. */
  freeFailures: 3,
  /** Each further one makes its next attempt wait twice as long. */
  waitMsMin: 100,
  waitMsMax: 5_000,
  /** So long without an attempt, and an address is forgiven. */
  forgivenAfterMs: 60_000,
  /** Those remembered; the one heard longest ago that does not wait is forgotten. */
  addressesMax: 10_000,
} as const;

/** Users of whom attempts failed from one address, when there is more than one. */
const many = Symbol('many');

interface Address {
  failures: number;
  /** Whose they were. */
  whose: string | typeof many | undefined;
  waiting: number;
  lastMs: number;
}

/** Slows down who guesses: attempts of one address wait longer with each that failed, and few are looked at at once. */
export class Attempts {
  readonly counts = { failed: 0, slowed: 0, refused: 0 };
  private readonly addresses = new Map<string, Address>();
  private hashing = 0;
  /** Whose turn to hash comes next: addresses that have not failed go before those that have. */
  private readonly turns: Readonly<Record<'first' | 'later', (() => void)[]>> = { first: [], later: [] };

  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  /** Waits as long as this address has to. Fails with LIMIT when too many of it wait. */
  async admit(address: string): Promise<void> {
    const of = this.of(address);
    const { freeFailures, waitMsMin, waitMsMax } = attemptLimits;
    const extra = of.failures - freeFailures;
    if (extra <= 0) return;
    await this.wait(of, async () => {
      this.counts.slowed++;
      const ms = Math.min(waitMsMax, waitMsMin * 2 ** Math.min(20, extra - 1));
      await pause(this.timers, ms);
    });
  }

  /** Runs what hashes a password, when its turn comes. Fails with LIMIT when too many wait. */
  async hashed<T>(address: string, work: () => Promise<T>): Promise<T> {
    const { first, later } = this.turns;
    if (this.hashing >= attemptLimits.hashingMax) {
      const of = this.of(address);
      const turns = of.failures === 0 ? first : later;
      if (turns.length >= attemptLimits.waitingMax) return this.refused();
      await this.wait(of, () => new Promise<void>((resolve) => turns.push(resolve)));
    } else this.hashing++;
    try {
      return await work();
    } finally {
      const next = first.shift() ?? later.shift();
      if (next === undefined) this.hashing--;
      else next();
    }
  }

  /** Of a user that there is; `undefined` = of nobody that is known. */
  failed(address: string, user: string | undefined): void {
    this.counts.failed++;
    const of = this.of(address);
    of.whose = user !== undefined && (of.failures === 0 || of.whose === user) ? user : many;
    of.failures++;
  }

  /**
   * A password was right. That user's failures are taken back, as people mistype. Where others failed too it proves nothing:
   * whoever guesses would take back his guesses with a password of his own.
   */
  succeeded(address: string, user: string): void {
    const of = this.addresses.get(networkOf(address));
    if (of?.whose !== user) return;
    of.failures = 0;
    of.whose = undefined;
  }

  private async wait(of: Address, until: () => Promise<void>): Promise<void> {
    if (of.waiting >= attemptLimits.waitingOfAddressMax) return this.refused();
    of.waiting++;
    try {
      await until();
    } finally {
      of.waiting--;
    }
  }

  private async refused(): Promise<never> {
    this.counts.refused++;
    await pause(this.timers, attemptLimits.refusedAfterMs);
    throw new Failure('LIMIT', 'too many attempts to authenticate wait: try again in a moment');
  }

  private of(address: string): Address {
    const nowMs = this.clock.monotonicMs();
    const network = networkOf(address);
    let of = this.addresses.get(network);
    if (of === undefined || (of.waiting === 0 && nowMs - of.lastMs > attemptLimits.forgivenAfterMs))
      of = { failures: 0, whose: undefined, waiting: 0, lastMs: nowMs };
    of.lastMs = nowMs;
    this.addresses.delete(network);
    this.addresses.set(network, of);
    if (this.addresses.size > attemptLimits.addressesMax) this.forgetOldest(of);
    return of;
  }

  /** One that waits is never forgotten: it would begin anew beside those that wait. */
  private forgetOldest(but: Address): void {
    for (const [network, of] of this.addresses)
      if (of.waiting === 0 && of !== but) {
        this.addresses.delete(network);
        return;
      }
  }
}

/** Of an IPv6 address the first 64 bits: whoever has one has all that begin so. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [before = '', after] = address.split('::') as [string, string?];
  const [head, tail] = [before, after ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = after === undefined ? 0 : 8 - (head as string[]).length - (tail as string[]).length;
  const groups = [
    ...(head as string[]),
    ...Array.from({ length: Math.max(0, zeros) }, () => '0'),
    ...(tail as string[]),
  ];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
