import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SourceFile } from './source-text';

const root = join(__dirname, '..', '..');

/** Pages that lead into the tree: what they name is there. */
export const leadingPages = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/contributing.md',
  'docs/architecture.md',
  'docs/invariants.md',
  'docs/binlog.md',
  'docs/getting-started.md',
  'docs/comparison.md',
] as const;

const folders = 'libs|apps|deploy|examples|test|tools|schemas|docs';
/** As in `libs/log`, also within a command line; what holds a placeholder ends before it. */
const pathInCode = new RegExp(`(?<![\\w./-])(?:${folders})/[\\w.@/-]*`, 'g');
const fileInCode = /`([\w.-]+\.(?:ts|mts|mjs|cjs|avsc|md))`/g;
const link = /\]\(([^)#:\s]+)(?:#[^)]*)?\)/g;

/** Paths and file names on a page that are not there; a name without a folder must be the name of some file. */
export function absentPathsOf(page: string, files: readonly SourceFile[]): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const code = [...text.matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].map(([one]) => one).join('\n');
  const paths = [
    ...[...code.matchAll(pathInCode)].map(([path]) => path.replace(/[./-]+$/, '')),
    ...[...text.matchAll(link)].map(([, target]) => join(dirname(page), target as string)),
  ];
  const names = new Set([...files.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)), ...namesAtTop()]);
  const fileNames = [...text.matchAll(fileInCode)].map((match) => match[1] as string);
  return [...paths.filter((path) => !existsSync(join(root, path))), ...fileNames.filter((name) => !names.has(name))];
}

const namesAtTop = (): string[] => [root, join(root, 'docs'), join(root, 'tools')].flatMap((at) => readdirSync(at));

export interface Tree {
  /** Without comments. */
  readonly files: readonly SourceFile[];
  readonly isTest: (path: string) => boolean;
}

/** What docs/invariants.md says and the tree does not: each number in an assert and in a test, or why not. */
export function invariantProblems({ files, isTest }: Tree): string[] {
  const rows = readFileSync(join(root, 'docs/invariants.md'), 'utf8').match(/^\| I\d+ \|.*\|$/gm) ?? [];
  const numbers = rows.map((row) => /I\d+/.exec(row)?.[0]);
  const wanted = Array.from({ length: Math.max(rows.length, 23) }, (_, i) => `I${i + 1}`);
  if (numbers.join() !== wanted.join()) return [`the table has the rows ${numbers.join()}, not ${wanted.join()}`];
  return rows.flatMap((row) => {
    const [, number = '', , heldBy = '', asserted = '', attacked = ''] = row.split('|').map((cell) => cell.trim());
    const named = new RegExp(`\\b${number}\\b`);
    const naming = new Set(files.filter(({ text }) => named.test(text)).map(({ path }) => path));
    const sources = [...naming].filter((path) => !isTest(path));
    if (heldBy.startsWith('*not held yet*'))
      return naming.size === 0 ? [] : [`${number} is not held yet, and ${[...naming].join()} name it`];
    const problems: string[] = [];
    if (asserted.startsWith('no assert: ')) {
      if (sources.length > 0) problems.push(`${number} has no assert, and ${sources.join()} name it`);
    } else {
      const told = filesIn(asserted);
      if (told.length === 0) problems.push(`${number}: no file asserts it`);
      const silent = told.filter((path) => isTest(path) || !naming.has(path));
      if (silent.length > 0) problems.push(`${number} is in no text of ${silent.join()}`);
    }
    if (!filesIn(attacked).some((path) => isTest(path) && naming.has(path)))
      problems.push(`${number} is in no text of the tests that attack it: ${attacked}`);
    return problems;
  });
}

const filesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+\.ts)`/g)].map((match) => match[1] as string);
