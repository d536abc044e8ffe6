/**
 * A hostile or careless client as a process of its own: `node stranger.cjs <kind> <RESP port> <HTTP port> <ms>`. Goes on
 * for so long, then prints what it saw as one line of JSON and ends.
 */
const { connect } = require('node:net');

const [, , kind, resp, http, ms] = process.argv;
const seen = { sent: 0, replies: 0, bytes: 0, errors: 0, closed: 0, whole: 0, firstError: '' };
const sockets = [];

/** A connection that reads nothing unless told to; `again` connects anew when it was closed. */
function open(port, begin, again = false) {
  const socket = connect(Number(port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    seen.closed++;
    if (again && !over) setTimeout(() => open(port, begin, again), 100);
  });
  socket.on('connect', () => begin(socket));
  return socket;
}

function each(count, port, begin, again) {
  for (let i = 0; i < count; i++) open(port, (socket) => begin(socket, i), again);
}

/** Counts replies and remembers the first error. */
function read(socket) {
  socket.on('data', (data) => {
    seen.bytes += data.length;
    const at = data[0] === 0x2d ? 0 : data.indexOf('\n-');
    if (at < 0) return;
    seen.errors++;
    seen.firstError ||= data.toString('latin1', at, at + 160).trim();
  });
}

const command = (...args) =>
  Buffer.concat([
    Buffer.from(`*${args.length}\r\n`),
    ...args.flatMap((arg) => [Buffer.from(`$${Buffer.byteLength(arg)}\r\n`), Buffer.from(arg), Buffer.from('\r\n')]),
  ]);
const key = (i) => `key:${String(i).padStart(12, '0')}`;
const forever = (socket, what) => {
  const more = () => {
    while (!over && !socket.destroyed && socket.write(what)) seen.sent++;
  };
  socket.on('drain', more);
  more();
};

let over = false;
const kinds = {
  'names of 15 MiB': () => {
    const name = 'n'.repeat(15 * 1024 * 1024);
    each(60, resp, (socket) => {
      read(socket);
      socket.write(command('CLIENT', 'SETNAME', name));
    });
  },
  'patterns that match badly': () => {
    const scan = command('SCAN', '0', 'MATCH', `*${'a?'.repeat(500)}b*`, 'COUNT', '10000');
    const config = command('CONFIG', 'GET', '*a'.repeat(2_000));
    each(8, resp, (socket) => {
      read(socket);
      forever(socket, Buffer.concat([scan, config]));
    });
  },
  '200,000 GETs written before a reply is read': () => {
    const pipeline = Buffer.concat(Array.from({ length: 200_000 }, (_, i) => command('GET', key(i % 20_000))));
    const once = (socket) => {
      let bytes = 0;
      socket.pause();
      socket.write(pipeline, () => {
        socket.on('data', (data) => {
          bytes += data.length;
          seen.bytes += data.length;
          if (bytes < 200_000 * 508) return;
          seen.whole++;
          socket.destroy();
          if (!over) open(resp, once);
        });
        socket.resume();
      });
    };
    each(2, resp, once);
  },
  'MGETs of 65,535 keys in pipelines': () => {
    const mget = command('MGET', ...Array.from({ length: 65_535 }, (_, i) => key(i % 20_000)));
    each(8, resp, (socket) => {
      read(socket);
      forever(socket, mget);
    });
  },
  'SETs of 1 MB in pipelines': () => {
    const value = Buffer.alloc(1_000_000, 'x');
    const sets = Array.from({ length: 20 }, (_, i) => command('SET', `large:${i}`, value));
    each(100, resp, (socket) => {
      read(socket);
      for (let i = 0; i < 20; i++) socket.write(sets[i]);
      socket.on('data', () => void (socket.writableLength < 4e6 && !over && socket.write(sets[seen.sent++ % 20])));
    });
  },
  '60 connections that read nothing': () => {
    const pipeline = Buffer.concat(Array.from({ length: 4_000 }, (_, i) => command('GET', `large:${i % 200}`)));
    each(60, resp, (socket) => (socket.pause(), forever(socket, pipeline)), true);
  },
  '60 bytes that promise 16 MiB': () => {
    each(1_000, resp, (socket) => {
      read(socket);
      for (const part of ['*2\r\n$3\r\nGET\r\n', '$16777216\r\n', 'a', 'few bytes']) socket.write(part);
    });
  },
  'commands of 15 MiB that never end': () => {
    const half = Buffer.concat([Buffer.from('*2\r\n$3\r\nGET\r\n$16777216\r\n'), Buffer.alloc(15 * 1024 * 1024, 'x')]);
    each(100, resp, (socket) => {
      read(socket);
      socket.write(half);
    });
  },
  '300 unread scans': () => {
    const get = 'GET /v1/kv/default?limit=1000000 HTTP/1.1\r\nhost: x\r\n\r\n';
    each(300, http, (socket) => (socket.pause(), socket.write(get)), true);
  },
  '1,500 unfinished bodies': () => {
    const head = 'PUT /v1/kv/default/body HTTP/1.1\r\nhost: x\r\ncontent-length: 1900000\r\n\r\n';
    const half = Buffer.alloc(1_800_000, 'x');
    each(1_500, http, (socket) => (socket.write(head), socket.write(half)));
  },
  'commands of unknown kinds': () => {
    const body = JSON.stringify({ kind: 'Dance', payload: { steps: 'x'.repeat(500) } });
    const post = `POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    each(8, http, (socket) => {
      socket.on('data', (data) => {
        seen.replies++;
        seen.bytes += data.length;
        if (!over) socket.write(post);
      });
      socket.write(post);
    });
  },
};

if (kinds[kind] === undefined) {
  process.stderr.write(`${Object.keys(kinds).join('\n')}\n`);
  process.exit(2);
}
kinds[kind]();
setTimeout(() => {
  over = true;
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
}, Number(ms));
