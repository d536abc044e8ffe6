import { createServer, type AddressInfo } from 'node:net';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers } from '@levee/log';
import { NodeLink, NodeLinks } from './node-link';

const world = { logger: silentLogger, clock: systemClock, timers: systemTimers, random: systemRandom };

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server that greets as this disk of node n1. */
async function greeter(storeId: string): Promise<{ respAddress: string; close(): void }> {
  const hello = JSON.stringify({ clusterId: 'c1', nodeId: 'n1', storeId, incarnation: 'i' });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const text = bytes.toString();
      socket.write(text.includes('LV.HELLO') ? `$${hello.length}\r\n${hello}\r\n` : '+PONG\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { respAddress: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

describe('a node that moved and cannot be registered', () => {
  const ping = (link: NodeLink): Promise<unknown> =>
    link.reads.request(['PING'], 2_000).then(String, (error: Error) => `failed: ${error.message}`);

  it('is reached where its heartbeats say, only while no master can decide it, and only if it is the same disk', async () => {
    const links = new NodeLinks(world);
    const address = { nodeId: 'n1', storeId: 's1', respAddress: `127.0.0.1:${await closedPort()}` };
    const link = links.of(address, 'c1');
    const [other, same] = [await greeter('s2'), await greeter('s1')];
    links.heard('n1', same.respAddress, false);
    expect(await ping(link)).toMatch(/^failed/);
    links.heard('n1', other.respAddress, true);
    expect(await ping(link)).toMatch(/^failed: .*s2 answers/);
    links.heard('n1', same.respAddress, true);
    expect(await ping(link)).toBe('PONG');
    // A second process of that name takes nothing away from one that answers.
    links.heard('n1', other.respAddress, true);
    expect(await ping(link)).toBe('PONG');
    expect(links.of(address, 'c1')).toBe(link);
    links.heard('n9', same.respAddress, true);
    links.close();
    for (const server of [other, same]) server.close();
  });

  it('is looked for where it is registered once there is a master', async () => {
    const links = new NodeLinks(world);
    const [registered, moved] = [await greeter('s1'), await greeter('s1')];
    const link = links.of({ nodeId: 'n1', storeId: 's1', respAddress: registered.respAddress }, 'c1');
    links.heard('n1', moved.respAddress, true);
    expect(`${link.reads.address.host}:${link.reads.address.port}`).toBe(moved.respAddress);
    links.heard('n1', moved.respAddress, false);
    expect(`${link.reads.address.host}:${link.reads.address.port}`).toBe(registered.respAddress);
    expect(await ping(link)).toBe('PONG');
    links.close();
    for (const server of [registered, moved]) server.close();
  });
});

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
