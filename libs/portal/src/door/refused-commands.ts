/** The page that says why things are refused, and what comes. */
export const differencesPage = 'docs/redis-differences.md';

export interface Refusal {
  readonly why: string;
  /** What to do that loses nothing. */
  readonly instead: string;
  /** Of the page, as a link has it. */
  readonly section: string;
}

export function refusalText(what: string, { why, instead, section }: Refusal): string {
  return `LVUNSUPPORTED ${what}: ${why}; ${instead} (${differencesPage}#${section})`;
}

const stored = 'a log that many append to cannot decide a write by what is stored';
const bytes = 'values are byte strings';

const counters: Refusal = {
  section: 'counters',
  why: `there are no counters yet: ${stored}, and GET, then SET loses updates`,
  instead: 'let each process SET a key of its own that nobody else writes, and add them up',
};
const locks: Refusal = {
  section: 'locks',
  why: `there are no locks yet: ${stored}, so two clients would both get one`,
  instead: 'take locks of a system that decides, such as etcd, ZooKeeper or a database',
};
const timeToLive: Refusal = {
  section: 'time-to-live',
  why: 'the time to live is part of the record of a value',
  instead: 'write both: SET key value EX seconds (PX, EXAT, PXAT); session stores have an option that avoids touch',
};
const replaceAndTake: Refusal = {
  section: 'replace-and-take',
  why: `reading and writing a key in one step is not there yet: ${stored}`,
  instead: 'GET and SET, or GET and DEL, only where nobody else writes the key',
};
const parts: Refusal = {
  section: 'parts-of-a-value',
  why: `a part of a value cannot be written: ${stored}`,
  instead: 'SET whole values, of which each has one writer',
};

const refusals: readonly (readonly [names: string, refusal: Refusal])[] = [
  ['INCR INCRBY INCRBYFLOAT DECR DECRBY', counters],
  ['SETNX MSETNX', locks],
  ['EXPIRE PEXPIRE EXPIREAT PEXPIREAT', timeToLive],
  ['GETEX', { ...timeToLive, instead: 'use GET, and give the time to live when the value is SET' }],
  ['PERSIST', { ...timeToLive, instead: 'SET key value without EX keeps it for ever' }],
  ['GETSET GETDEL', replaceAndTake],
  ['APPEND SETRANGE SETBIT BITFIELD BITOP', parts],
  [
    'GETBIT BITCOUNT BITPOS BITFIELD_RO LCS',
    { section: 'parts-of-a-value', why: 'a value is read whole', instead: 'use GET; values have at most 1 MiB' },
  ],
  [
    'RENAME RENAMENX COPY',
    {
      section: 'renaming',
      why: 'two keys are two records, and may be in two partitions',
      instead: 'write the value under the new key first, then DEL the old one, while nobody else writes either',
    },
  ],
  [
    'MOVE SWAPDB',
    {
      section: 'renaming',
      why: 'namespaces have names, and share no keys',
      instead: 'write the value in the other namespace (LV.USE), then DEL it in this one',
    },
  ],
  [
    'WATCH',
    {
      section: 'multi',
      why: `no write can depend on what was read before it: ${stored}`,
      instead: 'keep what changes together in one value, with one writer',
    },
  ],
  [
    'HSET HSETNX HMSET HGET HMGET HGETALL HDEL HEXISTS HLEN HKEYS HVALS HSTRLEN HINCRBY HINCRBYFLOAT HRANDFIELD HSCAN ' +
      'HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST HTTL HPTTL HGETEX HGETDEL HSETEX',
    {
      section: 'other-types',
      why: `${bytes}: there are no hashes`,
      instead: 'SET a hash as one value (JSON), or each field as a key of its own (user:1:name)',
    },
  ],
  [
    'LPUSH LPUSHX RPUSH RPUSHX LPOP RPOP LRANGE LLEN LINDEX LSET LREM LTRIM LINSERT LPOS LMOVE LMPOP RPOPLPUSH BLPOP ' +
      'BRPOP BRPOPLPUSH BLMOVE BLMPOP XADD XREAD XREADGROUP XRANGE XREVRANGE XLEN XDEL XTRIM XGROUP XACK XPENDING ' +
      'XCLAIM XAUTOCLAIM XINFO XSETID',
    {
      section: 'other-types',
      why: `${bytes}: there are no lists and no streams`,
      instead: 'for a queue use a topic of the log itself; SET a short list as one value, with one writer',
    },
  ],
  [
    'SADD SREM SMEMBERS SCARD SISMEMBER SMISMEMBER SPOP SRANDMEMBER SMOVE SSCAN SUNION SINTER SDIFF SUNIONSTORE ' +
      'SINTERSTORE SDIFFSTORE SINTERCARD',
    {
      section: 'other-types',
      why: `${bytes}: there are no sets`,
      instead: 'SET each member as a key of its own (tag:red:42) and SCAN 0 MATCH tag:red:*',
    },
  ],
  [
    'ZADD ZREM ZCARD ZSCORE ZMSCORE ZINCRBY ZCOUNT ZLEXCOUNT ZRANK ZREVRANK ZRANGE ZRANGESTORE ZREVRANGE ' +
      'ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ' +
      'ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP ZRANDMEMBER ZSCAN ZUNION ZINTER ZDIFF ZUNIONSTORE ZINTERSTORE ' +
      'ZDIFFSTORE ZINTERCARD PFADD PFCOUNT PFMERGE GEOADD GEODIST GEOHASH GEOPOS GEOSEARCH GEOSEARCHSTORE GEORADIUS ' +
      'GEORADIUSBYMEMBER SORT SORT_RO',
    {
      section: 'other-types',
      why: `${bytes}: there are no sorted sets, counts or places`,
      instead: 'keep them where they are computed, and SET the result as one value',
    },
  ],
  [
    'EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO SCRIPT FUNCTION',
    {
      section: 'scripts',
      why: `there are no scripts: ${stored}`,
      instead: 'locks and rate limiters that are scripts need another system until sequenced namespaces are there',
    },
  ],
  [
    'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH PUBSUB MONITOR',
    {
      section: 'messages',
      why: 'there is no publish and subscribe',
      instead: 'follow the log itself: any Kafka consumer, or levee log tail',
    },
  ],
  ...(
    [
      ['WAIT WAITAOF', 'a write waits by itself', 'use LV.ACK all before it, or LV.WAIT position after it'],
      ['CLUSTER READONLY READWRITE ASKING', 'a portal routes by itself', 'connect as to a single server'],
      ['REPLICAOF SLAVEOF SYNC PSYNC FAILOVER', 'replicas follow the log, not this process', 'see levee plan --help'],
      ['SAVE BGSAVE BGREWRITEAOF LASTSAVE', 'the log is the durable copy', 'there is nothing to save'],
      ['DEBUG LATENCY SLOWLOG', 'this process is not redis-server', 'see /metrics and levee status'],
      ['SHUTDOWN', 'this door stops no process', 'send SIGTERM to it'],
      ['MODULE', 'there are no modules', 'what a portal does it does for every namespace'],
      ['DUMP', bytes, 'GET gives the whole value'],
      ['RESTORE MIGRATE', bytes, 'use SET'],
    ] as const
  ).map(([names, why, instead]) => [names, { section: 'one-server', why, instead }] as const),
];

/** Commands of Redis that are refused, and why. */
export const refusedCommands: ReadonlyMap<string, Refusal> = new Map(
  refusals.flatMap(([names, refusal]) => names.split(' ').map((name) => [name, refusal] as const)),
);

/** Options of SET that are refused. */
export const refusedSetOptions: Readonly<Record<string, Refusal>> = {
  NX: locks,
  XX: {
    ...locks,
    why: `${stored}, so it cannot depend on the key being there`,
    instead: 'SET without XX, or EXISTS first where nobody else writes the key',
  },
  IFEQ: replaceAndTake,
  IFNE: replaceAndTake,
  GET: replaceAndTake,
  KEEPTTL: { ...timeToLive, instead: 'give it again: SET key value EX seconds' },
};
