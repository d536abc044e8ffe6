import type { ReadsChoice } from './api';
import type { NearChoice } from './client/near';
import { DirectDistance } from './direct/direct-distance';

/**
 * For `connect({ portals, reads: direct() })`: reads go from this process to the data nodes that hold their keys, one hop.
 * What nodes may not decide alone goes through portals as before: writes, strong reads, watches.
 */
export function direct(): ReadsChoice {
  const choice: NearChoice = { distance: 'direct', open: (host) => new DirectDistance(host) };
  return choice;
}
