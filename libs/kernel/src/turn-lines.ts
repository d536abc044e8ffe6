/** What one asker has waiting, as the order of turns sees it. */
export abstract class TurnLine {
  /** It stands among those who wait; kept by `TurnLines`, as is who stands behind it. */
  listed = false;
  following: TurnLine | undefined;
  /** Of what waits. */
  abstract readonly size: number;
}

/** First in, first out, by links. */
class LineList<L extends TurnLine> {
  private first: L | undefined;
  private last: L | undefined;
  size = 0;

  push(line: L): void {
    if (this.last === undefined) this.first = line;
    else this.last.following = line;
    this.last = line;
    this.size++;
  }

  shift(): L | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.first = first.following as L | undefined;
    first.following = undefined;
    if (this.first === undefined) this.last = undefined;
    this.size--;
    return first;
  }

  /** Puts all of `others` in front. */
  prepend(others: LineList<L>): void {
    if (others.last === undefined) return;
    others.last.following = this.first;
    this.first = others.first;
    this.last ??= others.last;
    this.size += others.size;
  }
}

/**
 * Whose turn it is, of many who wait: first in, first out, at a constant cost for each. Who did not wait before goes
 * first, once (as in FQ-CoDel); but every other turn is of those who have waited longer.
 */
export class TurnLines<L extends TurnLine> {
  private readonly fresh = new LineList<L>();
  private readonly rest = new LineList<L>();
  private restIsNext = false;

  get count(): number {
    return this.fresh.size + this.rest.size;
  }

  /** Something waits in it: to be called whenever something is added. */
  join(line: L): void {
    if (line.listed) return;
    line.listed = true;
    this.fresh.push(line);
  }

  /**
   * Gives lines their turn while there is room. `serve` takes something out of its line, and says how much: a line of
   * which nothing may go on now keeps its place, and is not asked again in this round.
   */
  round(hasRoom: () => boolean, serve: (line: L) => number): void {
    const passed = new LineList<L>();
    while (hasRoom()) {
      const line = this.next();
      if (line === undefined) break;
      if (serve(line) === 0) passed.push(line);
      else if (line.size > 0) this.rest.push(line);
      else line.listed = false;
    }
    this.rest.prepend(passed);
  }

  /** Visits each once; who then waits no more is out. */
  each(visit: (line: L) => void): void {
    for (const lines of [this.fresh, this.rest])
      for (let left = lines.size; left > 0; left--) {
        const line = lines.shift() as L;
        visit(line);
        if (line.size > 0) lines.push(line);
        else line.listed = false;
      }
  }

  private next(): L | undefined {
    this.restIsNext = !this.restIsNext;
    const [first, second] = this.restIsNext ? [this.fresh, this.rest] : [this.rest, this.fresh];
    return first.shift() ?? second.shift();
  }
}
