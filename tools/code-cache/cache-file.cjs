// What `dist/.code-cache` holds, and what both its writer and its readers know of it.
const { createHash } = require('node:crypto');
const { readFileSync, renameSync, statSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { dirname, join } = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');

const root = join(__dirname, '..', '..');
const file = join(root, 'dist', '.code-cache');
/** The head's length in bytes comes first, as so many digits; then its hash. */
const digits = 12;
const hashCharacters = 28;

/** Of a module's text and its code: V8 compares no more than the text's length, and dies of code that is damaged. */
const hashOf = (text, code = '') => createHash('sha1').update(text).update(code).digest('base64');

/** Where a `require` leads depends on where it stands. */
const keyOf = (request, parent) => `${dirname(parent.filename)}\0${request}`;

/** What every entry depends on: Node, where everything lies, and which packages are installed. */
function basis() {
  const installed = statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false });
  return [process.version, process.arch, root, installed?.size, installed?.mtimeMs].join(' ');
}

/** `modules`: by file name `{text, code}`; `paths`: file names by `keyOf`. */
function write({ modules, paths }) {
  const head = { basis: basis(), codeTag: v8.cachedDataVersionTag(), modules: {}, paths };
  const parts = [];
  let at = 0;
  for (const [filename, { text, code }] of modules) {
    head.modules[filename] = { hash: hashOf(text, code), from: at, to: (at += code.length) };
    parts.push(code);
  }
  const headBytes = Buffer.from(JSON.stringify(head));
  const lead = Buffer.from(`${String(headBytes.length).padStart(digits, '0')}${hashOf(headBytes)}`);
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, Buffer.concat([lead, headBytes, ...parts]));
  renameSync(partial, file);
}

/** `undefined` when it is damaged, or not for this Node and these packages. V8 takes no code of a process with other flags. */
function read() {
  const bytes = readFileSync(file);
  const headFrom = digits + hashCharacters;
  const codeFrom = headFrom + Number(bytes.toString('latin1', 0, digits));
  const headBytes = bytes.subarray(headFrom, codeFrom);
  if (hashOf(headBytes) !== bytes.toString('latin1', digits, headFrom)) return undefined;
  const { codeTag, modules, paths, ...head } = JSON.parse(headBytes.toString());
  if (head.basis !== basis()) return undefined;
  return { modules: codeTag === v8.cachedDataVersionTag() ? modules : {}, paths, code: bytes.subarray(codeFrom) };
}

/** A module that may call `import()` is left to Node's own loader, which knows where that leads. */
const mayImport = (text) => /\bimport\s*(\(|\/[*/])/.test(text);

const scriptOf = (text, filename, cachedData) => new vm.Script(Module.wrap(text), { filename, cachedData });

/** As Node's own loader does it. */
function run(module, script, filename) {
  const require = (id) => module.require(id);
  require.resolve = (request, options) => Module._resolveFilename(request, module, false, options);
  require.resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return script.runInThisContext().call(module.exports, module.exports, require, module, filename, dirname(filename));
}

module.exports = { root, file, hashOf, keyOf, write, read, mayImport, scriptOf, run };
