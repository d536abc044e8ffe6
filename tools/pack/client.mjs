#!/usr/bin/env node
/**
 * `npm run pack:client -- --pack-destination <folder>`: makes levee-client-<version>.tgz out of libs/sdk: one file for
 * ESM, one for CommonJS, and the types, for each entry. The libs of this workspace are inside. Nothing else is needed, but
 * for what follows Kafka: that needs packages with native code, which only those install who use it.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { declarationsOf, pack, requiring, root, scratchFolder, strangersIn, workspace } from './bundle.mjs';

const { values } = parseArgs({ options: { 'pack-destination': { type: 'string', default: '.' } } });
const entries = {
  index: 'libs/sdk/src/index.ts',
  direct: 'libs/sdk/src/direct.ts',
  local: 'libs/sdk/src/local.ts',
  avro: 'libs/sdk/src/avro.ts',
};
/** By entry: packages that it asks for. */
const asksFor = { local: ['kafkajs', 'snappy', '@foxglove/wasm-zstd'], disk: ['classic-level', 'snappy'] };
/** What a replica on disk needs: a file that `local` asks for where it is told of a folder, and nobody else. */
const disk = { name: 'disk', entry: 'libs/sdk/src/disk.ts', format: 'cjs', extension: '.cjs' };
const diskFile = './disk.cjs';
const diskApart = {
  name: 'disk-apart',
  setup(build) {
    build.onResolve({ filter: /^\.\/disk$/ }, () => ({ path: diskFile, external: true }));
  },
};
const { version, license, engines, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = scratchFolder('client');

const kinds = [
  ...Object.entries(entries).flatMap(([name, entry]) => [
    { name, entry, format: 'esm', extension: '.mjs' },
    { name, entry, format: 'cjs', extension: '.cjs' },
  ]),
  disk,
];
for (const { name, entry, format, extension } of kinds)
  await build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
    outdir: folder,
    outExtension: { '.js': extension },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format,
    // Names of errors and of classes in stacks stay.
    keepNames: true,
    legalComments: 'none',
    // avsc is CommonJS and asks for modules of Node, and so is what `requiring` is for.
    ...(format === 'esm' &&
      ['avro', 'local'].includes(name) && {
        banner: {
          js: "import { createRequire as levee_require } from 'node:module'; const require = levee_require(import.meta.url);",
        },
      }),
    plugins: [...(name === 'local' ? [diskApart] : []), requiring(asksFor[name] ?? []), workspace],
    logLevel: 'warning',
  });
for (const name of readdirSync(folder)) {
  const entry = name.slice(0, name.lastIndexOf('.'));
  const asked = [...(asksFor[entry] ?? []), ...(entry === 'local' ? [diskFile] : [])];
  const strangers = strangersIn(readFileSync(join(folder, name), 'utf8')).filter((one) => !asked.includes(one));
  if (strangers.length > 0) throw new Error(`${name} needs ${strangers.join(', ')}`);
}
for (const [name, text] of Object.entries(declarationsOf(entries)))
  for (const extension of ['.mts', '.cts'])
    writeFileSync(
      join(folder, `${name}.d${extension}`),
      text.replaceAll("'./index.mjs'", `'./index${extension.replace('t', 'j')}'`),
    );

const exportOf = (name) => ({
  import: { types: `./${name}.d.mts`, default: `./${name}.mjs` },
  require: { types: `./${name}.d.cts`, default: `./${name}.cjs` },
});
const optional = [...new Set(Object.values(asksFor).flat())];
const manifest = {
  name: '@levee/client',
  version,
  description: 'Client of Levee, a distributed key-value store whose only truth is a log',
  license,
  engines,
  sideEffects: false,
  exports: {
    '.': exportOf('index'),
    './direct': exportOf('direct'),
    './local': exportOf('local'),
    './avro': exportOf('avro'),
    './package.json': './package.json',
  },
  main: './index.cjs',
  module: './index.mjs',
  types: './index.d.cts',
  peerDependencies: Object.fromEntries(optional.map((one) => [one, `^${dependencies[one]}`])),
  peerDependenciesMeta: Object.fromEntries(optional.map((one) => [one, { optional: true }])),
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
cpSync(join(root, 'docs', 'client.md'), join(folder, 'README.md'));

pack(folder, values['pack-destination']);
