export { EmbeddedLog } from './embedded-log';
export type { EmbeddedLogOptions, EmbeddedLogStats } from './options';
export type { LogDatabase } from './database';
export { embeddedLimits } from './limits';
export type { FolderOwner } from './folder';
