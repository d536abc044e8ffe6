// TLS, user and password through node-redis; prints one line per fact. Arguments: module, port, CA, user, password.
import { readFileSync } from 'node:fs';

const [, , name, port, ca, username, password] = process.argv;
const { createClient } = await import(name);
const clients = [];
const open = async (options) => {
  const socket = { tls: true, ca: readFileSync(ca), reconnectStrategy: false };
  const client = createClient({ socket: { host: 'localhost', port: Number(port), ...socket }, ...options });
  client.on('error', () => undefined);
  clients.push(client);
  return client.connect();
};
const outcome = (work) =>
  work.then(
    () => 'taken',
    (error) => /NOAUTH|WRONGPASS/.exec(error.message)?.[0] ?? error.message,
  );

const redis = await open({ username, password });
console.log('set', await redis.set('secure:node-redis', 'value'));
console.log('get', await redis.get('secure:node-redis'));
console.log('whoami', await redis.sendCommand(['ACL', 'WHOAMI']));
console.log('stranger', await outcome(open({}).then((client) => client.get('secure:node-redis'))));
console.log('wrong', await outcome(open({ username, password: 'wrong' })));
const url = `rediss://${username}:${encodeURIComponent(password)}@localhost:${port}`;
console.log('url', await (await open({ url, socket: { tls: true, ca: readFileSync(ca) } })).get('secure:node-redis'));
// Those that were refused are closed already.
for (const each of clients.filter(({ isOpen }) => isOpen)) (each.destroy ?? each.disconnect).call(each);
