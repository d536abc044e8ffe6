import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseJsonConfigFileContent, readConfigFile, sys } from 'typescript';
import { missingFigures, missingTests } from './requirements/page';
import { circlesIn, importGraph, loadedBy, namedBy } from './support/import-circles';
import { withoutComments } from './support/source-text';
import { absentPathsOf, invariantProblems, leadingPages } from './support/leading-pages';

const root = join(__dirname, '..');

/** Imports only go up this list. */
const order = [
  'kernel',
  'events',
  'keyspace',
  'cluster',
  'codec',
  'log',
  'log-kafka',
  'log-embedded',
  'journal',
  'master',
  'chunk-store',
  'wire',
  'auth',
  'audit',
  'follow',
  'data-node',
  'client',
  'portal',
  'dispatch',
  'sdk',
  'nest',
  'settings',
  'service-kit',
];
/** Support for tests: may be imported by specs and tests only. */
const testSupport = ['log-contract', 'crash-level'];
const pure = ['kernel', 'events', 'cluster', 'keyspace'];
/** Who does not know whom, though the table would allow it. */
const strangers: ReadonlyArray<readonly [string, string]> = [
  // Adapters of one port.
  ['log-embedded', 'log-kafka'],
  // What the log proves is proved without those who wrote it.
  ['audit', 'master'],
  ['follow', 'master'],
  ['data-node', 'master'],
  ['portal', 'master'],
  ['dispatch', 'master'],
  // The engine of reads and writes can be carried away alone: without LevelDB, the doctor, nodes.
  ['client', 'chunk-store'],
  ['client', 'audit'],
  ['client', 'follow'],
  ['client', 'data-node'],
  ['portal', 'data-node'],
  ['dispatch', 'data-node'],
  // What is published holds no server.
  ['sdk', 'master'],
  ['sdk', 'audit'],
  ['sdk', 'data-node'],
  ['sdk', 'portal'],
  ['sdk', 'dispatch'],
  // Is published too, and takes the client from its own package.
  ...order.filter((lib) => lib !== 'sdk' && lib !== 'nest').map((lib) => ['nest', lib] as const),
];

/** Here types of files still stand in circles. */
const typeCircles = [
  'libs/audit',
  'libs/chunk-store',
  'libs/client',
  'libs/follow',
  'libs/log-embedded',
  'libs/master',
  'libs/portal',
  'libs/wire',
];

/** Where rules and I/O meet in every file: none has more than 300 lines, others 400. */
const shortLibs = ['data-node', 'client'];

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly where: (file: string) => boolean;
}

const inPure = (file: string): boolean => pure.some((lib) => file.startsWith(`libs/${lib}/src/`)) && !isTest(file);
const inLibs = (file: string): boolean => file.startsWith('libs/') && !isTest(file);
const inSource = (file: string): boolean => /^(libs|apps)\//.test(file) && !isTest(file);

const bans: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    instead: 'take nowMs as an argument, or a Clock in the constructor',
    where: (f) => inLibs(f) && f !== 'libs/log/src/system.ts',
  },
  {
    pattern: /\bMath\.random\(/,
    instead: 'take Random in the constructor',
    where: (f) => inSource(f) && f !== 'libs/log/src/system.ts',
  },
  { pattern: /\bsetTimeout\(|\bsetInterval\(/, instead: 'take Timers in the constructor', where: inPure },
  { pattern: /\bBuffer\b|\bprocess\.|from 'node:/, instead: 'Uint8Array; pure libs know no Node', where: inPure },
  {
    pattern: /from '@nestjs\//,
    instead: 'keep Nest in service-kit and the apps',
    where: (f) => inLibs(f) && !f.startsWith('libs/service-kit/') && !f.startsWith('libs/nest/'),
  },
  {
    pattern: /from '@levee\/service-kit'/,
    instead: '@levee/settings: a command waits for each module that is loaded, and Nest is a thousand',
    where: (f) => f.startsWith('apps/cli/src/') && f !== 'apps/cli/src/direct-doctor.ts',
  },
  {
    pattern: /new Promise(<void>)?\(\(resolve\) => [\w.]*timers\.after\(/,
    instead: 'pause, or a Pause, of @levee/kernel',
    where: inSource,
  },
  { pattern: /\bforwardRef\b/, instead: 'cut the cycle', where: inSource },
  {
    pattern: /(:|<|\bas) any(?=\s*[,;)>\]=|&{[]|\s*$)/,
    instead: 'unknown, and look before you use it',
    where: () => true,
  },
  { pattern: new RegExp('\\b(FIX' + 'ME|X' + 'XX)\\b'), instead: 'mend it, or write an issue', where: () => true },
  {
    pattern: /\b(class|interface|type) \w*(Manager|Helper|Util|Utils|Handler|Processor|Impl)\b/,
    instead: 'a term of docs/glossary.md',
    where: inSource,
  },
  {
    pattern: /\b(it|test|describe)\.(skip|only|todo)\b|\bx(it|describe)\(/,
    instead: 'run it or delete it',
    where: (f) => f !== 'test/tidy.test.ts',
  },
  {
    pattern: /\bconsole\.(log|error|warn|info)\(/,
    instead: 'a Logger, or process.stdout.write in a command line program',
    where: inSource,
  },
];

function isTest(file: string): boolean {
  return (
    /\.(spec|test|bench)\.ts$/.test(file) ||
    file.includes('/test/') ||
    file.startsWith('test/') ||
    testSupport.some((lib) => file.startsWith(`libs/${lib}/`))
  );
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === 'node_modules' || name === 'dist' || name === 'generated' || name.startsWith('.')) return [];
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

const files = ['libs', 'apps', 'test']
  .flatMap((folder) => filesBelow(join(root, folder)))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));

/** By path, what is left of a file without its comments: every ban reads all of them. */
const bare = new Map(files.map(({ path, text }) => [path, withoutComments(text)]));

const linesOf = (text: string): number => text.split('\n').length - 1;

const sources = files.filter(({ path }) => !isTest(path));

const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:from|import|require\()\s*'([^']+)'/g)].map((match) => match[1] as string);

describe('the rules of the house', () => {
  it('libs import only what stands above them, and never each other by a relative path', () => {
    const offences: string[] = [];
    for (const { path, text } of files) {
      if (path === 'test/tidy.test.ts') continue;
      const lib = /^libs\/([^/]+)\//.exec(path)?.[1];
      for (const imported of importsOf(text)) {
        const target = /^@levee\/([^/]+)(\/.*)?$/.exec(imported);
        if (target !== null) {
          const name = target[1] as string;
          if (target[2] !== undefined)
            offences.push(`${path}: ${imported} reaches into a lib; import '@levee/${name}'`);
          if (testSupport.includes(name)) {
            if (!isTest(path)) offences.push(`${path}: ${imported} is for tests only`);
          } else if (!order.includes(name)) offences.push(`${path}: ${imported} is not in the import table`);
          else if (
            lib !== undefined &&
            order.includes(lib) &&
            !isTest(path) &&
            order.indexOf(name) >= order.indexOf(lib)
          )
            offences.push(`${path}: ${lib} may not import ${name}`);
          if (lib !== undefined && !isTest(path) && strangers.some(([a, b]) => a === lib && b === name))
            offences.push(`${path}: ${lib} may not know ${name}`);
        }
        if (lib !== undefined && imported.startsWith('.')) {
          const resolved = relative(root, join(root, path, '..', imported));
          const isSupport = /^(test|libs\/[^/]+\/test)\//.test(resolved);
          if (!resolved.startsWith(`libs/${lib}/`) && !(isTest(path) && isSupport))
            offences.push(`${path}: ${imported} leaves the lib`);
        }
        const app = /^apps\/([^/]+)\//.exec(path)?.[1];
        if (app !== undefined && app !== 'standalone' && imported.startsWith('.')) {
          const resolved = relative(root, join(root, path, '..', imported));
          if (!resolved.startsWith(`apps/${app}/`) && !isTest(path))
            offences.push(`${path}: only standalone imports other apps`);
        }
      }
    }
    expect(offences).toEqual([]);
  });

  it('no file needs itself to be loaded, by way of others', () => {
    const graph = importGraph(sources, loadedBy);
    expect(graph.size).toBeGreaterThan(500);
    expect(circlesIn(graph)).toEqual([]);
  });

  it('no file needs itself to be understood, its types counted too', () => {
    const circles = circlesIn(importGraph(sources, namedBy));
    const inside = (place: string): boolean => circles.some((circle) => circle.startsWith(`${place}/`));
    expect(circles.filter((circle) => !typeCircles.some((place) => circle.startsWith(`${place}/`)))).toEqual([]);
    // What has none any more leaves the list.
    expect(typeCircles.filter((place) => !inside(place))).toEqual([]);
  });

  it('every lib is in the import table', () => {
    const libs = readdirSync(join(root, 'libs'));
    expect(libs.filter((lib) => !order.includes(lib) && !testSupport.includes(lib))).toEqual([]);
  });

  it.each(bans.map((ban) => [String(ban.pattern), ban] as const))('nothing matches %s', (_pattern, ban) => {
    const offences: string[] = [];
    for (const { path } of files) {
      if (!ban.where(path) || path === 'test/tidy.test.ts') continue;
      (bare.get(path) as string).split('\n').forEach((line, index) => {
        if (ban.pattern.test(line)) offences.push(`${path}:${index + 1}: ${line.trim()} -> ${ban.instead}`);
      });
    }
    expect(offences).toEqual([]);
  });

  it('pure libs compile without the types of Node and the DOM', () => {
    execFileSync(
      process.execPath,
      [join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', 'tsconfig.pure.json'],
      { cwd: root, stdio: 'pipe', encoding: 'utf8' },
    );
  });

  it('the whole tree type-checks', () => {
    execFileSync(process.execPath, [join(root, 'node_modules/@typescript/native/bin/tsc'), '--noEmit'], {
      cwd: root,
      stdio: 'pipe',
      encoding: 'utf8',
    });
  }, 120_000);

  it('generated types are those of schemas/', () => {
    execFileSync(process.execPath, ['tools/generate-types.mjs', '--check'], {
      cwd: root,
      stdio: 'pipe',
      encoding: 'utf8',
    });
  });

  it('every field of every schema says what it is', () => {
    const missing: string[] = [];
    const look = (node: unknown, where: string): void => {
      if (Array.isArray(node)) return node.forEach((child) => look(child, where));
      if (typeof node !== 'object' || node === null) return;
      const type = node as {
        fields?: Array<{ name: string; doc?: string; type: unknown }>;
        items?: unknown;
        type?: unknown;
      };
      for (const field of type.fields ?? []) {
        if ((field.doc ?? '').length < 5) missing.push(`${where}.${field.name}`);
        look(field.type, `${where}.${field.name}`);
      }
      look(type.items, where);
      if (typeof type.type === 'object') look(type.type, where);
    };
    for (const path of filesBelow(join(root, 'schemas')))
      look(JSON.parse(readFileSync(path, 'utf8')), relative(root, path));
    expect(missing).toEqual([]);
  });

  it('a main.ts has at most 30 lines', () => {
    const long = files
      .filter(({ path, text }) => /^apps\/[^/]+\/src\/main\.ts$/.test(path) && text.split('\n').length > 31)
      .map(({ path }) => path);
    expect(long).toEqual([]);
  });

  it('what npm start builds has no tests in it, which do not compile there', () => {
    const config = join(root, 'apps', 'standalone', 'tsconfig.app.json');
    const { config: read } = readConfigFile(config, (path) => sys.readFile(path)) as { config: object };
    const { fileNames } = parseJsonConfigFileContent(read, sys, join(root, 'apps', 'standalone'));
    expect(fileNames.length).toBeGreaterThan(50);
    expect(fileNames.filter((name) => /\.(spec|test)\.ts$/.test(name))).toEqual([]);
  });

  it.each(pure)('half of the files of %s have fewer than 100 lines', (lib) => {
    const lengths = sources.filter(({ path }) => path.startsWith(`libs/${lib}/src/`)).map(({ text }) => linesOf(text));
    lengths.sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(100);
  });

  it('no source file and no suite is too long to be read at once', () => {
    const long = files.flatMap(({ path, text }) => {
      const isShort = shortLibs.some((lib) => path.startsWith(`libs/${lib}/`)) && !isTest(path);
      const linesMax = isShort ? 300 : 400;
      const isRead = !isTest(path) || /\.(spec|test)\.ts$/.test(path);
      return isRead && linesOf(text) > linesMax ? [`${path}: ${linesOf(text)} lines, not ${linesMax}`] : [];
    });
    expect(long).toEqual([]);
  });

  it('the lockfile holds no download addresses and package.json only exact versions', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"/);
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^(npm:[^@]+@)?\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('every decision has a number of its own, and says it in its title', () => {
    const folder = join(root, 'docs/decisions');
    const numbers = new Map<string, string>();
    const wrong = readdirSync(folder).flatMap((name) => {
      const number = name.slice(0, 4);
      const other = numbers.get(number);
      numbers.set(number, name);
      if (other !== undefined) return [`${name} and ${other} have one number`];
      return readFileSync(join(folder, name), 'utf8').startsWith(`# ${number}: `)
        ? []
        : [`${name} lacks '# ${number}: '`];
    });
    expect(wrong).toEqual([]);
  });

  it.each(leadingPages)('what %s names is there', (page) => {
    expect(absentPathsOf(page, files)).toEqual([]);
  });

  it('every invariant of docs/invariants.md is named by an assert and by a test, or says why not', () => {
    const told = files
      .filter(({ path }) => path !== 'test/tidy.test.ts' && path !== 'test/support/leading-pages.ts')
      .map(({ path }) => ({ path, text: bare.get(path) as string }));
    expect(invariantProblems({ files: told, isTest })).toEqual([]);
  });

  it('every test that docs/requirements.md names is there', () => {
    expect(missingTests()).toEqual([]);
    expect(missingFigures()).toEqual([]);
  });
});
