import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requestOutcomes, requestTimesLimits, histogramBoundsMs } from '@levee/kernel';
import { metricsOf, metricsOfAll, metricsOfParts, type ListedMetric } from '@levee/service-kit';

const docs = join(__dirname, '..', 'docs');
const file = join(docs, 'metrics.md');
const cell = (text: string): string => text.replace(/\|/g, '\\|');

const parts = ['portal', 'data-node', 'master', 'dispatcher'] as const;
const all = new Map(parts.flatMap((part) => metricsOf(part).map((metric) => [metric.name, metric])));
const series = [...all.values()].flatMap(({ name, kind }) =>
  kind === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
);

function table(metrics: readonly ListedMetric[]): string {
  const rows = metrics.map(({ name, kind, help, labels, numbers, only }) => {
    const values = [...numbers.values()].flatMap((each) => Object.values(each)).join(', ');
    const shown = labels.map((label) => `\`${label}\``).join(', ') + (values === '' ? '' : `: ${values}`);
    return `| \`${name}\` | ${kind} | ${cell(help)}${only === undefined ? '' : ` (${only})`} | ${shown} |`;
  });
  return ['| metric | kind | what it says | labels |', '|---|---|---|---|', ...rows].join('\n');
}

function page(): string {
  const ofParts = Object.entries(metricsOfParts).map(([part, metrics]) => `## Of a ${part}\n${table(metrics)}\n`);
  const outcomes = Object.entries(requestOutcomes).map(([outcome, meaning]) => `| \`${outcome}\` | ${meaning} |`);
  const buckets = histogramBoundsMs.map((ms) => ms / 1_000).join(', ');
  return `# Metrics

Every process has \`/metrics\` on its HTTP door, in the text format of Prometheus. With authentication it asks for the right
\`operate\`: let Prometheus send the token of a user who has it, as a bearer token. Numbers are read when somebody scrapes. Every
series has the label \`part\` (\`portal\`, \`data-node\`, \`master\`, \`dispatcher\`), and \`instance\` or \`node\` with the name of the
process; where Prometheus sets \`instance\` itself, that name is \`exported_instance\`. This page is written from the lists in
\`libs/service-kit/src/metrics\`; a test compares them. What to be woken up by is in [operating](operating.md#alerts).

Times are in seconds. Histograms have the buckets ${buckets} and \`+Inf\`. Counters begin at 0 with their
process, those of the active master with its reign; when the same process loses a reign and begins another one between two
scrapes, the first counts of the new one are missing.

## Outcomes of requests
\`levee_request_duration_seconds\` tells requests apart by \`outcome\`, at the RESP door by the first word of an error, at the HTTP
door by its code:

| outcome | meaning |
|---|---|
${outcomes.join('\n')}

Each door tells the first ${requestTimesLimits.namespacesMax} namespaces that were used since its start apart (\`requestTimesLimits.namespacesMax\`); all others are
counted together as \`(others)\`, so that the number of series stays bounded. A key that is not there is \`ok\`. An array that
holds errors is \`ok\` too. \`LEVEE_REQUEST_TIMES=off\` at a portal keeps its RESP door from timing. What waits for as long as it was asked to is not timed: \`LV.WAIT\`, \`LV.CHANGES\`, event streams; nor
are answers in lines (\`application/x-ndjson\`), which last as long as somebody reads them, \`/health\` and \`/metrics\`.

## Of every process
${table(metricsOfAll)}

${ofParts.join('\n')}`;
}

it('docs/metrics.md has the lists of libs/service-kit/src/metrics (UPDATE_DOCS=1 writes it)', () => {
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, page());
  expect(readFileSync(file, 'utf8')).toBe(page());
});

it('every metric that a page names is in the lists', () => {
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  const unknown = pages.flatMap((name) =>
    [...readFileSync(join(docs, name), 'utf8').matchAll(/`(levee_[a-z0-9_]+)(\*?)[`{]/g)].flatMap(
      ([, word = '', star]) => {
        const isThere = star === '*' ? series.some((each) => each.startsWith(word)) : series.includes(word);
        return isThere ? [] : [`${name}: ${word}`];
      },
    ),
  );
  expect(unknown).toEqual([]);
});

it('every metric that an app, a test, a bench or a tool names is in the lists', () => {
  const root = join(__dirname, '..');
  const files = ['apps', 'test', 'tools'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const beginnings = new Set(series.map(beginningOf));
  const named = files
    .filter((name) => /\.(ts|[cm]?js)$/.test(name))
    .flatMap((name) => {
      const words = readFileSync(join(root, name), 'utf8').match(/\blevee_(?:[a-z]+_)+[a-z]+\b/g) ?? [];
      return words.filter((word) => beginnings.has(beginningOf(word))).map((word) => `${name}: ${word}`);
    });
  expect(named.some((each) => each.startsWith(join('test', 'bench')))).toBe(true);
  expect(named.filter((each) => !series.includes(each.split(': ')[1] as string))).toEqual([]);
});

/** `levee_node` of `levee_node_reads_total`. */
const beginningOf = (word: string): string => word.split('_', 2).join('_');
