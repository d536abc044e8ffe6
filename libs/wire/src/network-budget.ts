import { assert, Failure, type Timers } from '@levee/kernel';

/** Who asks for something large. */
interface Asker {
  /** It has not taken what was made for it before. */
  readonly takesSlowly: boolean;
}

/** Of the room, what is used when slow askers get no more: the others have the rest. */
const slowShare = 0.5;
/** More than so many do not wait for room. */
const waitingMax = 4_096;

interface Waiting {
  readonly bytes: number;
  readonly asker: Asker | undefined;
  readonly admit: () => void;
}

/**
 * Bytes on their way through the sockets of a process, counted together. What is queued is only counted: whoever queues
 * looks at `crowded` and stops reading. What is going to be made waits for its turn in `take`.
 */
export class NetworkBudget {
  private used = 0;
  private taken = 0;
  private peak = 0;
  private waiting: Waiting[] = [];
  readonly counts = { waited: 0, refused: 0 };

  constructor(
    /** Beyond it queues are crowded and nothing large is begun. */
    readonly bytesMax: number,
    /** Longest wait for a turn. */
    private readonly waitMsMax: number,
    private readonly timers: Timers,
  ) {
    assert(bytesMax > 0, 'something must be on its way');
  }

  get usedBytes(): number {
    return this.used;
  }

  get peakBytes(): number {
    return this.peak;
  }

  get crowded(): boolean {
    return this.used > this.bytesMax;
  }

  /** Bytes that are queued now, or, negative, that are gone. */
  count(deltaBytes: number): void {
    this.used += deltaBytes;
    assert(this.used >= 0, 'no more is gone than was queued');
    if (this.used > this.peak) this.peak = this.used;
    if (deltaBytes < 0 && this.waiting.length > 0) this.admit();
  }

  /**
   * Counts bytes that are going to be made, until `giveBack`. `undefined`: at once; else resolves when there is room, and
   * rejects with NO_ROOM when there is none in time, or too many wait already. While slow readers keep all the room, the others get through one at
   * a time: they shall not wait for those.
   */
  take(bytes: number, asker?: Asker): Promise<void> | undefined {
    if (this.fits(bytes, asker)) {
      this.add(bytes);
      return undefined;
    }
    if (this.waiting.length >= waitingMax) {
      this.counts.refused++;
      return Promise.reject(
        new Failure('NO_ROOM', `${waitingMax} wait already for room among what is on its way (LEVEE_MEMORY_BUDGET)`),
      );
    }
    this.counts.waited++;
    return new Promise((resolve, reject) => {
      const cancel = this.timers.after(this.waitMsMax, () => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1);
        this.counts.refused++;
        reject(
          new Failure('NO_ROOM', `${this.used} bytes are on their way, at most ${this.bytesMax} (LEVEE_MEMORY_BUDGET)`),
        );
      });
      const waiting: Waiting = {
        bytes,
        asker,
        admit: () => {
          cancel();
          this.add(bytes);
          resolve();
        },
      };
      this.waiting.push(waiting);
    });
  }

  giveBack(bytes: number): void {
    this.taken -= bytes;
    assert(this.taken >= 0, 'no more is given back than was taken');
    this.count(-bytes);
  }

  private add(bytes: number): void {
    this.taken += bytes;
    this.count(bytes);
  }

  private fits(bytes: number, asker: Asker | undefined): boolean {
    const slow = asker?.takesSlowly === true;
    return this.used + bytes <= this.bytesMax * (slow ? slowShare : 1) || (this.taken === 0 && !slow);
  }

  private admit(): void {
    for (let at = 0; at < this.waiting.length;) {
      const next = this.waiting[at] as Waiting;
      if (!this.fits(next.bytes, next.asker)) at++;
      else {
        this.waiting.splice(at, 1);
        next.admit();
      }
    }
  }
}
