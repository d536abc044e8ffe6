import type { Namespace } from '@levee/sdk';
import { inTime } from './pauses';
import { stateKeyPrefix } from './put-aside';

/** Where a reader of changes keeps how far it is: the token of a watch, behind changes that are all done. */
export interface Positions {
  load(): Promise<string | undefined>;
  save(token: string): Promise<void>;
}

export function positionsInLevee(state: Namespace<Buffer>, name: string): Positions {
  const key = `${stateKeyPrefix}${name}/position`;
  return {
    load: async () => (await state.get(key))?.toString('utf8'),
    save: async (token) => void (await state.put(key, Buffer.from(token))),
  };
}

/**
 * The same, where nobody waits longer than `ms` for any of it: an application may keep them where somebody holds a lock. A
 * `save` that comes to its end later may put an older position in the place of a newer one: then changes come again.
 */
export function within(positions: Positions, ms: number): Positions {
  return {
    load: () => inTime('a position was not loaded', ms, positions.load()),
    save: (token) => inTime('a position was not saved', ms, positions.save(token)),
  };
}

/** Positions are written at most so often; a change that was handled in between may come again. */
const keepEveryMs = 500;

/** Writes a position that moves on, now and then. */
export class KeptPosition {
  private kept: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private keeping: Promise<void> | undefined;
  private ended = false;
  private isFailing = false;
  private fix: () => void = () => undefined;
  /** Resolves once it is known from where on nothing is missed, whoever dies: a position was found, or saved. Or this ends. */
  readonly isFixed = new Promise<void>((resolve) => (this.fix = resolve));

  constructor(
    private readonly positions: Positions,
    private readonly token: () => string | undefined,
    private readonly failed: (error: unknown) => void,
  ) {}

  async load(): Promise<string | undefined> {
    const found = await this.positions.load();
    if (found === undefined) return undefined;
    this.kept = found;
    this.fix();
    return found;
  }

  /** What is kept says nothing of where it goes on. */
  forget(): void {
    this.kept = undefined;
  }

  /**
   * [safety] Before anything is handled: saves where it begins, unless there is a position already. A process that dies after
   * its first change would begin at another now otherwise.
   */
  async first(): Promise<void> {
    if (this.kept === undefined) await this.now();
  }

  /** Within half a second, and again until it succeeds. */
  soon(): void {
    if (this.ended) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.keeping = this.now().catch((error: unknown) => {
        this.failed(error);
        this.soon();
      });
    }, keepEveryMs);
  }

  async now(): Promise<void> {
    const token = this.token();
    if (token === undefined || token === this.kept) return;
    this.isFailing = true;
    await this.positions.save(token);
    this.isFailing = false;
    this.kept = token;
    this.fix();
  }

  /** Keeps what there is, once, and nothing any more. What has just failed is not waited for once more. */
  async end(): Promise<void> {
    this.ended = true;
    this.fix();
    clearTimeout(this.timer);
    await this.keeping;
    if (this.isFailing) throw new Error('the last attempt has failed, and the process is ending');
    await this.now();
  }
}
