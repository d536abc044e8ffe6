// Ports for processes that are about to be started.
const { createServer } = require('node:net');

/**
 * Not those that a system gives out by itself (on Linux 32768 to 60999): between the look and the start one of them may
 * become the near end of anybody's connection.
 */
const free = { from: 15_000, to: 32_000, attempts: 200 };

/**
 * One port per wish: the wished one when nobody listens there, else any free one; a wish of 0 is any free one. All are
 * held until the last is known, so that no two are the same.
 */
async function claimPorts(wishes, host = '127.0.0.1') {
  const held = [];
  try {
    for (const wish of wishes)
      held.push(wish === 0 ? await anyFree(host) : await listen(wish, host).catch(() => anyFree(host)));
    return held.map((server) => server.address().port);
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function anyFree(host) {
  for (let attempt = 0; attempt < free.attempts; attempt++) {
    const port = free.from + Math.floor(Math.random() * (free.to - free.from));
    const server = await listen(port, host).catch(() => undefined);
    if (server !== undefined) return server;
  }
  return listen(0, host);
}

function listen(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

module.exports = { claimPorts };
