import { Failure, networkOf } from '@levee/kernel';

/** Places of which one address, of IPv6 its /64, may have a part only: nobody takes all from everybody else. */
export class Shares {
  private readonly taken = new Map<string, number>();
  private total = 0;

  constructor(
    /** For messages: "readers follow the log". */
    private readonly what: string,
    private readonly limits: { readonly max: number; readonly ofOneMax: number },
  ) {}

  /** The returned function gives the place back, once; fails with LIMIT. */
  take(from: string): () => void {
    const address = networkOf(from);
    const { max, ofOneMax } = this.limits;
    const own = this.taken.get(address) ?? 0;
    if (this.total >= max)
      throw new Failure(
        'LIMIT',
        `${this.total} ${this.what} through this portal, at most that many may: use another one`,
      );
    if (own >= ofOneMax)
      throw new Failure(
        'LIMIT',
        `${own} ${this.what} through this portal from ${address}, at most that many may from one address`,
      );
    this.total++;
    this.taken.set(address, own + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.total--;
      const rest = (this.taken.get(address) ?? 1) - 1;
      if (rest > 0) this.taken.set(address, rest);
      else this.taken.delete(address);
    };
  }
}
