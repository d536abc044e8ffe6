import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { buildProgram } from '../src/program';
import type { Terminal } from '../src/terminal';

const root = join(__dirname, '..', '..', '..');

interface Printed {
  readonly where: string;
  /** What stands behind `levee `, to the end of the text. */
  readonly words: readonly string[];
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.ts$/.test(entry.name) && !/\.spec\.ts$/.test(entry.name)) yield path;
  }
}

/** Commands in texts, not those of comments; what is put in is one word. */
function* printedIn(path: string): Generator<Printed> {
  for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (/^\s*(\*|\/\/|\/\*)/.test(line)) continue;
    const text = line.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, 'X');
    for (const [, rest = ''] of text.matchAll(/(?<![\w./-])levee ([a-z][^'`"]*)/g))
      yield {
        where: `${path.slice(root.length + 1)}:${i + 1}`,
        words: rest.split(/\s+/).filter((word) => word !== ''),
      };
  }
}

const printed = ['apps', 'libs'].flatMap((side) =>
  readdirSync(join(root, side)).flatMap((name) =>
    [...sources(join(root, side, name, 'src'))].flatMap((path) => [...printedIn(path)]),
  ),
);

const terminal = { env: {}, stdout: new PassThrough(), stderr: new PassThrough() } as unknown as Terminal;
const program = buildProgram(terminal);
const bare = (word: string): string => word.replace(/[),.:;]+$/, '');
const endsThere = (word: string): boolean => /[),.:;]$/.test(word);

/** Why the command line is none that the program takes, as far as it can be told from prose behind it. */
function problemOf(words: readonly string[]): string | undefined {
  let command: Command = program;
  let at = 0;
  for (; at < words.length && command.commands.length > 0; at++) {
    const name = bare(words[at] ?? '');
    const next = command.commands.find((each) => each.name() === name || each.aliases().includes(name));
    if (name === '--help') return undefined;
    // It does something by itself, and its first word is none of its commands.
    if (next === undefined && command.registeredArguments.length > 0) break;
    if (next === undefined)
      return command === program ? `there is no command ${name}` : `${command.name()} has no command ${name}`;
    command = next;
    if (endsThere(words[at] ?? '')) return undefined;
  }
  const options = [...command.options, ...program.options];
  const given = new Set<string>();
  for (const word of words.slice(at)) {
    if (word === '#') break;
    if (word.startsWith('-') && word.length > 1) {
      const option = options.find(({ long, short }) => [long, short, '--help'].includes(bare(word)));
      if (option === undefined && bare(word) !== '--help') return `${command.name()} has no option ${bare(word)}`;
      given.add(bare(word));
    }
    if (endsThere(word)) break;
  }
  return undefined;
}

/** They read the log themselves, and no portal tells them where it is. */
const logReader = /^(audit repair|audit verify|lint(?! ack)) /;

/** Whoever types what the doctor says may not be asked which log: it is said there, before any note. */
function logProblemOf({ where, words }: Printed): string | undefined {
  const isAdvice = /^libs\/audit\/src\/doctor\/|repair-command\.ts/.test(where);
  const [line = ''] = words.join(' ').split(' # ');
  if (!isAdvice || !logReader.test(`${line} `)) return undefined;
  const named = /--brokers|--data-dir| X$/.test(line.replace(/^lint X/, 'lint'));
  return named ? undefined : 'reads the log, and does not say which';
}

describe('commands that are printed for people', () => {
  it.each([
    ['audit repair --brokers X   # nothing', undefined],
    ['audit mend --brokers X', 'audit has no command mend'],
    ['namespace delete X --yse', 'delete has no option --yse'],
    ['lint X --since', undefined],
    ['lint ack X --all', undefined],
    ['lint ack X --since', 'ack has no option --since'],
    ['frobnicate X', 'there is no command frobnicate'],
    ['doctor says what can be done', undefined],
    ['node list; and --more', undefined],
  ])('judges %s', (text, problem) => {
    expect(problemOf(text.split(/\s+/))).toBe(problem);
  });

  it.each([
    ['audit repair', 'reads the log, and does not say which'],
    ['audit verify   # --brokers is meant', 'reads the log, and does not say which'],
    ['lint X   # reads all', 'reads the log, and does not say which'],
    ['lint X X   # reads all', undefined],
    ['audit verify --brokers X', undefined],
    ['lint ack X --all', undefined],
  ])('looks for the log in %s', (text, problem) => {
    expect(logProblemOf({ where: 'libs/audit/src/doctor/rules.ts', words: text.split(/\s+/) })).toBe(problem);
  });

  it('are commands that there are, with options that they have, and say which log', () => {
    expect(printed.length).toBeGreaterThan(40);
    // Who took a decision, the name of a thread, a greeting, and a log line.
    const names = /^(dry run|reader$|data node)/;
    const isPrincipal = ({ where, words }: Printed): boolean =>
      where.includes('repair-command.ts') && words.join(' ') === 'audit repair';
    const commands = printed.filter((each) => !names.test(each.words.join(' ')) && !isPrincipal(each));
    const wrong = commands.flatMap(({ where, words }) => {
      const problem = problemOf(words) ?? logProblemOf({ where, words });
      return problem === undefined ? [] : [`${where}: levee ${words.join(' ')}: ${problem}`];
    });
    expect(wrong).toEqual([]);
  });
});
