#!/usr/bin/env node
import { systemClock } from '@levee/log';
import { interruption } from './interrupt';
import { runCli } from './program';

// `levee scan | head` closes the pipe early: nobody is left to read, so there is nothing to complain about.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const interrupted = interruption();
const { stdin, stdout, stderr, env } = process;
void runCli(process.argv.slice(2), { stdin, stdout, stderr, env, clock: systemClock, interrupted }).then((code) => {
  process.exitCode = code;
  // Nothing else may keep it: neither the time of grace, nor a standard input that was not read to its end.
  if (interrupted.aborted) process.exit(code);
});
