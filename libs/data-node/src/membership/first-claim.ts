import type { ClusterView } from '@levee/journal';
import { failureCode, type Logger } from '@levee/kernel';
import { nodeLimits } from '../node-limits';

/** Id of the cluster, once a master has claimed it; ends with the view only. */
export async function firstClaim(view: ClusterView, logger: Logger): Promise<string> {
  for (;;) {
    try {
      return await view.until(() => view.clusterId, nodeLimits.waitMsMax, 'the first claim of a master');
    } catch (error) {
      if (failureCode(error) !== 'DEADLINE') throw error;
      logger.warn({}, 'no master has claimed this cluster yet; waiting');
    }
  }
}
