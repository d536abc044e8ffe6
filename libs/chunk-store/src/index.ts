export * from './breather';
export * from './chain';
export * from './chunk-store-failure';
export { type CopyBlock, CopyBlockWriter, CopyEntries } from './copy/copy-block';
export * from './copy/copy-piece';
export * from './copy/copy-position';
export * from './copy/copy-target';
export * from './copy/snapshot-copy';
export * from './damage';
export * from './disk-refusal';
export * from './engine';
export * from './engine-memory';
export { journalSeenBelow, type JournalSeenThere } from './journal-seen';
export * from './key-state';
export { checkFiles, type FilesChecked, type FilesToCheck } from './leveldb-files/check-files';
export * from './node-disk';
export * from './prepared-batch';
export * from './replica';
export * from './replica-identity';
export * from './replica-scan';
export * from './replica-types';
export { type KeptFor, type KeptPosition, type SetAside, setAsideLimits } from './set-aside';
export * from './snapshot/reader-thread';
export * from './snapshot/replica-snapshot';
export * from './snapshot/snapshot-digest';
export * from './snapshot/snapshot-reader';
export * from './snapshot/thread-reader';
export * from './stored-value';
export * from './sweep';
export {
  checkHere,
  checkedAheadMsMax,
  checkIn,
  type CheckProgress,
  type FileChecker,
  type UnitScrub,
} from './unit-checks';
export * from './unit-disk';
export type { ClearedUnit, UnitFormat } from './unit-format';
export * from './unit-spec';
export * from './value-cache';
export * from './write-trail';
export { wrongKind } from './wrong-kind';
