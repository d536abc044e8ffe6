import { loadPortalConfig } from './config';

const noticeMs = (env: Record<string, string>): number =>
  loadPortalConfig({ KAFKA_BROKERS: 'localhost:9092', ...env }).config.noticeMs;

it('a portal serves on for a fifth of its time to stop, or for as long as it is told', () => {
  expect(noticeMs({})).toBe(2_000);
  expect(noticeMs({ LEVEE_DRAIN_TIMEOUT: '1s' })).toBe(200);
  expect(noticeMs({ LEVEE_DRAIN_NOTICE: '0ms' })).toBe(0);
  expect(noticeMs({ LEVEE_DRAIN_NOTICE: '15s', LEVEE_DRAIN_TIMEOUT: '30s' })).toBe(15_000);
});

it('leaves requests under way the other half of that time', () => {
  expect(() => noticeMs({ LEVEE_DRAIN_NOTICE: '6s' })).toThrow(
    /^LEVEE_DRAIN_NOTICE is 6000 ms, more than half of LEVEE_DRAIN_TIMEOUT, 10000 ms, .* set LEVEE_DRAIN_TIMEOUT to at least 12000ms$/,
  );
});

it('times requests unless it is told not to', () => {
  const timed = (env: Record<string, string>): boolean | undefined =>
    loadPortalConfig({ KAFKA_BROKERS: 'localhost:9092', ...env }).config.timesRequests;
  expect([timed({}), timed({ LEVEE_REQUEST_TIMES: 'off' })]).toEqual([true, false]);
  expect(() => timed({ LEVEE_REQUEST_TIMES: 'no' })).toThrow(/LEVEE_REQUEST_TIMES is 'no'/);
});
