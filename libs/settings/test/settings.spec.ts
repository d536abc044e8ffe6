import { describeSettings, loadSettings, SettingsFailure, settingNames, settingsTable } from '../src';

const names = settingNames;

test('an empty environment gives the defaults, frozen', () => {
  const settings = loadSettings({}, names);
  expect(settings.LEVEE_RESP_PORT).toBe(7379);
  expect(settings.LEVEE_HEARTBEAT).toBe(300);
  expect(settings.KAFKA_BROKERS).toBeUndefined();
  expect(Object.isFrozen(settings)).toBe(true);
});

test.each([
  ['LEVEE_RESP_PORT', '0', 0],
  ['LEVEE_RESP_PORT', ' 8000 ', 8000],
  ['LEVEE_HISTORY_WINDOW', '1.5s', 1500],
  ['LEVEE_HISTORY_WINDOW', '12h', 43_200_000],
  ['LEVEE_MEMORY_BUDGET', '1.5GiB', 1.5 * 2 ** 30],
  ['LEVEE_LOG_LEVEL', 'debug', 'debug'],
  ['KAFKA_BROKERS', 'a:9092, b:9093', ['a:9092', 'b:9093']],
  ['KAFKA_BROKERS', '[::1]:9092,[fe80::2]:1', ['[::1]:9092', '[fe80::2]:1']],
  ['KAFKA_TLS', 'TRUE', true],
  ['LEVEE_URL', '', 'http://127.0.0.1:7380'],
] as const)('%s=%s is %j', (name, given, value) => {
  expect(loadSettings({ [name]: given }, [name])[name]).toEqual(value);
});

test.each([
  ['LEVEE_RECLAIM_INTERVAL', '30d', 'from 1m to 7d'],
  ['LEVEE_BARRIER_INTERVAL', '30d', 'from 100ms to 1d'],
  ['LEVEE_HEARTBEAT', '0s', 'from 10ms to 60s'],
  ['LEVEE_DISPATCH_INTERVAL', '0ms', 'from 10ms to 1d'],
  ['LEVEE_DRAIN_TIMEOUT', '99999999999999d', 'from 100ms to 1h'],
] as const)('%s=%s is refused: a duration has limits', (name, given, limits) => {
  expect(() => loadSettings({ [name]: given }, [name])).toThrow(new RegExp(`${name} is '${given}'.*${limits}`));
});

/** Times to wait that somebody may do without. */
const mayBeNone: ReadonlySet<string> = new Set(['LEVEE_PLAN_OBSERVE', 'LEVEE_DRAIN_NOTICE']);

test('no duration is 0 or longer than its setting can bear, whatever its default', () => {
  for (const name of names) {
    if (!settingsTable[name].allowed.startsWith('a duration')) continue;
    if (!mayBeNone.has(name)) expect(() => loadSettings({ [name]: '0ms' }, [name])).toThrow(SettingsFailure);
    expect(() => loadSettings({ [name]: '4000d' }, [name])).toThrow(SettingsFailure);
  }
});

test('what Kubernetes tells of services named levee, levee-http and levee-resp is no setting', () => {
  const env: Record<string, string> = {};
  for (const service of ['LEVEE', 'LEVEE_HTTP', 'LEVEE_RESP']) {
    env[`${service}_SERVICE_HOST`] = '10.0.0.1';
    env[`${service}_SERVICE_PORT`] = '7379';
    env[`${service}_SERVICE_PORT_RESP`] = '7379';
    env[`${service}_PORT`] = 'tcp://10.0.0.1:7379';
    env[`${service}_PORT_7379_TCP`] = 'tcp://10.0.0.1:7379';
    for (const [part, value] of [
      ['PROTO', 'tcp'],
      ['PORT', '7379'],
      ['ADDR', '10.0.0.1'],
    ] as const)
      env[`${service}_PORT_7379_TCP_${part}`] = value;
  }
  expect(loadSettings(env, names)).toEqual(loadSettings({}, names));
  expect(describeSettings(env)).toEqual(describeSettings({}));
  expect(() => loadSettings({ ...env, LEVEE_PORT: '7379' }, names)).toThrow(/LEVEE_PORT is no setting of Levee/);
  expect(() => loadSettings({ ...env, LEVEE_HTTP_PORT: 'x://y' }, names)).toThrow(/LEVEE_HTTP_PORT is 'x:\/\/y'/);
});

test('an error lists every wrong variable with its value, what is allowed, and the mend', () => {
  const env = { LEVEE_RESP_PORT: '70000', LEVEE_HEARTBEAT: 'soon', KAFKA_BROKERS: 'nowhere', LEVEE_LOG_LEVL: 'info' };
  const attempt = (): unknown => loadSettings(env, names);
  expect(attempt).toThrow(SettingsFailure);
  expect(attempt).toThrow(/LEVEE_RESP_PORT is '70000', but must be a whole number from 0 to 65535; .* default, 7379/);
  expect(attempt).toThrow(/LEVEE_HEARTBEAT is 'soon', but must be a duration such as 300ms/);
  expect(attempt).toThrow(/KAFKA_BROKERS is 'nowhere', but must be host:port/);
  expect(attempt).toThrow(/LEVEE_LOG_LEVL is no setting of Levee; unset it, did you mean LEVEE_LOG_LEVEL\?/);
});

test('a wrong secret is not printed', () => {
  const lines = describeSettings({ KAFKA_SASL_PASSWORD: 'hunter2' });
  expect(JSON.stringify(lines)).not.toContain('hunter2');
});

test('every default is itself allowed, and every setting says what it means', () => {
  for (const name of names) {
    const { default: fallback, meaning, allowed, apps } = settingsTable[name];
    if (fallback !== undefined) expect(() => loadSettings({ [name]: fallback }, [name])).not.toThrow();
    expect([meaning, allowed].every((words) => words.length > 3)).toBe(true);
    expect(apps.length).toBeGreaterThan(0);
  }
});

it.each(['::1', '::1:9092', '[::1]', '[::1]9092', '127.0.0.1', 'a:9092,::1', 'a:0', 'a:70000'])(
  'KAFKA_BROKERS %s is refused, and says how an IPv6 address is written',
  (KAFKA_BROKERS) => {
    expect(() => loadSettings({ KAFKA_BROKERS }, ['KAFKA_BROKERS'])).toThrow(
      `KAFKA_BROKERS is '${KAFKA_BROKERS}', but must be host:port or [IPv6 address]:port, separated by commas`,
    );
  },
);
