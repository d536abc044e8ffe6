let last = 0;

/**
 * From which a connection comes, another one each time: who guesses is slowed by his address, so a spec with many wrong
 * passwords would wait for itself. Only Linux takes all of 127.0.0.0/8; elsewhere it waits.
 */
export function ownAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  last = (last + 1) % (250 * 250);
  return `127.0.${1 + Math.floor(last / 250)}.${1 + (last % 250)}`;
}
