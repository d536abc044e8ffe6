import { assert } from '@levee/kernel';
import type { ClientLimits } from './api';

const clientLimits: ClientLimits = {
  operationsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  connectionsPerPortal: 1,
  namespacesMax: 256,
  probeMs: 1_000,
  // Longer than a portal takes for a write.
  silentMs: 20_000,
  retryShare: 0.1,
  retriesAtOnceMax: 2_000,
  retryPauseMs: 10,
  retryPauseMsMax: 500,
};

export function checkedLimits(wanted: Partial<ClientLimits> = {}): ClientLimits {
  const limits = { ...clientLimits, ...wanted };
  for (const [name, value] of Object.entries(limits))
    if (!(value > 0)) throw new RangeError(`limits.${name} is ${value}: it must be above 0`);
  assert(limits.retryPauseMs <= limits.retryPauseMsMax, 'pauses grow');
  return limits;
}
