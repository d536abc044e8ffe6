import { readFileSync } from 'node:fs';
import { messageOf } from '@levee/kernel';
import { usageFailure } from './exit';
import type { PortalTls } from './portal-client';
import type { Terminal } from './terminal';

const files = { ca: 'LEVEE_TLS_CA', cert: 'LEVEE_TLS_CERT', key: 'LEVEE_TLS_KEY' } as const;

/** What the files hold that the environment names; `undefined`: none. A certificate is shown with its key alone. */
export function portalTls(env: Terminal['env']): PortalTls | undefined {
  const given = Object.entries(files).filter(([, name]) => (env[name] ?? '') !== '');
  if (given.length === 0) return undefined;
  return Object.fromEntries(given.map(([field, name]) => [field, contentOf(name, env[name] as string)]));
}

function contentOf(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usageFailure(`${name} is ${file}, which cannot be read: ${messageOf(error)}`);
  }
}
