import type { Logger } from './logger';

/** Whoever wants to hear of something. One that throws is logged, and the others hear it all the same. */
export class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();

  constructor(
    private readonly logger: Logger,
    /** Of what they hear, for the log. */
    private readonly what: string,
  ) {}

  /** The returned function ends it. */
  add(listener: (value: T) => void): () => void {
    this.all.add(listener);
    return () => void this.all.delete(listener);
  }

  tell(value: T): void {
    for (const listener of this.all)
      try {
        listener(value);
      } catch (error) {
        this.logger.error({ error }, `a listener to ${this.what} failed`);
      }
  }
}
