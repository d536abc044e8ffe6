import { assert } from '@levee/kernel';
import { logLimits } from '@levee/log';

export const localLimits = {
  /** How often a portal is asked whether the namespace is still this one; more often where answers must be young. */
  askMs: 1_000,
  /** A portal has so long to answer. */
  askWaitMs: 1_000,
  stalenessMsDefault: 10_000,
  stalenessMsMin: 2_000,
  stalenessMsMax: 86_400_000,
  memoryBytesMaxDefault: 256 * 1024 * 1024,
  memoryBytesMaxMin: 1024 * 1024,
  /** Values are on the heap of V8 as far as they are short, and all keys are. */
  heapShareMax: 0.75,
  /** A read waits so long for what its client has written, or half of its time; then a portal is asked. */
  patienceMs: 100,
  /** Pause before a partition is read from its beginning again; doubled with each time until it is complete. */
  reloadMs: 500,
  reloadMsMax: 60_000,
  /**
   * [safety] After the log lost something that was seen here: portals have asked every node whether it holds more than the
   * log by then, and say so.
   */
  cutMs: 15_000,
  /** How often the topic is looked at, and while it is not as it should be. */
  topicMs: 60_000,
  troubledTopicMs: 2_000,
  /** Pause before brokers are looked for again. */
  openAgainMs: 1_000,
  /** Expired values are removed so much later: somebody may still compare what was held then. */
  expiredKeptMs: 60_000,
  sweepMs: 30_000,
  /** A barrier that is met later than so long after it was written is passed over. */
  digestLateMsMax: 60_000,
  /** A Map of V8 takes no more than 2^24. */
  keysMax: 16_000_000,
  /** Longer values are kept as bytes beside the heap, shorter ones as strings on it, which takes far less for each. */
  stringBytesMax: 1_024,
  /** What a key takes besides its own bytes and those of its value, about. */
  keyOverheadBytes: 160,
  bufferOverheadBytes: 1_000,
  /** What it takes besides to be found in order, once somebody scans. */
  orderedKeyBytes: 24,
  /** Keys are brought in order only where that leaves so much of the memory to what is held: it would be let go of soon. */
  orderedShareMax: 0.95,
  /** Where nobody scanned for so long they are not kept in order. */
  orderKeptMs: 600_000,
  /** After its memory was needed otherwise, or when there is not enough: no sooner again. */
  orderAgainMs: 60_000,
  /** A page of a scan ends where it would hold up its process for longer, or holds so much. */
  pageMs: 2,
  pageBytesMax: 1024 * 1024,
  /** Of each besides its key and value. */
  entryBytes: 32,
  /** Larger ones portals refuse. */
  portalPageKeysMax: 10_000,
  /** A portal's clock goes on by no more than this between two answers than that of a machine that is awake. */
  portalAheadMs: 5_000,
} as const;

const { askMs, askWaitMs, stalenessMsDefault, stalenessMsMin, cutMs, orderAgainMs, orderKeptMs } = localLimits;
assert(askMs + 2 * askWaitMs < stalenessMsDefault, 'that nothing has changed is confirmed before an answer is too old');
assert(stalenessMsMin / 4 >= 100, 'portals are not asked all the time');
assert(stalenessMsMin >= 2 * logLimits.idleMsDefault + askWaitMs, 'portals hear of the journal as often');
assert(orderAgainMs < orderKeptMs, 'who goes on scanning has its keys in order again');
assert(cutMs > 10_000, 'portals ask nodes every second, and wait five for an answer');
