import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { buildProgram } from '../src/program';

const root = join(__dirname, '..', '..', '..');

/** Every command that does something, with the words before it. */
function leaves(command: Command, words: readonly string[] = []): string[][] {
  return command.commands.flatMap((each) => {
    const path = [...words, each.name()];
    const isOne = each.commands.length === 0 || each.registeredArguments.length > 0;
    return [...(isOne ? [path] : []), ...leaves(each, path)];
  });
}

/** What suites of whole processes run: their text, and the pages whose commands they carry out. */
const suites = [
  ...readdirSync(join(root, 'test', 'e2e')).map((name) => join(root, 'test', 'e2e', name)),
  join(root, 'docs', 'first-hour.md'),
  join(root, 'docs', 'getting-started.md'),
].map((file) => readFileSync(file, 'utf8'));

it.each(leaves(buildProgram({} as Parameters<typeof buildProgram>[0])).map((path) => [path.join(' ')]))(
  'S7: levee %s is run against real processes',
  (command) => {
    const asArguments = `'${command.split(' ').join(`', '`)}'`;
    const found = suites.some((text) => text.includes(asArguments) || new RegExp(`levee ${command}\\b`).test(text));
    expect([command, found]).toEqual([command, true]);
  },
);
