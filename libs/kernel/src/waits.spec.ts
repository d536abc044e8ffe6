import type { Timers } from './clock';
import { Failure } from './failure';
import { Waits } from './waits';

const never: Timers = { after: () => () => undefined };

describe('whoever waits', () => {
  test('is answered by the first poll at which its value is there', async () => {
    const waits = new Waits(never);
    const there = new Set<string>();
    const look = (): string | undefined => [...there][0];
    const answer = waits.until(look, 1_000, 'a value');
    waits.poll();
    there.add('here');
    waits.poll();
    expect(await answer).toBe('here');
    expect(await waits.until(look, 1_000, 'a value')).toBe('here');
  });

  test('fails with DEADLINE after its time, naming what it waited for', async () => {
    const waits = new Waits({
      after: (delayMs, action) => {
        expect(delayMs).toBe(70);
        queueMicrotask(action);
        return () => undefined;
      },
    });
    await expect(waits.until(() => undefined, 70, 'the reign')).rejects.toMatchObject({
      code: 'DEADLINE',
      message: 'the reign did not happen within 70 ms',
    });
  });

  test('fails together with all others, and a later poll answers nobody', async () => {
    const waits = new Waits(never);
    const looks = jest.fn(() => undefined);
    const all = [waits.until(looks, 1_000, 'one'), waits.until(looks, 1_000, 'two')];
    waits.failAll(new Failure('STOPPING', 'the process stops'));
    for (const each of all) await expect(each).rejects.toMatchObject({ code: 'STOPPING' });
    const before = looks.mock.calls.length;
    waits.poll();
    expect(looks).toHaveBeenCalledTimes(before);
  });
});
