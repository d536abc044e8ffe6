/**
 * `NODE_OPTIONS='--require …/older-version.cjs'`: a process of the cluster whose name is a file in the folder OLDER_MEMBERS
 * runs as one of feature level 5 would: it says so wherever it says its level, and knows no record of level 6, whose
 * fingerprint is to it that of a newer version. Everything else is the program as it is.
 */
const { existsSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');

/** The highest version of a record that a process of that level knows. */
const known = { NamespaceState: 4 };
const level = 5;

const changes = {
  'libs/events/src/feature-level.js': (exports) => {
    exports.featureLevel = level;
  },
  'libs/codec/src/record-registry.js': ({ RecordRegistry }) => {
    const { typeOfFrame } = RecordRegistry.prototype;
    RecordRegistry.prototype.typeOfFrame = function (bytes) {
      const type = typeOfFrame.call(this, bytes);
      if (type.version <= (known[type.name] ?? Infinity)) return type;
      // As of a record of which nothing is known: one bit of its fingerprint is another.
      const unknown = Buffer.from(bytes);
      unknown[9] ^= 1;
      return typeOfFrame.call(this, unknown);
    };
  },
};

const { OLDER_MEMBERS: folder, LEVEE_NODE_ID, LEVEE_INSTANCE } = process.env;
const member = LEVEE_NODE_ID ?? LEVEE_INSTANCE;
if (folder && member && existsSync(join(folder, member))) {
  const { load } = Module.prototype;
  Module.prototype.load = function (filename) {
    load.call(this, filename);
    for (const [path, change] of Object.entries(changes))
      if (filename.endsWith(join('dist', path))) change(this.exports);
  };
}
