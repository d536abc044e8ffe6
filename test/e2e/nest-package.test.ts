import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, utf8 } from '@levee/sdk';
import { ChangeRecorder, judged } from '../support/change-recorder';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { packedProject } from '../support/packed-project';
import { sampleOf } from '../support/page-sample';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const root = join(__dirname, '..', '..');
const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');

const changes = full ? 100_000 : 3_000;
const kills = full ? 10 : 3;

describe('the packed @levee/nest in a project of its own', () => {
  let levee: StandaloneProcess;
  let project: string;

  const node = (...args: string[]): string =>
    execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

  beforeAll(async () => {
    project = packedProject('nest-package');
    levee = await StandaloneProcess.start(scratchFolder('nest-package-levee'));
  }, 120_000);

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
    rmSync(project, { recursive: true, force: true });
  }, 60_000);

  it('docs/nest.md is typed strictly, and does what it says', () => {
    const sample = sampleOf(readFileSync(join(root, 'docs/nest.md'), 'utf8'), levee.doors.resp);
    writeFileSync(join(project, 'sample.mts'), sample);
    const compilerOptions = {
      module: 'node20',
      target: 'es2023',
      strict: true,
      skipLibCheck: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      types: ['node'],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['sample.mts'] }));
    node(compiler, '-p', '.');
    const said = node('--trace-warnings', 'sample.mjs');
    expect(said.split('\n')[0]).toBe('5');
    expect(said.replaceAll(/\s+/g, ' ')).toContain(
      `{ levee: { status: 'up', portals: { '${levee.doors.resp}': 'up' } } } 7 undefined 9 `,
    );
  });

  it('works as CommonJS, with one @levee/client for both', () => {
    const program = `const { LeveeTestingModule, leveeToken } = require('@levee/nest');
const { LimitError } = require('@levee/client');
const { NestFactory } = require('@nestjs/core');
NestFactory.createApplicationContext(LeveeTestingModule.forRoot(), { logger: false }).then(async (app) => {
  const error = await app.get(leveeToken()).namespace('a').get('k'.repeat(2_000)).catch((error) => error);
  console.log(error instanceof LimitError);
});
`;
    writeFileSync(join(project, 'short.cjs'), program);
    expect(node('--trace-warnings', 'short.cjs')).toBe('true\n');
  });

  it(`${changes} changes, the service killed with -9 ${kills} times: none missed, order per key kept, doubles only behind the last position`, async () => {
    const random = dice(seed);
    const recorder = new ChangeRecorder(project, levee.doors.resp);
    const client = await connect({ portals: [levee.doors.resp] });
    const names = client.namespace('default').typed(utf8);
    let written = 0;
    const write = async (count: number): Promise<void> => {
      for (const end = written + count; written < end;) {
        const some = Math.min(500, end - written);
        const entries = Array.from({ length: some }, (_, n) => [keyOf(random), `${written + n}`] as const);
        await names.putMany(entries);
        written += some;
      }
    };
    const keyOf = (from: () => number): string => `changes/${Math.floor(from() * 200)}`;
    const positions: (string | undefined)[] = [undefined];
    for (let kill = 0; kill < kills; kill++) {
      recorder.start();
      const before = recorder.count();
      const writing = write(changes / kills);
      const some = 1 + Math.floor((random() * changes) / kills / 2);
      await eventually('it is at work', () => recorder.count() >= before + some, 60_000, 1);
      await recorder.kill();
      await writing;
      positions.push(await names.get('levee.handlers/recorder/position', { consistency: 'strong' }));
    }
    recorder.start();
    await eventually(
      'all are handled',
      () => new Set(recorder.lines().map(({ value }) => value)).size === changes,
      120_000,
      200,
    );
    await recorder.end();
    await client.close();

    const { missed, disordered, tooEarly, doubles } = judged(recorder.lines(), { changes, positions });
    tell({
      scenario: '@OnKeyChange, its service killed with -9',
      repetitions: kills,
      failures: missed.length + disordered.length + tooEarly.length,
      figure: 'changes that came again after a kill',
      values: doubles,
    });
    expect({ missed, disordered, tooEarly }).toEqual({ missed: [], disordered: [], tooEarly: [] });
    expect(doubles.length).toBe(kills + 1);
  }, 300_000);
});
