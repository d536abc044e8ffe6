/** Compiles apps and libs into `dist`: types are checked, and the paths of libs become such that Node understands. */
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const { dirname, join, relative, sep } = require('node:path');
const { compilerOptions } = require('../../nest-cli.json');

const root = join(__dirname, '..', '..');
const dist = join(root, 'dist');
const compiler = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');

/** What is wrong, as the compiler says it; `undefined`: all is well. */
function compile() {
  const options = ['-p', join(root, compilerOptions.tsConfigPath), '--pretty', 'false', '--noEmitOnError', 'true'];
  const compiled = spawnSync(process.execPath, [compiler, ...options], { cwd: root, encoding: 'utf8' });
  if (compiled.error !== undefined) return compiled.error.message;
  if (compiled.status !== 0) return `${compiled.stdout}${compiled.stderr}`;
  for (const name of readdirSync(dist, { recursive: true })) if (name.endsWith('.js')) linkLibs(join(dist, name));
  return undefined;
}

/** `@levee/kernel` is a name that the compiler alone knows, from `paths` in tsconfig.json. */
function linkLibs(file) {
  const text = readFileSync(file, 'utf8');
  const linked = text.replace(/\b(require|import)\("@levee\/([^"/]+)"\)/g, (_, call, lib) => {
    const path = relative(dirname(file), join(dist, 'libs', lib, 'src'))
      .split(sep)
      .join('/');
    return `${call}("${path.startsWith('.') ? path : `./${path}`}")`;
  });
  if (linked !== text) writeFileSync(file, linked);
}

module.exports = { compile };
