/**
 * An application of Nest with one handler of changes, in a project that has the packed `@levee/nest`: every change that it is
 * given is a line of a file, which a kill of this process does not undo. Arguments: portal, file.
 */
const { openSync, writeSync } = require('node:fs');
const { NestFactory } = require('@nestjs/core');
const { utf8 } = require('@levee/client');
const { LeveeModule, OnKeyChange } = require('@levee/nest');

const [portal, path] = process.argv.slice(2);
const file = openSync(path, 'a');

class Recorder {
  changed({ key, value, position }) {
    writeSync(file, `${process.pid} ${key} ${value} ${position}\n`);
  }
}
const options = { prefix: 'changes/', codec: utf8, name: 'recorder', from: 'beginning', concurrency: 32 };
const described = Object.getOwnPropertyDescriptor(Recorder.prototype, 'changed');
OnKeyChange('default', options)(Recorder.prototype, 'changed', described);

class RecorderModule {}
const imports = [LeveeModule.forRoot({ portals: [portal] })];
void NestFactory.createApplicationContext(
  { module: RecorderModule, imports, providers: [Recorder] },
  { logger: ['error'] },
).then((app) => app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true }));
