const readBeforeWrite =
  'it depends on a read before its write, which a log that many writers append to cannot decide; it comes with ' +
  'sequenced namespaces. Use GET, then SET';
const otherType = 'values are byte strings: there are no lists, sets, hashes or streams';
const noMessages = 'there is no publish and subscribe; follow the log itself (any Kafka consumer, or levee log tail)';
const noScript = 'there are no scripts';

/** Where it says why things are refused, and what to use instead. */
export const differencesPage = 'docs/redis-differences.md';

/** Commands of Redis that are refused, and why. */
export const refusedCommands: ReadonlyMap<string, string> = new Map([
  ...of(readBeforeWrite, 'SETNX MSETNX GETSET GETDEL GETEX INCR INCRBY INCRBYFLOAT DECR DECRBY APPEND SETRANGE SETBIT'),
  ...of(readBeforeWrite, 'BITOP BITFIELD EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST RENAME RENAMENX COPY MOVE SETXX'),
  ...of(
    otherType,
    'LPUSH RPUSH LPOP RPOP LRANGE LLEN SADD SREM SMEMBERS SCARD HSET HGET HGETALL HDEL HLEN ZADD ZRANGE',
  ),
  ...of(
    otherType,
    'ZREM ZCARD ZSCORE XADD XREAD XRANGE XLEN PFADD PFCOUNT GEOADD HMSET HMGET SISMEMBER LINDEX BLPOP BRPOP',
  ),
  ['WATCH', 'no write can depend on what was read before it: that comes with sequenced namespaces'],
  ...of(noMessages, 'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE PUBLISH SPUBLISH PUBSUB MONITOR'),
  ...of(noScript, 'EVAL EVALSHA EVAL_RO FCALL FCALL_RO SCRIPT FUNCTION'),
  ['KEYS', 'it would hold everything in memory at once: use SCAN 0 MATCH pattern'],
  ['RANDOMKEY', 'use SCAN'],
  ['FLUSHDB', 'nothing is deleted wholesale through this door: delete the namespace by its name'],
  ['FLUSHALL', 'nothing is deleted wholesale through this door: delete namespaces by their names'],
  ['WAIT', 'use LV.ACK all before a write, or LV.WAIT position after it'],
  ['CLUSTER', 'a portal routes by itself: connect as to a single server'],
  ['REPLICAOF', 'replicas follow the log, not this process'],
  ['SLAVEOF', 'replicas follow the log, not this process'],
  ['SAVE', 'the log is the durable copy; there is nothing to save'],
  ['BGSAVE', 'the log is the durable copy; there is nothing to save'],
  ['SHUTDOWN', 'send SIGTERM to the process'],
  ['DEBUG', 'see /metrics and levee status'],
  ['DUMP', 'values are byte strings: GET gives the whole value'],
  ['RESTORE', 'values are byte strings: use SET'],
  ['OBJECT', 'values are byte strings; LV.WHERE says where a key lives'],
  ['GETRANGE', 'use GET; values have at most 1 MiB'],
  ['TOUCH', 'nothing is evicted, so there is nothing to touch; use EXISTS'],
]);

function of(reason: string, names: string): [string, string][] {
  return names.split(' ').map((name) => [name, reason]);
}
