// Reads and writes through node-redis; prints one line per fact, which the test compares. Arguments: module, port.
import { randomBytes } from 'node:crypto';

const [, , name, port] = process.argv;
const { createClient, commandOptions, RESP_TYPES } = await import(name);
const clients = [];
const open = async (options = {}) => {
  const client = createClient({ socket: { port: Number(port), host: '127.0.0.1' }, ...options });
  client.on('error', () => undefined);
  clients.push(client);
  return client.connect();
};
const say = (...words) => console.log(words.join(' '));
const refused = (work) =>
  work.then(
    () => 'taken',
    (error) => `refused: ${String(error.message).split(' ')[0]}`,
  );

const redis = await open();
const buffers = redis.withTypeMapping?.({ [RESP_TYPES.BLOB_STRING]: Buffer });
const getBuffer = (key) => (buffers ? buffers.get(key) : redis.get(commandOptions({ returnBuffers: true }), key));
say('ping', await redis.ping());
const [key, value] = [Buffer.from([0, 107, 255]), Buffer.from('\r\n\0\xff', 'latin1')];
await redis.set(key, value);
say('binary', value.equals(await getBuffer(key)));
say('missing', (await redis.get('none')) === null);
const large = randomBytes(1024 * 1024);
await redis.set('large', large);
say('large', large.equals(await getBuffer('large')));
await redis.set('short', 'x', { EX: 100 });
const ttl = await redis.ttl('short');
say('expiry', ttl > 0 && ttl <= 100);

const written = [];
for (let i = 0; i < 1000; i++) written.push(redis.set(`p:${i}`, i), redis.get(`p:${i}`));
const replies = await Promise.all(written);
say('pipeline', replies.filter((got, i) => i % 2 === 1 && got === String((i - 1) / 2)).length);

const multi = await refused(redis.multi().set('m:1', '1').set('m:2', '2').exec());
say('multi', multi, 'left', await redis.exists(['m:1', 'm:2']));
const batched = await open({ username: 'batched', password: '-' });
say('batch', ...(await batched.multi().set('b:1', '1').get('b:1').del('b:1').exec()));

await Promise.all(Array.from({ length: 1000 }, (_, i) => batched.set(`f:${i}`, `${i}`)));
const flushed = await batched.flushDb();
say(
  'flush',
  flushed,
  'left',
  `${await batched.dbSize()},`,
  await refused(redis.flushDb()),
  'left',
  await redis.exists('p:1'),
);

const seen = new Set();
for await (const found of redis.scanIterator({ MATCH: 'p:*', COUNT: 100 }))
  for (const each of [found].flat()) seen.add(each);
say('scan', seen.size);

const pool = await Promise.all(Array.from({ length: 10 }, () => open()));
let missed = 0;
for (let i = 0; i < 1000; i++) {
  await pool[i % 10].set(`pool:${i % 7}`, i);
  if ((await pool[(i + 1) % 10].get(`pool:${i % 7}`)) !== String(i)) missed++;
}
say('pool missed', missed);

const set = await redis.mSet([
  ['c:1', 'a'],
  ['c:2', 'b'],
]);
say('cache', set, ...(await redis.mGet(['c:1', 'c:2', 'c:3'])).map((got) => got ?? '-'));
say('limiter', await refused(redis.incr('limit')), 'left', await redis.exists('limit'));
say('touch', await refused(redis.expire('short', 50)));
const strayed = await refused(
  open({
    username: 'nosuch',
    password: '-',
    socket: { port: Number(port), host: '127.0.0.1', reconnectStrategy: false },
  }).then((stray) => stray.set('stray', '1')),
);
say('nowhere', strayed.startsWith('refused'), 'left', await redis.exists('stray'));
say('del', await redis.del(['short', 'none']), await redis.exists('short'));
for (const client of clients) if (client.isOpen) await client.disconnect();
