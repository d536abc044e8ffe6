import type { ClusterView } from '@levee/journal';
import { failureCode, type Logger } from '@levee/kernel';
import { nodeLimits } from '../node-limits';

/** To their end; where the journal has lost its end, as far as anybody knows: data is served on as without a master. */
export async function readControlTopics(view: ClusterView, logger: Logger): Promise<void> {
  try {
    await view.readToEnd(nodeLimits.waitMsMax);
  } catch (error) {
    if (failureCode(error) !== 'JOURNAL_SHORT') throw error;
    logger.error({ error }, 'serving what this process knows; nothing is cleared');
  }
}
