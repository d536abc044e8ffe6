import { isDefinite, LogFailure } from '@levee/log';
import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';

/** I3: definite only when the log says so. */
export function appendFailure(error: unknown): StoreFailure {
  const definite = error instanceof LogFailure && isDefinite(error.code);
  const message = error instanceof LogFailure ? `${error.code} ${error.message}` : String(error);
  return new StoreFailure(definite ? 'LVDEFINITE' : 'LVINDEFINITE', message, { cause: error });
}

/** Its time was over before it was given to the log. */
export function unsent({ appendMs }: StoreLimits): StoreFailure {
  return new StoreFailure(
    'LVDEFINITE',
    `the log took no writes for ${appendMs} ms after this one came; it was not sent`,
  );
}

/** I3: its time was over while the log had it in hand. */
export function unanswered({ appendMs }: StoreLimits): StoreFailure {
  return new StoreFailure(
    'LVINDEFINITE',
    `the log has not answered ${appendMs} ms after the write came; it may still be written`,
  );
}
