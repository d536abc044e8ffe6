export { EmbeddedLog } from './embedded-log';
export type { EmbeddedLogOptions } from './options';
export { embeddedLimits } from './limits';
export { withReserve } from './reserve';
export { holdsLog } from './folder';
export { type HeldLock, takeLock } from './folder-lock';
