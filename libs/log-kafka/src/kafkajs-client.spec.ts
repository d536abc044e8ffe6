import net from 'node:net';
import { silentLogger } from '@levee/kernel';
import { createKafkajsClient } from './kafkajs-client';
import { kafkaLogLimits as limits } from './limits';

/** Says that it speaks Metadata 0, and nothing else: that is all that the admin client asks when it connects. */
function answerTo(request: Buffer): Buffer {
  const metadataZero = [0, 3, 0, 0, 0, 0];
  const body = Buffer.from([...request.subarray(8, 12), 0, 0, 0, 0, 0, 1, ...metadataZero, 0, 0, 0, 0]);
  return Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]);
}

it('lets no timer of kafkajs run while nothing waits to be sent, in its admin client neither', async () => {
  const server = net.createServer((socket) => socket.on('data', (request) => socket.write(answerTo(request))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const brokers = [`127.0.0.1:${(server.address() as net.AddressInfo).port}`];
  const admin = createKafkajsClient({ brokers, clientId: 'quiet', logger: silentLogger, limits }).admin();
  await admin.connect();
  const timers = jest.spyOn(globalThis, 'setTimeout');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const short = timers.mock.calls.filter(([, ms = 0]) => ms <= 1).length;
  timers.mockRestore();
  await admin.disconnect();
  server.close();
  expect(short).toBeLessThan(10);
});
