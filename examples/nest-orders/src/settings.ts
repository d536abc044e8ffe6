import { readFileSync } from 'node:fs';

export interface Settings {
  readonly host: string;
  readonly port: number;
  /** RESP doors of Levee. */
  readonly portals: readonly string[];
  /** Who this service is, where Levee asks. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** For how long it goes on serving after SIGTERM, until nobody sends anything here any more; then what is under way has as long again. */
  readonly drainMs: number;
  /** Whether this process keeps the view. One of several does. */
  readonly keepsView: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws an Error that names the setting, its value and what it may be. */
export function settingsOf(env: Environment): Settings {
  const passwordFile = env['LEVEE_PASSWORD_FILE'];
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: wholeNumber(env, 'PORT', 3_000, 65_535),
    portals: (env['LEVEE_PORTALS'] ?? '127.0.0.1:7379').split(','),
    user: env['LEVEE_USER'],
    password: passwordFile === undefined ? undefined : readFileSync(passwordFile, 'utf8').trim(),
    drainMs: wholeNumber(env, 'DRAIN_MS', 5_000, 60_000),
    keepsView: onOrOff(env, 'ORDERS_VIEW'),
  };
}

function wholeNumber(env: Environment, name: string, otherwise: number, most: number): number {
  const text = env[name] ?? String(otherwise);
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new Error(`${name} is '${text}': it must be a whole number from 0 to ${most}`);
}

function onOrOff(env: Environment, name: string): boolean {
  const text = env[name] ?? 'on';
  if (text === 'on' || text === 'off') return text === 'on';
  throw new Error(`${name} is '${text}': it must be on or off`);
}
