import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { turns } from '../../tools/turns.cjs';
import { cardRows, uniqueRows } from './card-rows';
import { nodeRows } from './node-rows';
import { planRows } from './plan-rows';
import type { Figures, HeldBy, Row } from './row';
import { storeRows } from './store-rows';

const root = join(__dirname, '..', '..');

const chapters: ReadonlyArray<readonly [title: string, rows: readonly Row[]]> = [
  ['Store and master', storeRows],
  ['Data nodes, portals and routing', nodeRows],
  ['Plans and namespaces', planRows],
  ['The card', cardRows],
  ['What none of the peers has', uniqueRows],
];

export const rows: readonly Row[] = chapters.flatMap(([, some]) => some);

/** Tests that rows name and that are not there, as `file: title`. */
export function missingTests(): string[] {
  return [...new Set(rows.flatMap(({ tests }) => tests.filter((test) => !isThere(test)).map(shown)))];
}

/** Figures that rows name and that no bench asserts, or no page tells, as `bench: heading`. */
export function missingFigures(): string[] {
  const [bench, page] = [textOf('tools/bench.mjs'), textOf('docs/performance.md')];
  const isTold = ({ bench: part, heading, misses }: Figures): boolean => {
    const chapter = page.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
    const asserts = new RegExp(`^  '?${part}'?: async \\(report\\)`, 'm').test(bench);
    return asserts && chapter.includes(`bench -- ${part}\``) && (misses === undefined || chapter.includes('missed'));
  };
  return rows.flatMap(({ figures }) =>
    figures === undefined || isTold(figures) ? [] : [`${figures.bench}: ${figures.heading}`],
  );
}

/** A title stands first among the arguments of a call, in quotes of either kind. */
function isThere({ file, title }: HeldBy): boolean {
  if (!existsSync(join(root, file))) return false;
  return new RegExp(`\\(\\s*(['"\`])${literal(title)}\\1\\s*,`).test(textOf(file));
}

/** A pattern that matches this text. */
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

const inTurns = Object.values(turns).flat(2);

/** Of a whole quick run only one in two or three holds it: all that hold it take turns with others, and some draw leaves them all out. */
export const isByTurns = ({ tests }: Row): boolean => {
  if (tests.length === 0 || !tests.every(({ file }) => inTurns.includes(file))) return false;
  const files = tests.map(({ file }) => file);
  return !Object.values(turns).some((places) =>
    places.every((suites) => suites.some((suite) => files.includes(suite))),
  );
};

type State = 'held' | 'partly' | 'missing';

const stateOf = ({ tests, figures, lacks }: Row): State =>
  tests.length === 0 && figures === undefined ? 'missing' : lacks === undefined ? 'held' : 'partly';

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const shown = ({ file, title }: HeldBy): string => `${file}: ${title}`;

type LogOfRow = 'in memory' | 'embedded' | 'Kafka';

/** The logs that a test runs on, by what the text of its suite starts. */
export function logsOf({ file, title }: HeldBy): LogOfRow[] {
  const text = textOf(file);
  if (/\.kafka\.spec\.ts$/.test(file) || file.startsWith('libs/log-kafka/')) return ['Kafka'];
  if (file.startsWith('libs/log-embedded/')) return ['embedded'];
  if (!file.startsWith('test/e2e/')) return ['in memory'];
  const kafka = /ClusterProcess|CuttableCluster|KAFKA_BROKERS|startKafka/.test(text);
  const onParts = new RegExp(`itWith(Parts|Processes)\\(\\s*['"\`]${literal(title)}`).test(text);
  const both = kafka && !onParts && /the embedded log/.test(text) && /real Kafka/.test(text);
  return both ? ['embedded', 'Kafka'] : kafka ? ['Kafka'] : ['embedded'];
}

function logsOfRow({ tests }: Row): string {
  const logs = new Set(tests.flatMap(logsOf));
  const order: readonly LogOfRow[] = ['embedded', 'Kafka', 'in memory'];
  return order.filter((log) => logs.has(log)).join(', ') || '-';
}

const cell = (text: string): string => text.replace(/\|/g, '\\|');

const figuresOf = ({ figures }: Row): string[] =>
  figures === undefined
    ? []
    : [`\`npm run bench -- ${figures.bench}\`: [${figures.heading}](performance.md#${anchorOf(figures.heading)})`];

const anchorOf = (heading: string): string => heading.toLowerCase().replaceAll(' ', '-');

function lineOf(row: Row): string {
  const { ids, requirement, seenBy, tests, figures, lacks } = row;
  const state = stateOf(row);
  const isFor =
    lacks === undefined
      ? isByTurns(row)
        ? `${state}, by turns`
        : state
      : `**${state}**: ${lacks.what} (issue ${lacks.issue})`;
  const says = figures?.misses === undefined ? isFor : `${isFor}; ${figures.misses}`;
  const heldBy = [...tests.map(({ file, title }) => `\`${file}\`: ${title}`), ...figuresOf(row)].join('<br>') || '-';
  return `| ${ids} | ${[requirement, seenBy, says, logsOfRow(row), heldBy].map(cell).join(' | ')} |`;
}

export function pageOf(all: readonly Row[]): string {
  const count = (state: State): number =>
    all.filter((row) => stateOf(row) === state).reduce((sum, { ids }) => sum + ids.split(' ').length, 0);
  const chapter = ([title, some]: (typeof chapters)[number]): string[] => [
    `## ${title}`,
    '| id | requirement | seen by | state | log | held by |',
    '|---|---|---|---|---|---|',
    ...some.map(lineOf),
    '',
  ];
  return [...introduction(count('held'), count('partly'), count('missing')), ...chapters.flatMap(chapter)].join('\n');
}

const introduction = (held: number, partly: number, missing: number): string[] => [
  '# What Levee must do, and the test that holds it',
  '',
  `Of ${held + partly + missing} requirements ${held} are held, ${partly} partly, ${missing} are missing. A requirement is held when a test asserts the very`,
  'observation by which a newcomer sees it; where that is a figure, a bench asserts it, and its table says where it misses its',
  'goal. Written from the tables in `test/requirements`',
  '(`UPDATE_DOCS=1 npx jest --selectProjects unit --runInBand test/requirements.test.ts`); a test fails when one that is named',
  'here is gone.',
  '',
  '## Which log',
  'The log of each row is what its tests start: the embedded log on a disk, a real Kafka, or the embedded log in memory, in one',
  'process. All three pass one contract (`libs/log-contract`), so that what stands above the port of the log need not be tried',
  'on each. Suites of whole processes take the log as a parameter where it makes sense; which do, and why the others do not,',
  'is a table in [decision 0058](decisions/0058-both-logs.md). One run of `npm test` shows most of them on one log, which its',
  'seed draws ([decision 0066](decisions/0066-drawn-variants.md)). Each row is held by something that is run whatever is drawn,',
  'but where the page says "by turns": one run of two or three has a test of that row, as have `npm run test:full` and who names',
  'the suite ([decision 0067](decisions/0067-turns.md)). The embedded log belongs to one process, which holds its folder: its',
  'parts stop and start alone (`test/support/parts-in-one-process.ts`), and none is killed, paused or cut off alone. So on Kafka',
  'alone are the rows whose subject that is: S11, S17, S22, S23, S42, S82, C1. The same rules run on the embedded log in memory,',
  'and under virtual time in `test/simulation.test.ts` and `test/crash-matrix.test.ts`.',
  '',
];
