/** Something in a log that is not as it must be, with the place where it shows. */
export interface LogFinding {
  readonly rule:
    | 'unreadable'
    | 'chain'
    | 'state'
    | 'command'
    | 'projection'
    | 'genesis'
    | 'reserved'
    | 'partition'
    | 'record'
    | 'time'
    | 'gap'
    | 'routes';
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | undefined;
  /** Of the decision, where it is about one. */
  readonly seq: number | undefined;
  readonly what: string;
}

const findingLimits = {
  /** Told of each topic; the others are counted. */
  toldMax: 100,
} as const;

/** The findings of one topic: the first ones, and how many there are. */
export class Findings {
  readonly told: LogFinding[] = [];
  count = 0;

  constructor(private readonly topic: string) {}

  add(
    rule: LogFinding['rule'],
    what: string,
    at: { readonly partition?: number; readonly offset?: number | undefined; readonly seq?: number | undefined } = {},
  ): void {
    this.count++;
    if (this.told.length >= findingLimits.toldMax) return;
    const { partition = 0, offset, seq } = at;
    this.told.push({ rule, topic: this.topic, partition, offset, seq, what });
  }
}
