import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { scratchFolder } from './support/standalone-process';

const tool = join(__dirname, '..', 'tools', 'code-cache');
const main = 'dist/apps/standalone/src/main.js';
const installed = 'node_modules/.package-lock.json';

/** A small build with one package; its app prints what its modules say. */
const build: Readonly<Record<string, string>> = {
  [main]: `
    const { writeFileSync } = require('node:fs');
    const { join } = require('node:path');
    if (process.env.LEVEE_DATA_DIR) writeFileSync(join(process.env.LEVEE_DATA_DIR, 'doors.json'), '{}');
    console.log(require('./own').says, require('tale').says, require.main === module, module.children.length);
    if (process.argv[2] === 'later') require('./later');`,
  'dist/apps/standalone/src/later.js': `import('tale').then(({ default: tale }) => console.log('later', tale.says));`,
  'dist/apps/standalone/src/own.js': `exports.says = 'own';`,
  'dist/apps/portal/src/portal.module.js': `exports.tale = require('tale');`,
  [installed]: '{}',
  'node_modules/tale/package.json': '{ "main": "./old.js" }',
  'node_modules/tale/old.js': `exports.says = 'old tale';`,
  'node_modules/tale/new.js': `exports.says = 'new tale';`,
};
const first = 'own old tale true 2\nlater old tale\n';

describe('the code that a build keeps for the next starts', () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  const cache = (): string => at('dist/.code-cache');

  const write = (name: string, text: string): void => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };

  function node(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    return stdout;
  }
  const start = (flags: readonly string[] = [], ...args: readonly string[]): string =>
    node(...flags, '--require', at('tools/code-cache/use.cjs'), at(main), ...args);

  beforeEach(() => {
    folder = scratchFolder('code-cache');
    cpSync(tool, at('tools/code-cache'), { recursive: true });
    for (const [name, text] of Object.entries(build)) write(name, text);
    node('tools/code-cache/make.cjs');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('changes nothing of what a start does', () => {
    expect(existsSync(cache())).toBe(true);
    expect(start([], 'later')).toBe(first);
    expect(node(at(main), 'later')).toBe(first);
    rmSync(cache());
    expect(start([], 'later')).toBe(first);
  });

  it('is what a start takes, not the file system: a package that is the same needs no look at its package.json', () => {
    write('node_modules/tale/package.json', '{ "main": "./gone.js" }');
    expect(start()).toBe('own old tale true 2\n');
  });

  it('is not taken for a module whose text is another one, of the same length too', () => {
    write('node_modules/tale/old.js', `exports.says = 'odd tale';`);
    write('dist/apps/standalone/src/own.js', `exports.says = 'one';`);
    expect(start([], 'later')).toBe('one odd tale true 2\nlater odd tale\n');
  });

  it('is not taken when other packages are installed', () => {
    write(installed, '{ "tale": 2 }');
    write('node_modules/tale/package.json', '{ "main": "./new.js" }');
    expect(start([], 'later')).toBe('own new tale true 2\nlater new tale\n');
    // Of the same size, a moment later.
    node('tools/code-cache/make.cjs');
    write(installed, '{ "tale": 3 }');
    utimesSync(at(installed), 1, 1);
    write('node_modules/tale/package.json', '{ "main": "./old.js" }');
    expect(start([], 'later')).toBe(first);
  });

  it('does not lead to what a later build has elsewhere', () => {
    rmSync(at('dist/apps/standalone/src/own.js'));
    write('dist/apps/standalone/src/own/index.js', `exports.says = 'moved';`);
    expect(start([], 'later')).toBe('moved old tale true 2\nlater old tale\n');
  });

  it('is not needed where V8 has other flags', () => {
    expect(start(['--max-semi-space-size=32'], 'later')).toBe(first);
  });

  it('may be damaged anywhere', () => {
    const whole = readFileSync(cache());
    for (const bytes of [0, 5, 12, 50, Math.floor(whole.length / 2), whole.length - 1]) {
      writeFileSync(cache(), whole);
      truncateSync(cache(), bytes);
      expect(start([], 'later')).toBe(first);
    }
    const codeFrom = 12 + 28 + Number(whole.toString('latin1', 0, 12));
    for (const byte of [0, 12, 60, codeFrom, codeFrom + 8, codeFrom + 30, whole.length - 2]) {
      const damaged = Buffer.from(whole);
      damaged[byte] = (damaged[byte] as number) ^ 0x15;
      writeFileSync(cache(), damaged);
      expect(start([], 'later')).toBe(first);
    }
    expect(statSync(cache()).size).toBe(whole.length);
  });
});
