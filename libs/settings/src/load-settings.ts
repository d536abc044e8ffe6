import { Failure } from '@levee/kernel';
import { settingNames, settingsTable, type SettingName, type Settings } from './settings';
import type { Setting } from './setting-types';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not fit the settings table; the message has a line for each wrong variable. */
export class SettingsFailure extends Failure<'BAD_SETTINGS'> {
  override readonly name = 'SettingsFailure';
}

/**
 * Reads `names` from `env` (usually `process.env`) into one frozen object; an empty variable counts as not set.
 * Throws SettingsFailure listing every wrong variable with its value, what is allowed, and the mend; a variable that
 * begins with LEVEE_ but is in no table is wrong too, since a misspelt setting must not be ignored.
 */
export function loadSettings<const N extends SettingName>(env: Environment, names: readonly N[]): Settings<N> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const setting: Setting<unknown> = settingsTable[name];
    const given = isSet(env, name) ? env[name] : setting.default;
    if (given === undefined) {
      values[name] = undefined;
      continue;
    }
    const parsed = setting.schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(problemOf(name, setting, given));
  }
  for (const name of Object.keys(env))
    if (name.startsWith('LEVEE_') && !(name in settingsTable) && !isOfKubernetes(env, name))
      problems.push(unknownSetting(name));
  if (problems.length > 0)
    throw new SettingsFailure('BAD_SETTINGS', `wrong settings:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  return Object.freeze(values) as Settings<N>;
}

function isSet(env: Environment, name: SettingName): boolean {
  return env[name] !== undefined && env[name] !== '' && !isOfKubernetes(env, name);
}

/**
 * Kubernetes tells every container of the services beside it in variables of their names: for one named levee-http
 * these are LEVEE_HTTP_SERVICE_HOST, LEVEE_HTTP_PORT=tcp://10.0.0.1:7380 and others. Nobody has set them.
 */
function isOfKubernetes(env: Environment, name: string): boolean {
  if (/^LEVEE(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?)$/.test(name)) return true;
  if (/^LEVEE(_[A-Z0-9]+)*_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return /^LEVEE(_[A-Z0-9]+)*_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(env[name] ?? '');
}

function problemOf(name: string, setting: Setting<unknown>, given: string): string {
  const shown = setting.secret === true ? '(secret)' : `'${given}'`;
  const mend = setting.default === undefined ? 'unset it' : `unset it for the default, ${setting.default}`;
  return `${name} is ${shown}, but must be ${setting.allowed}; correct it or ${mend}`;
}

function unknownSetting(name: string): string {
  const near = settingNames.find((known) => distanceIsSmall(known, name));
  const guess = near === undefined ? 'see `levee config` for all settings' : `did you mean ${near}?`;
  return `${name} is no setting of Levee; unset it, ${guess}`;
}

/** True when at most two characters were inserted, left out, or replaced (Levenshtein). */
function distanceIsSmall(known: string, given: string): boolean {
  if (Math.abs(known.length - given.length) > 2) return false;
  let row = Array.from({ length: given.length + 1 }, (_, i) => i);
  for (let i = 1; i <= known.length; i++) {
    const next = [i];
    for (let j = 1; j <= given.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (known[i - 1] === given[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[given.length] ?? 3) <= 2;
}

/** One line of `levee config`: the setting as it is now. */
export interface SettingLine {
  readonly name: SettingName;
  /** Text of the environment, or of the default; null when neither is set. */
  readonly value: string | null;
  readonly default: string | null;
  readonly isSet: boolean;
  readonly allowed: string;
  readonly meaning: string;
  readonly apps: readonly string[];
}

/** The whole table against `env`; secrets are shown as `(secret)`. */
export function describeSettings(env: Environment): SettingLine[] {
  return settingNames.map((name) => {
    const setting: Setting<unknown> = settingsTable[name];
    const set = isSet(env, name);
    const value = set ? (setting.secret === true ? '(secret)' : (env[name] ?? null)) : (setting.default ?? null);
    return {
      name,
      value,
      default: setting.default ?? null,
      isSet: set,
      allowed: setting.allowed,
      meaning: setting.meaning,
      apps: setting.apps,
    };
  });
}

/** Names that clients may call an HTTP door by. */
export function httpNames(
  settings: Settings<'LEVEE_HOST' | 'LEVEE_ADVERTISED_HOST' | 'LEVEE_HTTP_HOSTS'>,
): readonly string[] {
  const { LEVEE_HOST, LEVEE_ADVERTISED_HOST, LEVEE_HTTP_HOSTS } = settings;
  return [LEVEE_HOST, LEVEE_ADVERTISED_HOST ?? LEVEE_HOST, ...(LEVEE_HTTP_HOSTS ?? [])];
}
