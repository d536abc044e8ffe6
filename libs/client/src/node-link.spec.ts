import { createServer, type AddressInfo } from 'node:net';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers } from '@levee/log';
import { NodeLink } from './node-link';

const world = { logger: silentLogger, clock: systemClock, timers: systemTimers, random: systemRandom };

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('what a link tells of its node', () => {
  it('is what failed since it was last asked, so that an old failure is not reported for ever', async () => {
    const respAddress = `127.0.0.1:${await closedPort()}`;
    const link = new NodeLink({ nodeId: 'n1', storeId: 's1', respAddress }, 'c1', world);
    expect(link.newFailures()).toBe(0);
    link.doubt(0);
    link.doubt(0);
    expect([link.newFailures(), link.newFailures(), link.failures]).toEqual([2, 0, 2]);
    await new Promise<void>((resolve) => link.reads.send(['PING'], 5_000, () => resolve()));
    expect(link.usable).toBe(false);
    expect([link.newFailures(), link.newFailures()]).toEqual([1, 1]);
    link.close();
  });
});
