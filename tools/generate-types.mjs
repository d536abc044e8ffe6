// Turns schemas/<Record>/v<n>.avsc into libs/events/src/generated: the types, and the schemas as constants.
// `npm run generate` writes; `npm run generate -- --check` writes nothing and exits 1 when the folder is out of date.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import prettier from 'prettier';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'libs/events/src/generated');

const complain = (where, what) => {
  throw new Error(`${where}: ${what}`);
};

/** Every version of every record: [{ name, version, schema }], by name, then version. */
function readSchemas() {
  const found = [];
  for (const name of readdirSync(join(root, 'schemas')).sort()) {
    const files = readdirSync(join(root, 'schemas', name));
    for (let version = 1; version <= files.length; version++) {
      const where = `schemas/${name}/v${version}.avsc`;
      if (!files.includes(`v${version}.avsc`)) complain(where, `missing, but the folder holds ${files.join(', ')}`);
      const schema = JSON.parse(readFileSync(join(root, where), 'utf8'));
      if (schema.name !== name) complain(where, `declares the record ${schema.name}`);
      if (schema.namespace !== 'levee') complain(where, `has the namespace ${schema.namespace}, not levee`);
      found.push({ name, version, schema, where });
    }
  }
  return found;
}

/** TypeScript type of an Avro type; nested records are handed to `nested`. Refuses what may not be on the wire. */
function typeText(type, where, nested) {
  if (type === 'int' || type === 'long' || type === 'double') return 'number';
  if (type === 'string' || type === 'boolean') return type;
  if (type === 'bytes') return 'Uint8Array';
  if (Array.isArray(type)) {
    if (type.length !== 2 || type[0] !== 'null') complain(where, 'the only union is ["null", T]');
    return `${typeText(type[1], where, nested)} | null`;
  }
  if (type?.type === 'string' && Array.isArray(type.values)) return type.values.map((v) => `'${v}'`).join(' | ');
  if (type?.type === 'array') {
    if (type.items === 'null') complain(where, 'array<null> may not be on the wire');
    const items = typeText(type.items, where, nested);
    return items.includes('|') ? `readonly (${items})[]` : `readonly ${items}[]`;
  }
  if (type?.type === 'record') {
    nested(type, where);
    return type.name;
  }
  return complain(where, `${JSON.stringify(type)} may not be on the wire`);
}

function generateTypes(schemas) {
  const latest = new Map();
  for (const each of schemas) latest.set(each.name, each);
  const written = new Map();
  const blocks = [];

  const interfaceOf = (record, typeName, where) => {
    const shape = JSON.stringify({ ...record, namespace: undefined });
    if (written.has(typeName)) {
      if (written.get(typeName) !== shape) complain(where, `another shape of ${typeName} than elsewhere`);
      return;
    }
    written.set(typeName, shape);
    if (!record.doc) complain(where, `${record.name} has no doc`);
    const fields = record.fields.map((field) => {
      const at = `${where}: ${record.name}.${field.name}`;
      if (!field.doc) complain(at, 'has no doc; say the unit and the zero point');
      if (Array.isArray(field.type) && field.default !== null) complain(at, 'a nullable field needs "default": null');
      const type = typeText(field.type, at, (inner) => interfaceOf(inner, inner.name, at));
      return `  /** ${field.doc} */\n  readonly ${field.name}: ${type};`;
    });
    blocks.push(`/** ${record.doc} */\nexport interface ${typeName} {\n${fields.join('\n')}\n}`);
  };

  for (const { name, version, schema, where } of schemas) {
    const isLatest = latest.get(name).version === version;
    interfaceOf(schema, isLatest ? name : `${name}V${version}`, where);
  }
  const names = [...latest.keys()];
  blocks.push(
    `/** Every record that stands on its own, in its newest version. */\nexport interface RecordTypes {\n${names
      .map((name) => `  ${name}: ${name};`)
      .join('\n')}\n}`,
    'export type RecordName = keyof RecordTypes;',
  );
  return `${banner}\n\n${blocks.join('\n\n')}\n`;
}

function generateConstants(schemas) {
  const entries = schemas.map(({ name, version, schema }) => JSON.stringify({ name, version, schema }));
  return `${banner}
import type { SchemaVersion } from '../avro';

/** Every published version of every record, by name, then version. */
export const schemaVersions: readonly SchemaVersion[] = [${entries.join(',\n')}];
`;
}

const banner = '// Generated from schemas/ by `npm run generate`. Do not edit.';

const check = process.argv.includes('--check');
const schemas = readSchemas();
const options = { ...(await prettier.resolveConfig(join(target, 'types.ts'))), parser: 'typescript' };
let stale = 0;
mkdirSync(target, { recursive: true });
for (const [file, text] of [
  ['types.ts', generateTypes(schemas)],
  ['schemas.ts', generateConstants(schemas)],
]) {
  const wanted = await prettier.format(text, options);
  const path = join(target, file);
  let present = '';
  try {
    present = readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (present === wanted) continue;
  stale++;
  if (check) console.error(`libs/events/src/generated/${file} is not what schemas/ say: run npm run generate`);
  else writeFileSync(path, wanted);
}
if (check && stale > 0) process.exitCode = 1;
else if (!check) console.error(`${schemas.length} schemas, ${stale} files written`);
