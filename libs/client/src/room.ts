/** A part of the room, and what is under way in it. */
export interface Place {
  bytes: number;
  count: number;
}

/**
 * How much is under way at a time: so much for all in turn, and as much again, beside it, for what is small and need not
 * wait for others. Two parts: what is small would else keep the room full, and who waits for a turn would have none.
 */
export class Room {
  private readonly inTurn: Place = { bytes: 0, count: 0 };
  private readonly beside: Place = { bytes: 0, count: 0 };
  private isShort = false;

  constructor(
    private readonly limits: { readonly bytesMax: number; readonly countMax: number },
    /** How many wait for their turn. */
    private readonly waiting: () => number,
  ) {}

  get bytes(): number {
    return this.inTurn.bytes + this.beside.bytes;
  }

  get count(): number {
    return this.inTurn.count + this.beside.count;
  }

  /** One more may have its turn. */
  get isFree(): boolean {
    const { bytes, count } = this.inTurn;
    return count < this.limits.countMax && (bytes < this.limits.bytesMax || count === 0);
  }

  /** Who comes now may take the room: nobody waits for it. */
  get isOpen(): boolean {
    return this.isFree && !(this.isShort && this.waiting() > 0);
  }

  /** For whose turn it is, or for who finds it open. */
  get place(): Place {
    return this.inTurn;
  }

  /** For what is small; `undefined`: there is too much of it. */
  get besidePlace(): Place | undefined {
    const { bytes, count } = this.beside;
    return count < this.limits.countMax && bytes < this.limits.bytesMax ? this.beside : undefined;
  }

  /** To be called when turns were given, and when somebody begins to wait. */
  look(): void {
    this.isShort = !this.isFree && this.waiting() > 0;
  }
}

export function begin(place: Place, bytes: number): void {
  place.bytes += bytes;
  place.count++;
}

export function end(place: Place, bytes: number): void {
  place.bytes -= bytes;
  place.count--;
}
