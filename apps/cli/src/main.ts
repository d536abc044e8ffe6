#!/usr/bin/env node
import { systemClock } from '@levee/log';
import { runCli } from './program';

// `levee scan | head` closes the pipe early: nobody is left to read, so there is nothing to complain about.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());

const { stdin, stdout, stderr, env } = process;
void runCli(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  clock: systemClock,
  interrupted: interrupted.signal,
}).then((code) => {
  process.exitCode = code;
});
