import { explainSubject, type Explanation } from '@levee/cluster';
import { Failure, messageOf } from '@levee/kernel';
import { systemClock } from '@levee/log';
import type { Portal } from './portal';

/** What the dispatcher thinks of a subject; filled from its own HTTP door. */
export interface DispatcherReason {
  readonly atMs: number;
  readonly what: string;
  readonly evidence: string;
}

export interface ExplainAnswer extends Explanation {
  readonly reasons: readonly DispatcherReason[];
  /** Why there are no reasons, in words; `null` = the dispatcher answered. */
  readonly dispatcher: string | null;
}

const dispatcherDeadlineMs = 2_000;

/** `levee explain`: recorded decisions from the state, and what the dispatcher made of it in its last rounds. */
export class Explanations {
  constructor(private readonly portal: Portal) {}

  async of(subject: string): Promise<ExplainAnswer> {
    const explanation = explainSubject(this.portal.view.state, subject, systemClock.nowMs());
    if (explanation === undefined)
      throw new Failure(
        'NOT_FOUND',
        `'${subject.slice(0, 200)}' is no chunk, plan or node that is remembered: levee routes, levee plan list --all ` +
          `and levee node list name them`,
      );
    try {
      return { ...explanation, reasons: await this.reasons(subject), dispatcher: null };
    } catch (error) {
      return { ...explanation, reasons: [], dispatcher: messageOf(error) };
    }
  }

  private async reasons(subject: string): Promise<readonly DispatcherReason[]> {
    const address = [...this.portal.heard.all('dispatcher')].at(-1)?.beat.address;
    if (address === undefined) throw new Failure('UNAVAILABLE', 'no dispatcher was heard of since this portal started');
    const path = `/v1/explain?subject=${encodeURIComponent(subject)}`;
    const answer = await this.portal.http.json(address, path, dispatcherDeadlineMs);
    return (answer as { reasons?: readonly DispatcherReason[] }).reasons ?? [];
  }
}
