import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';

/** One ordered scan under way. */
export interface ScanPlace {
  /** Told when it has to give way; what it holds is let go of then. */
  readonly end: () => void;
  /** Since when its reader has not asked for the next key; `undefined` while it waits for one. */
  givenAtMs: number | undefined;
  /** It had to give way: why. */
  failure: StoreFailure | undefined;
}

/** So many ordered scans are under way at a time. Those whose readers stand still give way to those who read. */
export class ScanPlaces {
  private readonly places = new Set<ScanPlace>();

  constructor(
    private readonly limits: Pick<
      StoreLimits,
      'scansMax' | 'scanIdleMs' | 'scanPageBytes' | 'scanHeldBytesMax' | 'scansHeldBytesMax'
    >,
    private readonly nowMs: () => number,
  ) {}

  get size(): number {
    return this.places.size;
  }

  /** What one more may hold. */
  get heldBytesMax(): number {
    const { scanPageBytes, scanHeldBytesMax, scansHeldBytesMax } = this.limits;
    const share = Math.floor(scansHeldBytesMax / Math.max(1, this.places.size));
    return Math.max(scanPageBytes, Math.min(scanHeldBytesMax, share));
  }

  /** Fails with LVLIMIT. */
  take(end: () => void): ScanPlace {
    const { scansMax } = this.limits;
    if (this.places.size >= scansMax) this.endIdlest();
    if (this.places.size >= scansMax)
      throw new StoreFailure(
        'LVLIMIT',
        `${this.places.size} scans are under way, at most ${scansMax}: read them to their end or hang up`,
      );
    const place: ScanPlace = { end, givenAtMs: undefined, failure: undefined };
    this.places.add(place);
    return place;
  }

  leave(place: ScanPlace): void {
    this.places.delete(place);
  }

  private endIdlest(): void {
    const nowMs = this.nowMs();
    let idlest: ScanPlace | undefined;
    let idleMs = this.limits.scanIdleMs;
    for (const place of this.places) {
      const waitedMs = nowMs - (place.givenAtMs ?? nowMs);
      if (waitedMs < idleMs) continue;
      idlest = place;
      idleMs = waitedMs;
    }
    if (!idlest) return;
    this.places.delete(idlest);
    idlest.failure = new StoreFailure(
      'LVLIMIT',
      `nothing was read of this scan for ${Math.round(idleMs)} ms, and its place was needed: go on behind the last key`,
    );
    idlest.end();
  }
}
