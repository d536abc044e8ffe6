import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { assert, failureCode, messageOf } from '@levee/kernel';
import { damageOf } from '../damage';
import { readerLimits, type FromReader, type ToReader } from './reader-messages';
import { Readings } from './readings';

/** Entry of the reader thread. */
assert(parentPort !== null, 'this file is run as a thread');
const port = parentPort;

try {
  // Linux gives each thread a priority of its own.
  setPriority(Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0]), readerLimits.niceness);
} catch {
  // Elsewhere it competes as an equal.
}

const readings = new Readings((reading, bytes) => send({ to: 'slice', reading, bytes }));

port.on('message', (message: ToReader) => {
  if (message.to === 'goOn') return readings.goOn(message.reading);
  const { id, request } = message;
  readings.answer(request).then(
    ({ value, transfer }) => port.postMessage({ to: 'answer', id, value } satisfies FromReader, transfer),
    (error: unknown) => {
      // The engine's own codes do not pass between threads: what they mean does.
      const found = damageOf(error) ?? error;
      send({ to: 'failure', id, code: failureCode(found), message: messageOf(found) });
    },
  );
});

function send(message: FromReader): void {
  port.postMessage(message);
}
