#!/usr/bin/env node
/** The command `levee` of a checkout that is built: as `npm run levee`, without a look whether a source is newer. */
const { join } = require('node:path');
require('./code-cache/use.cjs');
require(join(__dirname, '..', 'dist', 'apps', 'cli', 'src', 'main.js'));
