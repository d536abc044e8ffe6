#!/usr/bin/env node
/**
 * `npm run pack:nest -- --pack-destination <folder>`: makes levee-nest-<version>.tgz out of libs/nest: one file for ESM,
 * one for CommonJS, and the types, for each entry. Nest and @levee/client are taken from the project that it is installed in, so that there
 * is one of each: errors are told by their classes.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { clientFromPackage, declarationsOf, pack, root, scratchFolder, strangersIn, workspace } from './bundle.mjs';

const { values } = parseArgs({ options: { 'pack-destination': { type: 'string', default: '.' } } });
const entries = { index: 'libs/nest/src/index.ts', microservices: 'libs/nest/src/microservices.ts' };
const { version, license, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = scratchFolder('nest');
const nest = '^10.0.0 || ^11.0.0 || ^12.0.0';
const peerDependencies = {
  '@levee/client': `^${version}`,
  '@nestjs/common': nest,
  '@nestjs/core': nest,
  '@nestjs/microservices': nest,
  rxjs: '^7.0.0',
};
/** For who takes `@levee/nest/microservices` alone. */
const optional = ['@nestjs/microservices', 'rxjs'];

for (const [format, extension] of [
  ['esm', '.mjs'],
  ['cjs', '.cjs'],
]) {
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: folder,
    outExtension: { '.js': extension },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format,
    keepNames: true,
    legalComments: 'none',
    plugins: [clientFromPackage, workspace],
    logLevel: 'warning',
  });
  for (const name of Object.keys(entries)) {
    const strangers = strangersIn(readFileSync(join(folder, `${name}${extension}`), 'utf8'));
    const isKnown = (stranger) => stranger in peerDependencies && (name !== 'index' || !optional.includes(stranger));
    const unknown = strangers.filter((stranger) => !isKnown(stranger));
    if (unknown.length > 0) throw new Error(`${name}${extension} needs ${unknown.join(', ')}`);
  }
}
for (const [name, text] of Object.entries(declarationsOf(entries, { fromPackages: true })))
  for (const extension of ['.mts', '.cts']) writeFileSync(join(folder, `${name}.d${extension}`), text);

const exportOf = (name) => ({
  import: { types: `./${name}.d.mts`, default: `./${name}.mjs` },
  require: { types: `./${name}.d.cts`, default: `./${name}.cjs` },
});

const manifest = {
  name: '@levee/nest',
  version,
  description: 'Levee, a distributed key-value store whose only truth is a log, in applications of NestJS',
  license,
  engines,
  exports: {
    '.': exportOf('index'),
    './microservices': exportOf('microservices'),
    './package.json': './package.json',
  },
  main: './index.cjs',
  module: './index.mjs',
  types: './index.d.cts',
  peerDependencies,
  peerDependenciesMeta: Object.fromEntries(optional.map((name) => [name, { optional: true }])),
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
cpSync(join(root, 'docs', 'nest.md'), join(folder, 'README.md'));

pack(folder, values['pack-destination']);
