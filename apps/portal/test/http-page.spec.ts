import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

/** `GET /v1/status | Master, nodes … | query version; header Levee-Session`, from what the door says of itself. */
function rows(paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>): string[] {
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { summary = '', parameters = [] }]) => {
        const named = (where: string): string[] => {
          const names = parameters.filter((of) => of.in === where).map(({ name }) => `\`${name}\``);
          return names.length === 0 ? [] : [`${where} ${names.join(', ')}`];
        };
        const takes = [...named('query'), ...named('header')].join('; ');
        return `| \`${method.toUpperCase()} ${path}\` | ${summary.replace(/\|/g, '\\|')} | ${takes} |`;
      }),
    )
    .sort();
}

it('docs/http.md lists what the door says of itself (UPDATE_DOCS=1 writes it)', async () => {
  const cluster = await OneNodeCluster.start();
  try {
    const described = await cluster.ask('GET', '/docs-json');
    const { paths } = described.json as { paths: Parameters<typeof rows>[0] };
    const file = join(__dirname, '..', '..', '..', 'docs', 'http.md');
    const page = readFileSync(file, 'utf8');
    const head = page.slice(0, page.indexOf('## Every path'));
    const whole = `${head}## Every path\n\n| request | what it does | takes |\n|---|---|---|\n${rows(paths).join('\n')}\n`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, whole);
    expect(readFileSync(file, 'utf8')).toBe(whole);
  } finally {
    await cluster.close();
  }
});
