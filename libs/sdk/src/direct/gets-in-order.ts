/** What a get knows of the others. */
export interface OrderedGet<G extends OrderedGet<G>> {
  /** Those that it is among. */
  among: GetsInOrder<G> | undefined;
  /** Its neighbours. */
  earlier: G | undefined;
  later: G | undefined;
}

/**
 * Gets under way, in the order of their calls. A Set would say the same, but its table is made anew again and again while
 * members come and go, and V8 keeps what a table left behind names until it collects the whole heap: a quarter of the
 * time of a client that reads went there.
 */
export class GetsInOrder<G extends OrderedGet<G>> {
  oldest: G | undefined;
  private newest: G | undefined;

  get isEmpty(): boolean {
    return this.oldest === undefined;
  }

  /** It is among no others. */
  add(get: G): void {
    get.among = this;
    get.earlier = this.newest;
    if (this.newest) this.newest.later = get;
    else this.oldest = get;
    this.newest = get;
  }

  /** It is among these. Nothing is left in it: what is over must not keep what comes later in memory. */
  delete(get: G): void {
    const { earlier, later } = get;
    if (earlier) earlier.later = later;
    else this.oldest = later;
    if (later) later.earlier = earlier;
    else this.newest = earlier;
    get.among = undefined;
    get.earlier = undefined;
    get.later = undefined;
  }

  /** Looks at each as long as `look` says true; that one may be deleted meanwhile. */
  lookWhile(look: (get: G) => boolean): void {
    for (let get = this.oldest; get;) {
      const { later }: G = get;
      if (!look(get)) return;
      get = later;
    }
  }
}
