import { HeldHere } from './held-here';

describe('what a process holds at most once', () => {
  const closing = (close = (): Promise<void> => Promise.resolve()) => ({ close });

  it('is opened by nobody else until it is closed, though it is still being opened or closed', async () => {
    const held = new HeldHere();
    let open: () => void = () => undefined;
    let close: () => void = () => undefined;
    const first = held.hold('a', async () => {
      await new Promise<void>((resolve) => (open = resolve));
      return closing(() => new Promise((resolve) => (close = resolve)));
    });
    const refused = jest.fn();
    expect(await held.hold('a', refused)).toBeUndefined();
    open();
    const one = await first;
    expect(await held.hold('a', refused)).toBeUndefined();
    const ended = one?.close();
    expect(await held.hold('a', refused)).toBeUndefined();
    close();
    await ended;
    expect(refused).not.toHaveBeenCalled();
    expect(await held.hold('a', () => Promise.resolve(closing()))).toBeDefined();
    expect(await held.hold('b', () => Promise.resolve(closing()))).toBeDefined();
  });

  it.each([
    ['fails', () => Promise.reject(new Error('bent'))],
    ['gets nothing', () => Promise.resolve(undefined)],
  ])('is let go of by an attempt that %s', async (_what, open) => {
    const held = new HeldHere();
    await held.hold('a', open).catch((error: Error) => expect(error.message).toBe('bent'));
    expect(await held.hold('a', () => Promise.resolve(closing()))).toBeDefined();
  });

  it('is let go of though its closing fails', async () => {
    const held = new HeldHere();
    const one = await held.hold('a', () => Promise.resolve(closing(() => Promise.reject(new Error('bent')))));
    await expect(one?.close()).rejects.toThrow('bent');
    expect(await held.hold('a', () => Promise.resolve(closing()))).toBeDefined();
  });
});
