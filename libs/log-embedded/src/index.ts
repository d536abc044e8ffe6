export { EmbeddedLog } from './embedded-log';
export type { EmbeddedLogOptions, EmbeddedLogStats } from './options';
export type { LogDatabase } from './store/level-store';
export { embeddedLimits } from './limits';
export type { FolderOwner } from './folder';
export { withReserve } from './reserve';
export { type HeldLock, takeLock } from './folder-lock';
