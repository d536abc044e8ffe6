import { createServer } from 'node:net';
import { Failure } from '@levee/kernel';

export interface WantedPort {
  readonly door: string;
  readonly setting: string;
  readonly host: string;
  /** 0 = any free port: nothing to check. */
  readonly port: number;
}

/**
 * Looks at every port before anything starts, so that a half-started process never has to explain itself.
 * Fails with PORT_IN_USE naming each taken port and the setting that changes it.
 */
export async function checkPorts(wanted: readonly WantedPort[]): Promise<void> {
  const taken: string[] = [];
  for (const { door, setting, host, port } of wanted) {
    if (port !== 0 && !(await isFree(host, port)))
      taken.push(
        `port ${port} (${door}) on ${host} is taken: set ${setting} to another port, or to 0 for any free one`,
      );
  }
  if (taken.length > 0) throw new Failure('PORT_IN_USE', taken.join('\n'));
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
