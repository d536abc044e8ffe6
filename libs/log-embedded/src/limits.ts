import { assert } from '@levee/kernel';
import { logLimits } from '@levee/log';

export const embeddedLimits = {
  /** Records of one partition that share an entry, unless a single append is larger. */
  entryBytesMax: 1024 * 1024,
  /** Records that compaction puts into one entry. */
  cleanedEntryBytesMax: 256 * 1024,
  /** Entries that share one synced batch, unless a single append is larger: whoever comes meanwhile waits for it. */
  groupBytesMax: 1024 * 1024,
  /** An append up to this is small: its partition comes before those in which only larger ones wait. */
  smallAppendBytes: 64 * 1024,
  /** Longest wait for records of callers who were just answered, before the next batch begins; see `Gathering`. */
  gatherMs: 1,
  /** Fewer records outstanding are not waited for. */
  gatherRecordsMin: 8,
  /** The share of the outstanding records with which a batch begins at once. */
  gatherShare: 0.75,
  /** Entries kept in memory for readers near the end, over all partitions. */
  recentBytesMax: 16 * 1024 * 1024,
  partitionsMax: 4096,
  topicNameLengthMax: 249,
  /** Wait between attempts to open the database again after a failed write. */
  reopenMs: 1000,
  /** Wait between attempts to read while the database is being opened again. */
  rereadMs: 100,
  /** What a record is taken to need where only their number is known. */
  recordBytesGuess: 128,
  /** A journal file is emptied into a run when it has grown to this. */
  journalBytes: 16 * 1024 * 1024,
  /** On opening, entries of fewer bytes stay in the journal; more go to a run. */
  rejournalBytes: 4 * 1024 * 1024,
  /** A run that cleaning writes; then it begins another. */
  runBytesMax: 64 * 1024 * 1024,
  /** Read at once when the log is looked through for damage. */
  checkBytes: 1024 * 1024,
  /** Read on opening, before anybody is served; the rest is looked through in rounds. */
  checkBytesAtOpen: 64 * 1024 * 1024,
  /** Read for that in one round of upkeep. */
  checkBytesPerRound: 8 * 1024 * 1024,
  /** Kept free on the disk for opening a log that has filled it: that may write two journals and a run anew. */
  reserveBytes: 48 * 1024 * 1024,
  /** It is made only where there is so many times as much room. */
  reserveFreeShare: 8,
  /** How often the cleaner looks for partitions to clean. */
  cleanEveryMs: 15_000,
  /** Distinct keys one cleaning round keeps in memory; the rest is cleaned by later rounds. */
  cleanKeysMax: 1_000_000,
} as const;

assert(
  embeddedLimits.groupBytesMax < logLimits.appendQueueBytesMax,
  'one synced batch is smaller than the queue in front of it',
);
assert(
  embeddedLimits.journalBytes + 2 * embeddedLimits.rejournalBytes < embeddedLimits.reserveBytes,
  'I2: a log can be opened in the room that is kept for that',
);
assert(
  embeddedLimits.rejournalBytes < embeddedLimits.journalBytes,
  'what stays in the journal on opening fits into it',
);
