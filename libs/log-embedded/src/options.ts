import type { Clock, Logger, Timers } from '@levee/kernel';
import type { LogDatabase } from './store/level-store';
import type { FileLimits } from './store/file-store';
import type { LogStore } from './store/log-store';

export interface EmbeddedLogOptions {
  /** Folder on disk; created when missing. Either this, `db` or `store`. */
  readonly location?: string;
  /** Any abstract-level database, such as a memory-level; the log opens and closes it. */
  readonly db?: LogDatabase;
  /** Any other storage; the log opens and closes it. */
  readonly store?: LogStore;
  /** When the files in `location` turn over; the default is `embeddedLimits`. */
  readonly fileLimits?: FileLimits;
  /** Addresses of the process that opens the folder, shown to whoever tries to open it too. */
  readonly doors?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly logger?: Logger | undefined;
  /** How often the cleaner looks for work (default `embeddedLimits.cleanEveryMs`); 0 = only when asked. */
  readonly cleanEveryMs?: number;
  /** Room kept on the disk of `location` for opening it when that is full (default `embeddedLimits.reserveBytes`). */
  readonly reserveBytes?: number | undefined;
}

export interface EmbeddedLogStats {
  readonly syncs: number;
  readonly appends: number;
  readonly records: number;
  /** Bytes of appends waiting or unanswered. */
  readonly queuedBytes: number;
  readonly tails: number;
  readonly epoch: number;
}
