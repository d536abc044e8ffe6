import type { Timers } from '@levee/kernel';
import { nodeLimits } from '../node-limits';

/** A page of a scan, or a block of a copy, that is asked for. */
export interface Page {
  /** `over` is to be called once it is answered, whatever became of it. */
  begin(over: () => void): void;
  /** Its connection asks for more than its part, or its turn has not come in time. */
  refuse(why: 'limit' | 'late', message: string): void;
}

/** Of one connection: what waits, in its order. */
interface Line {
  underWay: number;
  readonly waiting: Set<() => void>;
}

export type PageTurnLimits = Pick<typeof nodeLimits, 'pagesOfOneMax' | 'pagesWaitingOfOneMax' | 'pageWaitMs'>;

/**
 * Pages and blocks that are made for one connection at a time. Each costs an open iterator and turns of the node's
 * background work, however few bytes it asks for: what one connection asks for without end waits for its own.
 */
export class PageTurns {
  private readonly lines = new WeakMap<object, Line>();

  constructor(
    private readonly timers: Timers,
    private readonly limits: { readonly [name in keyof PageTurnLimits]: number } = nodeLimits,
  ) {}

  enter(connection: object, page: Page): void {
    const { pagesOfOneMax, pagesWaitingOfOneMax, pageWaitMs } = this.limits;
    let line = this.lines.get(connection);
    if (line === undefined) this.lines.set(connection, (line = { underWay: 0, waiting: new Set() }));
    if (line.underWay < pagesOfOneMax) return this.begin(line, page);
    const { waiting } = line;
    if (waiting.size >= pagesWaitingOfOneMax)
      return page.refuse('limit', `${waiting.size} pages of this connection wait already: ask for fewer at a time`);
    const goOn = (): void => {
      cancel();
      this.begin(line, page);
    };
    const cancel = this.timers.after(pageWaitMs, () => {
      waiting.delete(goOn);
      page.refuse('late', `other pages of this connection were before this one for ${pageWaitMs} ms`);
    });
    waiting.add(goOn);
  }

  private begin(line: Line, page: Page): void {
    line.underWay++;
    page.begin(() => {
      line.underWay--;
      const [next] = line.waiting;
      if (next === undefined) return;
      line.waiting.delete(next);
      next();
    });
  }
}
