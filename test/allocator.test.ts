import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allocator } from '../tools/cluster/allocator.cjs';

const root = join(__dirname, '..');

/** MB that stay with a process when it lets go of a hundred buffers of 1 MiB, each beside a small one that it keeps. */
const letsGo = `
const { readFileSync } = require('node:fs');
const residentMb = () => Number(/RssAnon:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
const buffer = (bytes) => Buffer.allocUnsafeSlow(bytes).fill(1);
const collect = async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await turn();
  }
};
(async () => {
  buffer(16 << 20);
  await collect();
  const before = residentMb();
  let large = [];
  const small = [];
  for (let i = 0; i < 100; i++) {
    large.push(buffer(1 << 20));
    small.push(buffer(4096));
  }
  large = undefined;
  await collect();
  process.stdout.write(JSON.stringify({ stayed: residentMb() - before, kept: small.length }));
})();
`;

function stayedMb(env: Readonly<Record<string, string>>): number {
  const ofOurs = Object.entries(process.env).filter(([name]) => !name.startsWith('MALLOC_'));
  const options = { env: { ...Object.fromEntries(ofOurs), NODE_OPTIONS: '', ...env }, encoding: 'utf8' } as const;
  return (JSON.parse(execFileSync(process.execPath, ['--expose-gc', '-e', letsGo], options)) as { stayed: number })
    .stayed;
}

/** Only glibc keeps what is freed, and knows these settings. */
const header = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
const isGlibc = header.glibcVersionRuntime !== undefined;

describe('what malloc is told', () => {
  it('is the same in the image as in a cluster of processes', () => {
    const image = readFileSync(join(root, 'Dockerfile'), 'utf8');
    const set = [...image.matchAll(/\b(MALLOC_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(set)).toEqual(allocator);
  });

  it('large buffers that are let go are given back, though small ones between them stay', () => {
    if (isGlibc) expect(stayedMb({})).toBeGreaterThan(50);
    expect(stayedMb(allocator)).toBeLessThan(25);
  });
});
