// A session store, a cache that sets in batches, and a rate limiter, as their libraries come. Argument: port.
import { RedisStore } from 'connect-redis';
import KeyvRedis from '@keyv/redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

const port = Number(process.argv[2]);
const say = (...words) => console.log(words.join(' '));
const socket = { port, host: '127.0.0.1' };
const refused = (work) =>
  work.then(
    () => 'taken',
    (error) => `refused: ${String(error.message).split(' ')[0]}`,
  );

const redis = await createClient({ socket }).connect();
for (const disableTouch of [false, true]) {
  const store = new RedisStore({ client: redis, prefix: `sess${disableTouch}:`, disableTouch });
  const cookie = { originalMaxAge: 60_000, maxAge: 60_000 };
  await store.set('one', { cookie, user: 'ann' });
  const touched = await refused(store.touch('one', { cookie }).then((ok) => ok));
  const got = await store.get('one');
  await store.destroy('one');
  say(
    'session store, disableTouch',
    disableTouch,
    got?.user,
    'touch',
    touched,
    'then',
    (await store.get('one')) ?? 'gone',
  );
}

for (const username of [undefined, 'batched']) {
  const cache = new KeyvRedis({ socket, username, password: username && '-' }, { namespace: 'cache' });
  let told = 'nothing';
  cache.on('error', (error) => (told = String(error.message).split(' ')[0]));
  await cache.setMany([
    { key: 'a', value: '1', ttl: 60_000 },
    { key: 'b', value: '2' },
  ]);
  say('cache in', username ?? 'default', 'told', told, JSON.stringify(await cache.getMany(['a', 'b', 'c'])));
  await cache.disconnect();
}

const limits = new Redis(port, '127.0.0.1');
const limiter = new RateLimiterRedis({ storeClient: limits, points: 5, duration: 1, keyPrefix: 'limit' });
say('rate limiter', await refused(limiter.consume('ann')), 'left', await limits.exists('limit:ann'));
limits.disconnect();
await redis.disconnect();
