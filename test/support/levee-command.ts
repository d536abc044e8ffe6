import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { builtApp } from './built-app';

const root = join(__dirname, '..', '..');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `levee` with these arguments against a portal's HTTP door, without a terminal, until it ends. */
export const levee = (url: string, args: readonly string[], deadlineMs = 120_000): Promise<CommandResult> =>
  leveeWith({ LEVEE_URL: url }, args, deadlineMs);

/** The same with these settings. `stdin`: what it reads. */
export function leveeWith(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  deadlineMs = 120_000,
  stdin?: string,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...builtApp('cli'), ...args], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    });
    // It may end without having read anything.
    child.stdin.on('error', () => undefined).end(stdin);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString('utf8')));
    child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString('utf8')));
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
