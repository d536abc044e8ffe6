import type { Timers } from './clock';
import { pause, Pause } from './pause';

/** Timers that a test moves; `waiting` counts those that neither fired nor were cancelled. */
function manualTimers() {
  const actions = new Set<() => void>();
  const timers: Timers = {
    after: (_delayMs, action) => {
      actions.add(action);
      return () => void actions.delete(action);
    },
  };
  const fire = (): void => [...actions].forEach((action) => action());
  return { timers, fire, waiting: () => actions.size };
}

describe('a pause', () => {
  test('ends with its time and leaves neither timer nor listener behind', async () => {
    const { timers, fire, waiting } = manualTimers();
    const listeners = new Set<() => void>();
    const signal = {
      aborted: false,
      addEventListener: (_event: 'abort', listener: () => void) => void listeners.add(listener),
      removeEventListener: (_event: 'abort', listener: () => void) => void listeners.delete(listener),
    };
    const paused = pause(timers, 1_000, signal);
    expect([waiting(), listeners.size]).toEqual([1, 1]);
    fire();
    await paused;
    expect([waiting(), listeners.size]).toEqual([0, 0]);
  });

  test('ends at once when its signal aborts, and does not begin when it has', async () => {
    const { timers, waiting } = manualTimers();
    const stopping = new AbortController();
    const paused = new Pause(timers, stopping.signal).for(1_000);
    stopping.abort();
    await paused;
    await pause(timers, 1_000, stopping.signal);
    expect(waiting()).toBe(0);
  });
});
