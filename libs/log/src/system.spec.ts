import { systemTimers } from './system';

const dayMs = 86_400_000;

describe('timers of the system', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it.each([1, 2, 24 * dayMs, 25 * dayMs, 30 * dayMs, 400 * dayMs])('fire after %d ms, and not before', (delayMs) => {
    const fired = jest.fn();
    systemTimers.after(delayMs, fired);
    jest.advanceTimersByTime(delayMs - 1);
    expect(fired).toHaveBeenCalledTimes(0);
    jest.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(400 * dayMs);
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it('are cancelled at any time', () => {
    const fired = jest.fn();
    const cancel = systemTimers.after(60 * dayMs, fired);
    jest.advanceTimersByTime(50 * dayMs);
    cancel();
    jest.advanceTimersByTime(400 * dayMs);
    expect([fired.mock.calls.length, jest.getTimerCount()]).toEqual([0, 0]);
  });
});
