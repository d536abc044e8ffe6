/** Where decisions stand in the journal, and which of them began what others rest on. 16 bytes a decision. */
export class DecisionPlaces {
  private readonly seqs: number[] = [];
  private readonly offsets: number[] = [];
  /** By name and number of its creation: the decision that made it. */
  private readonly made = new Map<string, number>();
  /** By node: the decisions that gave it up. */
  private readonly lost = new Map<string, number[]>();

  /** In ascending order. */
  add(seq: number, offset: number): void {
    this.seqs.push(seq);
    this.offsets.push(offset);
  }

  namespaceMade({ name, number }: { readonly name: string; readonly number: number }, seq: number): void {
    const key = `${name}#${number}`;
    if (!this.made.has(key)) this.made.set(key, seq);
  }

  nodeLost(nodeId: string, seq: number): void {
    const known = this.lost.get(nodeId);
    if (known === undefined) this.lost.set(nodeId, [seq]);
    else known.push(seq);
  }

  /** Offset in the journal; `undefined`: no such decision was read. */
  offsetOf(seq: number): number | undefined {
    let [low, high] = [0, this.seqs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.seqs[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return this.seqs[low] === seq ? this.offsets[low] : undefined;
  }

  madeBy({ name, number }: { readonly name: string; readonly number: number }): number | undefined {
    return this.made.get(`${name}#${number}`);
  }

  /** The last decision before `seq` by which the node was given up. */
  lostBefore(nodeId: string, seq: number): number | undefined {
    return this.lost.get(nodeId)?.findLast((each) => each < seq);
  }
}
