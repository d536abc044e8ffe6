import { readFileSync } from 'node:fs';
import { messageOf } from '@levee/kernel';
import { SettingsFailure } from './load-settings';
import type { Settings } from './settings';

/** The settings that say who we are to Kafka, and whom we believe. */
export const kafkaSecurityNames = [
  'KAFKA_TLS',
  'KAFKA_TLS_CA',
  'KAFKA_TLS_CERT',
  'KAFKA_TLS_KEY',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_SASL_PASSWORD_FILE',
] as const;

export type KafkaSecuritySettings = Settings<(typeof kafkaSecurityNames)[number]>;

export interface KafkaTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface Login<M> {
  readonly mechanism: M;
  readonly username: string;
  readonly password: string;
}

export type KafkaLogin = Login<'plain'> | Login<'scram-sha-256'> | Login<'scram-sha-512'>;

/**
 * TLS and login for Kafka, with what their files hold; a file is read once, at start. Throws SettingsFailure naming
 * what does not go together, or the file that cannot be read.
 */
export function kafkaSecurity(settings: KafkaSecuritySettings): {
  readonly ssl?: KafkaTls;
  readonly sasl?: KafkaLogin;
} {
  const ssl = tlsOf(settings);
  const sasl = loginOf(settings);
  return { ...(ssl && { ssl }), ...(sasl && { sasl }) };
}

function tlsOf(settings: KafkaSecuritySettings): KafkaTls | undefined {
  const { KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key } = settings;
  if (!settings.KAFKA_TLS) {
    const given = (['KAFKA_TLS_CA', 'KAFKA_TLS_CERT', 'KAFKA_TLS_KEY'] as const).find(
      (name) => settings[name] !== undefined,
    );
    if (given !== undefined) throw wrong(`${given} is set and KAFKA_TLS is not: set KAFKA_TLS=true, or unset ${given}`);
    return undefined;
  }
  if ((cert === undefined) !== (key === undefined))
    throw wrong(
      `${cert === undefined ? 'KAFKA_TLS_KEY' : 'KAFKA_TLS_CERT'} is set alone: a client certificate needs both KAFKA_TLS_CERT and KAFKA_TLS_KEY`,
    );
  return {
    ...(ca === undefined ? {} : { ca: pemIn('KAFKA_TLS_CA', ca) }),
    ...(cert === undefined ? {} : { cert: pemIn('KAFKA_TLS_CERT', cert) }),
    ...(key === undefined ? {} : { key: pemIn('KAFKA_TLS_KEY', key) }),
  };
}

function loginOf(settings: KafkaSecuritySettings): KafkaLogin | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = settings;
  const { KAFKA_SASL_PASSWORD: given, KAFKA_SASL_PASSWORD_FILE: file } = settings;
  if (mechanism === undefined) {
    const alone = username === undefined ? (given ?? file) && 'a KAFKA_SASL_PASSWORD' : 'KAFKA_SASL_USERNAME';
    if (alone !== undefined)
      throw wrong(`${alone} is set and KAFKA_SASL_MECHANISM is not: set it to plain, scram-sha-256 or scram-sha-512`);
    return undefined;
  }
  if (username === undefined)
    throw wrong(`KAFKA_SASL_MECHANISM is ${mechanism} and KAFKA_SASL_USERNAME is not set: set it`);
  if (given !== undefined && file !== undefined)
    throw wrong('both KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are set: unset one of them');
  // Editors and `echo` end a file with a line feed, which is no part of a password.
  const password = file === undefined ? given : textIn('KAFKA_SASL_PASSWORD_FILE', file).replace(/\r?\n$/, '');
  if (password === undefined || password === '')
    throw wrong(
      `KAFKA_SASL_USERNAME is ${username} and there is no password: set KAFKA_SASL_PASSWORD, or KAFKA_SASL_PASSWORD_FILE to a file that holds it`,
    );
  return { mechanism, username, password } as KafkaLogin;
}

function pemIn(name: string, path: string): string {
  const text = textIn(name, path);
  if (!text.includes('-----BEGIN '))
    throw wrong(`${name} is ${path}, which is no PEM file: it must have a -----BEGIN line`);
  return text;
}

function textIn(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`${name} is ${path}, which cannot be read: ${messageOf(error)}`);
  }
}

const wrong = (what: string): SettingsFailure => new SettingsFailure('BAD_SETTINGS', `wrong settings:\n  ${what}`);
