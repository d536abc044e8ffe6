// Reads and writes through ioredis; prints one line per fact, which the test compares. Arguments: module, port.
import { randomBytes } from 'node:crypto';

const [, , name, port] = process.argv;
const { Redis } = await import(name);
const open = (options = {}) => new Redis(Number(port), '127.0.0.1', { maxRetriesPerRequest: 1, ...options });
const say = (...words) => console.log(words.join(' '));
const refused = (work) =>
  work.then(
    () => 'taken',
    (error) => `refused: ${String(error.message).split(' ')[0]}`,
  );

const redis = open();
say('ping', await redis.ping());
const [key, value] = [Buffer.from([0, 107, 255]), Buffer.from('\r\n\0\xff', 'latin1')];
await redis.set(key, value);
say('binary', value.equals(await redis.getBuffer(key)));
say('missing', (await redis.get('none')) === null);
const large = randomBytes(1024 * 1024);
await redis.set('large', large);
say('large', large.equals(await redis.getBuffer('large')));
await redis.set('short', 'x', 'EX', 100);
const ttl = await redis.ttl('short');
say('expiry', ttl > 0 && ttl <= 100);

const pipeline = redis.pipeline();
for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
const replies = await pipeline.exec();
say('pipeline', replies.filter(([error, got], i) => i % 2 === 1 && !error && got === String((i - 1) / 2)).length);

const multi = await refused(redis.multi().set('m:1', 1).set('m:2', 2).exec());
say('multi', multi, 'left', await redis.exists('m:1', 'm:2'));
const batched = open({ username: 'batched', password: '-' });
const batch = await batched.multi().set('b:1', 1).get('b:1').del('b:1').exec();
say('batch', ...batch.map(([error, reply]) => error ?? reply));

await Promise.all(Array.from({ length: 1000 }, (_, i) => batched.set(`f:${i}`, i)));
const flushed = await batched.flushdb();
say(
  'flush',
  flushed,
  'left',
  `${await batched.dbsize()},`,
  await refused(redis.flushdb()),
  'left',
  await redis.exists('p:1'),
);

let cursor = '0';
const seen = new Set();
do {
  const [next, keys] = await redis.scan(cursor, 'MATCH', 'p:*', 'COUNT', 100);
  cursor = next;
  for (const found of keys) seen.add(found);
} while (cursor !== '0');
say('scan', seen.size);

const pool = Array.from({ length: 10 }, () => open());
let missed = 0;
for (let i = 0; i < 1000; i++) {
  await pool[i % 10].set(`pool:${i % 7}`, i);
  if ((await pool[(i + 1) % 10].get(`pool:${i % 7}`)) !== String(i)) missed++;
}
say('pool missed', missed);

say(
  'cache',
  await redis.mset('c:1', 'a', 'c:2', 'b'),
  ...(await redis.mget('c:1', 'c:2', 'c:3')).map((got) => got ?? '-'),
);
say('limiter', await refused(redis.incr('limit')), 'left', await redis.exists('limit'));
say('touch', await refused(redis.expire('short', 50)));
const stray = open({ username: 'nosuch', password: '-', retryStrategy: null });
stray.on('error', () => undefined);
const strayed = await refused(stray.set('stray', 1));
say('nowhere', strayed.startsWith('refused'), 'left', await redis.exists('stray'));
say('del', await redis.del('short', 'none'), await redis.exists('short'));
for (const client of [redis, batched, stray, ...pool]) client.disconnect();
