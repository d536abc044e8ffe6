import { spawnSync } from 'node:child_process';
import { isBuiltin } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

const inside = ['avsc'];

/** An empty folder of this run, which goes with it: several may run at once. */
export function scratchFolder(name) {
  mkdirSync(join(root, 'dist', 'pack'), { recursive: true });
  const folder = mkdtempSync(join(root, 'dist', 'pack', `${name}-`));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a bundle asks for and does not hold, besides modules of Node. */
export function strangersIn(text) {
  const named = [...text.matchAll(/^(?:import|export)[^;]*?from "([^"]+)";|\brequire\("([^"]+)"\)/gm)];
  const names = new Set(named.map(([, imported, required]) => imported ?? required));
  return [...names].filter((name) => !isBuiltin(name));
}

/** Libs that are packages of their own: what is published asks for them by that name. */
const published = { '@levee/sdk': '@levee/client' };

/** A build that takes the client from its package, and does not hold it. */
export const clientFromPackage = {
  name: 'client-from-package',
  setup(build) {
    build.onResolve({ filter: /^@levee\/sdk$/ }, ({ path }) => ({
      path: published[path],
      external: true,
      sideEffects: false,
    }));
  },
};

/** Packages that a bundle asks for by `require`: they are CommonJS, and not all of their names can be imported. */
export const requiring = (names) => ({
  name: 'requiring',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path, namespace }) => {
      if (!names.includes(path)) return undefined;
      if (namespace === 'required') return { path, external: true };
      return { path, namespace: 'required', sideEffects: false };
    });
    build.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
      resolveDir: root,
    }));
  },
});

/** Libs by their names; none does anything when it is loaded, so that what is not used is left out. */
export const workspace = {
  name: 'workspace',
  setup(build) {
    build.onResolve({ filter: /^@levee\// }, ({ path }) => ({
      path: join(root, 'libs', path.slice('@levee/'.length), 'src', 'index.ts'),
      sideEffects: false,
    }));
    // No package brings native code: what it would be quicker with is in JavaScript inside.
    build.onResolve({ filter: /^@node-rs\/crc32$/ }, () => ({ path: join(root, 'tools', 'pack', 'crc32c.mjs') }));
    // Of packages only those that are named are inside. The others may be left out, and the result is looked at.
    build.onResolve({ filter: /^[^./]/ }, ({ path, resolveDir }) =>
      resolveDir.startsWith(join(root, 'libs')) && !inside.includes(path)
        ? { path, external: true, sideEffects: false }
        : undefined,
    );
    build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, `${path}.ts`);
      return resolveDir.startsWith(join(root, 'libs')) && existsSync(file)
        ? { path: file, sideEffects: false }
        : undefined;
    });
  },
};

/** By entry: the declarations of all its files in one text. Fails when one of them names a lib of this workspace. */
export function declarationsOf(entries, { fromPackages = false } = {}) {
  const out = scratchFolder('types');
  const compiler = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
  const options = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--stripInternal', '--outDir', out];
  const compiled = spawnSync(
    process.execPath,
    [compiler, '-p', join(root, 'tools', 'pack', 'tsconfig.json'), ...options],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  if (compiled.status !== 0) throw new Error('the types cannot be made');
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [
      name,
      oneText(join(out, entry.replace(/\.ts$/, '.d.ts')), { takesFromIndex: name !== 'index', fromPackages }),
    ]),
  );
}

const relativeLine = /^(?:import|export) (?:type )?(?:\*|\{[^}]*\})(?: as \w+)? from '(\.[^']+)';$/;

const packageLine = /^import (?:type )?\{([^}]*)\} from '([^.'][^']*)';$/;

/**
 * `takesFromIndex`: what it imports is declared by the first entry. `fromPackages`: libs that are packages are named so,
 * what several files import stands once, and only what the entry names is exported.
 */
function oneText(entry, { takesFromIndex, fromPackages }) {
  const seen = new Set();
  const parts = [];
  const imports = new Map();
  const exported = [];
  const importFrom = (names, from) => {
    const known = imports.get(from) ?? new Set();
    for (const name of names.split(',')) known.add(name.trim().replace(/^type /, ''));
    imports.set(from, known);
  };
  const take = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const own = [];
    for (const read of readFileSync(file, 'utf8').split('\n')) {
      const line = fromPackages
        ? read.replace(/(['"])(@levee\/[^'"]+)\1/g, (all, quote, lib) => `${quote}${published[lib] ?? lib}${quote}`)
        : read;
      const near = relativeLine.exec(line);
      const far = fromPackages && packageLine.exec(line);
      if (near && takesFromIndex) own.push(line.replace(near[1], './index.mjs'));
      else if (near) {
        if (fromPackages && file === entry) exported.push(/\{([^}]*)\}/.exec(line)[1].trim());
        take(join(dirname(file), `${near[1]}.d.ts`));
      } else if (far) importFrom(far[1], far[2]);
      else if (/from '@levee\//.test(line)) throw new Error(`${file} shows a lib of this workspace: ${line}`);
      else own.push(line);
    }
    parts.push(own.join('\n').trim());
  };
  take(entry);
  const heads = [...imports].map(([from, names]) => `import { ${[...names].join(', ')} } from '${from}';\n`).join('');
  if (fromPackages && !takesFromIndex) {
    // The files export to each other more than the package does.
    for (const [i, part] of parts.entries())
      parts[i] = part.replace(/^export (?=declare |interface |type )/gm, '').replace(/^export \{\};$/gm, '');
    parts.push(`export { ${exported.join(', ')} };`);
  }
  return `/// <reference types="node" />\n${heads}${parts.filter((part) => part !== '' && part !== 'export {};').join('\n\n')}\n`;
}

/**
 * Makes the archive of a folder with its package.json, and prints its name and size; ends the process when npm cannot.
 * `given`: a folder, as seen from where the command was typed.
 */
export function pack(folder, given) {
  const destination = resolve(process.env.INIT_CWD ?? '.', given);
  if (!existsSync(destination)) {
    process.stderr.write(
      `--pack-destination is ${given}: there is no folder ${destination}; make it, or name another\n`,
    );
    process.exit(2);
  }
  const packed = spawnSync('npm', ['pack', '--silent', '--pack-destination', destination], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { ...process.env, INIT_CWD: folder },
  });
  if (packed.status !== 0) process.exit(packed.status ?? 1);
  const file = join(destination, packed.stdout.trim().split('\n').at(-1));
  process.stdout.write(`${file} ${statSync(file).size} bytes\n`);
}
