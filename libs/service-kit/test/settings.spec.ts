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
  ['KAFKA_TLS', 'TRUE', true],
  ['LEVEE_URL', '', 'http://127.0.0.1:7380'],
] as const)('%s=%s is %j', (name, given, value) => {
  expect(loadSettings({ [name]: given }, [name])[name]).toEqual(value);
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
