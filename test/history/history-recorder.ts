import { writeFileSync } from 'node:fs';
import type { History, Operation, Outcome } from './operation';

export type Asked = Pick<Operation, 'client' | 'key' | 'op' | 'session' | 'consistency' | 'value'>;

/** An operation that was sent; the first answer counts. */
export interface Sent {
  answer(outcome: Outcome, found?: { readonly value?: string | null; readonly reason?: string }): void;
}

interface Entry {
  readonly asked: Asked;
  readonly invokedAtNs: number;
  answered?: Operation;
}

/** Every operation of every client in one process, timed by one clock. What never got an answer stays unknown. */
export class HistoryRecorder {
  private readonly entries: Entry[] = [];

  constructor(private readonly nowNs: () => number = () => Number(process.hrtime.bigint())) {}

  get size(): number {
    return this.entries.length;
  }

  /** Call right before sending. */
  sent(asked: Asked): Sent {
    const entry: Entry = { asked, invokedAtNs: this.nowNs() };
    this.entries.push(entry);
    return {
      answer: (outcome, found = {}) => {
        if (entry.answered !== undefined) return;
        const completedAtNs = outcome === 'indefinite' ? undefined : this.nowNs();
        entry.answered = { ...asked, ...found, invokedAtNs: entry.invokedAtNs, completedAtNs, outcome };
      },
    };
  }

  /** What happened up to now; operations still open are of unknown outcome. */
  history(): History {
    return this.entries.map(
      ({ asked, invokedAtNs, answered }) =>
        answered ?? { ...asked, invokedAtNs, completedAtNs: undefined, outcome: 'indefinite', reason: 'no answer' },
    );
  }

  /** One operation a line, for looking at it later. */
  writeTo(file: string): void {
    writeFileSync(
      file,
      this.history()
        .map((operation) => `${JSON.stringify(operation)}\n`)
        .join(''),
    );
  }
}
