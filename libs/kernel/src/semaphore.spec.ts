import { Semaphore } from './semaphore';

describe('a semaphore', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('lets so many run at a time, in order, and goes on after one that failed', async () => {
    const semaphore = new Semaphore(2);
    const begun: number[] = [];
    const ends: ((error?: Error) => void)[] = [];
    const all = [0, 1, 2, 3].map((i) =>
      semaphore.run(() => {
        begun.push(i);
        return new Promise((resolve, reject) => (ends[i] = (error) => (error ? reject(error) : resolve())));
      }),
    );
    expect(begun).toEqual([0, 1]);
    ends[1]?.(new Error('bent'));
    await expect(all[1]).rejects.toThrow('bent');
    await turn();
    expect(begun).toEqual([0, 1, 2]);
    ends[0]?.();
    await turn();
    expect(begun).toEqual([0, 1, 2, 3]);
    ends[2]?.();
    ends[3]?.();
    await Promise.all([all[0], all[2], all[3]]);
  });

  it('lets nobody in between one that ends and the one that waited for its place', async () => {
    const semaphore = new Semaphore(1);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await turn();
      running--;
    };
    let end: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const all = [semaphore.run(() => gate), semaphore.run(work)];
    // Comes between the end of the first one and the beginning of the second.
    const late = gate.then(() => void all.push(semaphore.run(work)));
    end();
    await late;
    await Promise.all(all);
    expect(most).toBe(1);
  });
});
