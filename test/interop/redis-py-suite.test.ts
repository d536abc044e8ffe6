import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { cache, pythonWithVenv, said, venvWith } from './clients';
import { cannotPass, redisPySuite } from './redis-py-suite';

interface Outcome {
  readonly name: string;
  /** What the report says of it when it did not pass. */
  readonly failure?: string;
}

/** The test cases of a JUnit report without those that were skipped. */
function outcomesOf(report: string): Outcome[] {
  return [...report.matchAll(/<testcase [^>]*? name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)]
    .filter(([, , body = '']) => !body.includes('<skipped'))
    .map(([, name = '', body = '']) => (/<(failure|error)/.test(body) ? { name, failure: body } : { name }));
}

/** redis-py's own tests of strings, keys, scans, connections and pipelines, against `npm start`. */
describe("redis-py's own tests", () => {
  let levee: StandaloneProcess;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('redis-py'));
    // They want an empty server before each test.
    const answer = await fetch(`${levee.url}/v1/namespaces/default`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ flush: 'sweep' }),
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
  }, 60_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 40_000);

  itWhereInstalled(...pythonWithVenv)(
    `of ${redisPySuite.version}: each passes, is refused as not supported, or is one of those that cannot pass`,
    async () => {
      const { version, files, passed } = redisPySuite;
      const python = await venvWith(version, `redis==${version}`, 'pytest', 'pytest-asyncio', 'pytest-timeout', 'mock');
      const source = join(cache(`redis-py-${version}`), `redis-${version}`);
      if (!existsSync(source)) {
        const folder = cache(`redis-py-${version}`);
        const download = [
          'download',
          '--quiet',
          '--no-deps',
          '--no-binary',
          'redis',
          `redis==${version}`,
          '-d',
          folder,
        ];
        await said(python, ['-m', 'pip', ...download]);
        await said('tar', ['-xzf', `${source}.tar.gz`, '-C', folder]);
      }
      const report = join(scratchFolder('redis-py-report'), 'report.xml');
      const options = `-m pytest -p no:cacheprovider -q --tb=line --timeout 60 -o addopts= --junitxml=${report}`;
      const args = [...options.split(' '), '--redis-url', `redis://localhost:${levee.respPort}/0`];
      const tests = files.map((file) => `tests/${file}.py`);
      // It ends with 1, since some fail; what the report says is looked at below.
      await said(python, [...args, ...tests], { cwd: source }).catch((error: { code?: unknown }) =>
        expect(error.code).toBe(1),
      );
      const outcomes = outcomesOf(readFileSync(report, 'utf8'));
      const excused = new Set(cannotPass.flatMap(([tests]) => tests));
      const unexcused = outcomes.filter(
        ({ name, failure }) => failure !== undefined && !failure.includes('LVUNSUPPORTED') && !excused.has(name),
      );
      expect(unexcused).toEqual([]);
      expect(outcomes.filter(({ failure }) => failure === undefined).length).toBeGreaterThan(passed);
    },
    600_000,
  );
});
