export { EmbeddedLog, type EmbeddedLogOptions, type EmbeddedLogStats } from './embedded-log';
export { embeddedLimits } from './limits';
export type { FolderOwner } from './folder';
