import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of this build. */
export function softwareVersion(): string {
  for (const up of ['../../..', '../../../..']) {
    const file = join(__dirname, up, 'package.json');
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
