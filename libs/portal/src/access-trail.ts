import { accessLimits } from '@levee/cluster';
import { type Clock, Failure, messageOf } from '@levee/kernel';
import type { SubmittedCommand } from '@levee/journal';

export const accessTrailLimits = {
  /** Who asks the same again within this time is in the trail already. */
  againMs: 600_000,
  /** Questions remembered for that; the oldest is forgotten, and then written down again. */
  rememberedMax: 10_000,
} as const;

/**
 * Who asked for evidence, as commands in the log. A question is answered once its record is in `levee.commands`: the next
 * master puts it into the journal, also when none serves now, so nobody has to wait for one at 3 a.m.
 */
export class AccessTrail {
  /** By who and what: what was written down, or is about to be, and when. */
  private readonly asked = new Map<string, { readonly atMs: number; readonly written: Promise<void> }>();

  constructor(
    private readonly append: (command: SubmittedCommand) => Promise<unknown>,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves once it is in the log. Fails with UNAVAILABLE: then nothing may be told. `same`: what makes it another question
   * than those before.
   */
  record(principal: string, question: string, same = question): Promise<void> {
    // Two of which only the beginning is kept may differ behind it.
    if (same.length > accessLimits.whatLengthMax) return this.recordAct(principal, question);
    const name = `${principal}\0${same}`;
    const nowMs = this.clock.monotonicMs();
    const before = this.asked.get(name);
    if (before !== undefined && nowMs - before.atMs < accessTrailLimits.againMs) return before.written;
    const written = this.recordAct(principal, question);
    this.asked.delete(name);
    this.asked.set(name, { atMs: nowMs, written });
    const [oldest] = this.asked.keys();
    if (this.asked.size > accessTrailLimits.rememberedMax && oldest !== undefined) this.asked.delete(oldest);
    written.catch(() => {
      if (this.asked.get(name)?.written === written) this.asked.delete(name);
    });
    return written;
  }

  /** The same of what destroys something: each one is written down, however soon it comes after another. */
  recordAct(principal: string, act: string): Promise<void> {
    return this.write({
      kind: 'RecordAccess',
      payload: { what: act.slice(0, accessLimits.whatLengthMax) },
      principal,
    });
  }

  private async write(command: SubmittedCommand): Promise<void> {
    try {
      await this.append(command);
    } catch (error) {
      throw new Failure(
        'UNAVAILABLE',
        `who asks for evidence is written into the log first, and it was not taken: ${messageOf(error)}. Try again when ` +
          'levee doctor finds the log well',
        { cause: error },
      );
    }
  }
}
