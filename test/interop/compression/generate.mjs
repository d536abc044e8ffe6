#!/usr/bin/env node
/** Writes `test/golden/compressed-batches.json`: one batch by each codec of Java's client. Needs Java and Maven. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kafkaJars } from '../../../tools/kafka/artifacts.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const args = ['-cp', join(await kafkaJars(), '*'), join(here, 'Batches.java')];
const lines = execFileSync('java', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const batches = lines
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split(' '));
const about =
  'The same 40 records, offsets from 0, as one batch by each codec of kafka-clients: in hexadecimal. Written by test/interop/compression/generate.mjs.';
const golden = join(here, '..', '..', 'golden', 'compressed-batches.json');
writeFileSync(golden, `${JSON.stringify({ about, ...Object.fromEntries(batches) }, null, 2)}\n`);
