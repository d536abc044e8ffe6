import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { scratchFolder } from './standalone-process';

const root = join(__dirname, '..', '..');

/** What an application of Nest has beside Levee. */
const ofNest = [
  ...['common', 'core', 'microservices', 'testing'].map((part) => `@nestjs/${part}`),
  ...['reflect-metadata', 'rxjs', '@types/node'],
];

/** The archive that `npm run pack:<name>` makes; suites of one run share it. */
export function packed(name: 'client' | 'nest'): string {
  const kept = join(process.env.LEVEE_TEST_SCRATCH ?? mkdtempSync(join(tmpdir(), 'levee-packed-')), `packed-${name}`);
  if (!existsSync(kept)) {
    const made = scratchFolder(`packing-${name}`);
    // As the pages say it: seen from the folder where it is typed.
    const args = ['run', '-s', `pack:${name}`, '--', '--pack-destination', relative(root, made)];
    execFileSync('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    // Whole, or not there: another suite may be packing too, and then its archive is as good.
    try {
      renameSync(made, kept);
    } catch {
      rmSync(made, { recursive: true, force: true });
    }
  }
  return join(kept, readdirSync(kept)[0] as string);
}

/**
 * A folder outside of the tree in which npm has installed `@levee/client` and `@levee/nest` as they are packed, without a
 * registry; Nest, and `others`, are those of this repository.
 */
export function packedProject(name: string, others: readonly string[] = []): string {
  const project = scratchFolder(name);
  const files = [packed('client'), packed('nest')];
  writeFileSync(join(project, 'package.json'), '{ "private": true, "name": "scratch" }');
  const install = ['install', '--offline', '--no-audit', '--no-fund', '--legacy-peer-deps', ...files];
  execFileSync('npm', install, { cwd: project, stdio: 'pipe' });
  for (const linked of [...ofNest, ...others]) link(project, linked, linked);
  return project;
}

/** `name` in the project is `target` of this repository, both below `node_modules`. */
export function link(project: string, name: string, target: string): void {
  const path = join(project, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(root, 'node_modules', target), path);
}
