import type { Log } from '@levee/log';
import type { ReadsChoice } from '@levee/sdk';
import type { NearChoice } from '../src/client/near';
import { LocalDistance, type LocalPlan } from '../src/local/local-distance';
import { localLimits } from '../src/local/local-limits';

const everything = { slotStart: 0, slotEnd: 1_000_000 };

/** As `local()`, on a log that is open already and stays so, or on one that the client opens and closes. */
export function localOn(
  log: Log | (() => Promise<Log>),
  namespaces: readonly string[],
  more: Partial<Omit<LocalPlan, 'namespaces' | 'openLog'>> & { readonly slots?: typeof everything } = {},
): ReadsChoice {
  const { slots = everything, ...rest } = more;
  const plan: LocalPlan = {
    namespaces: new Map(namespaces.map((name) => [name, slots])),
    memoryBytesMax: localLimits.memoryBytesMaxDefault,
    stalenessMs: localLimits.stalenessMsDefault,
    cutMs: localLimits.cutMs,
    digests: false,
    ...rest,
    openLog: typeof log === 'function' ? log : () => Promise.resolve(keptOpen(log)),
  };
  const choice: NearChoice = { distance: 'local', open: (host) => new LocalDistance(host, plan) };
  return choice;
}

/** Somebody else closes it. */
function keptOpen(log: Log): Log {
  return new Proxy(log, {
    get(of, name) {
      if (name === 'close') return () => Promise.resolve();
      const found = Reflect.get(of, name, of) as unknown;
      return typeof found === 'function' ? (found as (...args: unknown[]) => unknown).bind(of) : found;
    },
  });
}
