import { spawnSync } from 'node:child_process';

/**
 * `it` where `program` is installed; elsewhere the case is counted as skipped and one line says what to install.
 * Only for clients of other languages: Levee's own tests never depend on what a machine happens to have.
 */
export function itWhereInstalled(program: string, probe: string | readonly string[], install: string): jest.It {
  if (spawnSync(program, [probe].flat()).status === 0) return it;
  process.stderr.write(`not run: ${program} is not installed (${install})\n`);
  return it['skip'] as jest.It;
}
