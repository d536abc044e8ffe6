#!/usr/bin/env node
/**
 * What docs/first-hour.md asks of `redis-cli`, for machines that have none: one command from its arguments, or one a line
 * from standard input, or `--scan`; replies as the real one prints them into a pipe.
 */
const Redis = require('ioredis');
const { createInterface } = require('node:readline');

const options = { p: '6379', pattern: '*' };
const command = [];
for (const args = process.argv.slice(2); args.length > 0;) {
  const [, name] = /^--?(p|user|pass|pattern|scan|no-auth-warning)$/.exec(command.length === 0 ? args[0] : '') ?? [];
  const word = args.shift();
  if (name === undefined) command.push(word);
  else options[name] = name === 'scan' || name === 'no-auth-warning' ? true : args.shift();
}

const { p, user: username, pass: password, pattern, scan } = options;
const redis = new Redis(Number(p), '127.0.0.1', { username, password, enableReadyCheck: false });
redis.on('error', (error) => process.stderr.write(`${error.message}\n`));

const shown = (reply) => (Array.isArray(reply) ? reply.map(shown).join('\n') : String(reply ?? ''));

async function ask([name, ...rest]) {
  try {
    process.stdout.write(`${shown(await redis.call(name, ...rest))}\n`);
  } catch (error) {
    process.stdout.write(`${error.message}\n\n`);
  }
}

async function main() {
  if (scan) for await (const keys of redis.scanStream({ match: pattern })) keys.forEach((key) => console.log(key));
  else if (command.length > 0) await ask(command);
  else for await (const line of createInterface({ input: process.stdin })) await ask(line.trim().split(/ +/));
  redis.disconnect();
}

void main();
