import { connect, IndefiniteError } from '@levee/sdk';
import { ScriptedPortal } from './scripted-portal';

it('a write is as old as it is when the machine slept before it is asked after: the portal may have forgotten its id', async () => {
  const portal = await ScriptedPortal.start();
  const sleptMs = 3_600_000;
  const now = jest.spyOn(Date, 'now');
  try {
    portal.script = (words) => {
      if (words.includes('AGAIN')) return '-LVINDEFINITE nobody knows any more\r\n';
      now.mockImplementation(() => performance.timeOrigin + performance.now() + sleptMs);
      setImmediate(() => portal.cut());
      return undefined;
    };
    await using client = await connect({ portals: [portal.name], deadlineMs: 4_000 });
    const writing = client.namespace('shop.orders').put('a', Buffer.from('x'));
    await expect(writing).rejects.toThrow(IndefiniteError);
    expect(Number((portal.commands.at(-1) as string[]).at(-1))).toBeGreaterThan(sleptMs - 60_000);
  } finally {
    now.mockRestore();
    await portal.close();
  }
});
