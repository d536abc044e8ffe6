import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaSecurity, kafkaSecurityNames, loadSettings } from '../src';

const folder = mkdtempSync(join(tmpdir(), 'kafka-security-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
const ca = file('ca.pem', pem);
const secret = file('password', 'right\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (env: Record<string, string>) => kafkaSecurity(loadSettings(env, kafkaSecurityNames));
const login = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'levee' };

describe('who we are to Kafka', () => {
  it('nothing set: neither TLS nor a login', () => expect(read({})).toEqual({}));

  it('the password may be in a file, whose last line feed is no part of it', () => {
    expect(read({ ...login, KAFKA_SASL_PASSWORD_FILE: secret }).sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'levee',
      password: 'right',
    });
    expect(read({ ...login, KAFKA_SASL_PASSWORD: ' spaces ' }).sasl?.password).toMatch(/spaces/);
  });

  it('TLS without files trusts who the machine trusts; with files what they hold', () => {
    expect(read({ KAFKA_TLS: 'true' })).toEqual({ ssl: {} });
    const all = { KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: ca, KAFKA_TLS_KEY: ca };
    expect(read({ KAFKA_TLS: 'true', ...all })).toEqual({ ssl: { ca: pem, cert: pem, key: pem } });
  });

  /** settings | what the message names */
  it.each<[Record<string, string>, RegExp]>([
    [{ KAFKA_TLS_CA: ca }, /KAFKA_TLS_CA is set and KAFKA_TLS is not: set KAFKA_TLS=true/],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CERT: ca }, /KAFKA_TLS_CERT is set alone.*KAFKA_TLS_KEY/],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CA: '/nowhere/ca.pem' }, /KAFKA_TLS_CA is \/nowhere\/ca\.pem.*cannot be read/],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CA: secret }, /is no PEM file/],
    [{ KAFKA_SASL_USERNAME: 'levee' }, /KAFKA_SASL_USERNAME is set and KAFKA_SASL_MECHANISM is not/],
    [{ KAFKA_SASL_PASSWORD: 'x' }, /KAFKA_SASL_PASSWORD is set and KAFKA_SASL_MECHANISM is not/],
    [{ KAFKA_SASL_MECHANISM: 'plain' }, /KAFKA_SASL_USERNAME is not set/],
    [login, /KAFKA_SASL_USERNAME is levee and there is no password/],
    [{ ...login, KAFKA_SASL_PASSWORD: 'x', KAFKA_SASL_PASSWORD_FILE: secret }, /unset one of them/],
  ])('%j is refused by name', (env, message) => {
    expect(() => read(env)).toThrow(message);
  });

  it('no message shows a password', () => {
    const env = { KAFKA_SASL_PASSWORD: 'hush-hush', KAFKA_SASL_PASSWORD_FILE: secret, ...login };
    expect(() => read(env)).toThrow(expect.not.stringContaining('hush'));
    expect(() => read({ KAFKA_SASL_PASSWORD: 'hush-hush' })).toThrow(expect.not.stringContaining('hush'));
  });
});
