// Ports for processes that are about to be started.
import { createServer } from 'node:net';

/**
 * One port per wish: the wished one when nobody listens there, else any free one; a wish of 0 is any free one. All are
 * held until the last is known, so that no two are the same.
 */
export async function claimPorts(wishes, host = '127.0.0.1') {
  const held = [];
  try {
    for (const wish of wishes) held.push(await listen(wish, host).catch(() => listen(0, host)));
    return held.map((server) => server.address().port);
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listen(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}
