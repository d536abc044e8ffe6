// TLS, user and password through ioredis; prints one line per fact. Arguments: module, port, CA, user, password.
import { readFileSync } from 'node:fs';

const [, , name, port, ca, username, password] = process.argv;
const { Redis } = await import(name);
const tls = { ca: readFileSync(ca) };
const told = [];
const open = (options) => {
  const redis = new Redis(Number(port), 'localhost', { tls, maxRetriesPerRequest: 0, retryStrategy: null, ...options });
  redis.on('error', (error) => told.push(error.message));
  return redis;
};
const outcome = (work) =>
  work.then(
    () => 'taken',
    (error) => /NOAUTH|WRONGPASS/.exec(`${error.message} ${error.lastNodeError?.message}`)?.[0] ?? error.message,
  );

const redis = open({ username, password });
console.log('set', await redis.set('secure:ioredis', 'value'));
console.log('get', await redis.get('secure:ioredis'));
console.log('whoami', await redis.call('ACL', 'WHOAMI'));
const stranger = open({ enableReadyCheck: false });
console.log('stranger', await outcome(stranger.get('secure:ioredis')));
// It tells its listeners that the password is wrong, and its commands fail one way or the other.
const wrong = open({ enableReadyCheck: false, username, password: 'wrong' });
await outcome(wrong.get('secure:ioredis'));
console.log('wrong', /WRONGPASS/.exec(told.join())?.[0]);
const url = new Redis(`rediss://${username}:${encodeURIComponent(password)}@localhost:${port}`, { tls });
console.log('url', await url.get('secure:ioredis'));
for (const each of [redis, stranger, wrong, url]) each.disconnect();
