import { collectDigests, type DigestReport } from '@levee/audit';
import { controlTopics, submit } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import type { Portal } from './portal';

/** Below what the command line waits by default: who is missing must be said before it hangs up. */
export const digestsWithinMs = { min: 100, default: 25_000, max: 3_600_000 } as const;

/** Has every replica of a namespace digested at one barrier. */
export class Digests {
  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly topicPrefix: string,
    private readonly logger: Logger,
  ) {}

  collect(
    namespace: string,
    { principal, deadlineMs = digestsWithinMs.default }: { principal: string; deadlineMs?: number | undefined },
  ): Promise<DigestReport> {
    const topics = controlTopics(this.topicPrefix);
    return collectDigests(this.log, topics, this.portal.view, {
      namespace,
      principal,
      deadlineMs,
      clock: systemClock,
      timers: systemTimers,
      logger: this.logger,
      submit: (command) => submit(this.log, topics, command),
    });
  }
}
