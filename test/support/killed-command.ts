import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { builtApp } from './built-app';

const root = join(__dirname, '..', '..');

/** Runs `levee` and kills it with SIGKILL after so many ms; true when it was still running then. */
export function leveeKilled(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  afterMs: number,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...builtApp('cli'), ...args], {
      cwd: root,
      stdio: 'ignore',
      env: { PATH: process.env.PATH, ...env },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    child.once('error', reject);
    child.once('close', (_code, signal) => {
      clearTimeout(timer);
      resolve(signal === 'SIGKILL');
    });
  });
}
