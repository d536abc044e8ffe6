import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import Redis from 'ioredis';
import { eventually } from '../support/deadline';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** Strangers at the doors of `npm start`: it stays, others are served, and its memory is bounded. */
describe('beside a client that means no good', () => {
  let levee: StandaloneProcess;
  let redis: Redis;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('strangers'));
    redis = new Redis(levee.respPort, '127.0.0.1');
    const value = 'v'.repeat(500);
    for (let i = 0; i < 20_000; i += 1_000)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => redis.set(`key:${String(i + n).padStart(12, '0')}`, value)),
      );
    await Promise.all(Array.from({ length: 200 }, (_, i) => redis.set(`large:${i}`, 'v'.repeat(100_000))));
  }, 120_000);

  afterAll(async () => {
    redis.disconnect();
    await levee.end('SIGKILL');
    levee.remove();
  }, 60_000);

  const residentMb = (): number =>
    (Number(readFileSync(`/proc/${levee.child.pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;

  it.each([
    'names of 15 MiB',
    'patterns that match badly',
    '200,000 GETs written before a reply is read',
    'MGETs of 65,535 keys in pipelines',
    'SETs of 1 MB in pipelines',
    '60 connections that read nothing',
    '60 bytes that promise 16 MiB',
    'commands of 15 MiB that never end',
    '300 unread scans',
    '1,500 unfinished bodies',
    'commands of unknown kinds',
  ])(
    '%s: another client is served, and memory is bounded',
    async (kind) => {
      const before = residentMb();
      const stranger = spawn(
        process.execPath,
        [join(__dirname, '../support/stranger.cjs'), kind, String(levee.respPort), new URL(levee.url).port, '2000'],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let over = false;
      let said = '';
      stranger.stdout.on('data', (chunk) => (said += String(chunk)));
      const gone = new Promise<void>((resolve) => stranger.once('close', () => resolve(((over = true), undefined))));
      let peakMb = 0;
      let longestMs = 0;
      for (let i = 0; !over; i++) {
        const began = performance.now();
        expect(await redis.set('bystander', `${i}`)).toBe('OK');
        expect(await redis.get('bystander')).toBe(`${i}`);
        longestMs = Math.max(longestMs, performance.now() - began);
        peakMb = Math.max(peakMb, residentMb());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await gone;
      expect(JSON.parse(said)).toMatchObject({ sent: expect.any(Number) as number });
      expect([kind, longestMs < 10_000, peakMb < before + 1_200]).toEqual([kind, true, true]);
      expect(levee.child.exitCode).toBeNull();
    },
    60_000,
  );

  it('SIGTERM ends it within its drain, with clients that do not read at every door', async () => {
    redis.disconnect();
    const port = (address: string): number => Number(address.split(':').pop());
    const node = levee.doors.nodes[0]!;
    const silent = (to: number, text: string): Socket => {
      const socket = connect(to, '127.0.0.1').on('error', () => undefined);
      socket.pause();
      socket.write(text);
      return socket;
    };
    const gets = Array.from({ length: 500 }, (_, i) => `GET large:${i % 200}\r\n`).join('');
    const sockets = [
      ...Array.from({ length: 5 }, () => silent(levee.respPort, gets)),
      ...Array.from({ length: 5 }, () =>
        silent(port(levee.url), 'GET /v1/kv/default?limit=100000 HTTP/1.1\r\nhost: localhost\r\n\r\n'),
      ),
      silent(port(levee.url), 'PUT /v1/kv/default/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf'),
      silent(port(levee.doors.master), 'GET /v1/status HTTP/1.1\r\nhost: localhost\r\n'),
      silent(port(node.http), 'GET /v1/node HTTP/1.1\r\nhost: localhost\r\n'),
      silent(port(node.resp), 'LV.STAT\r\n'.repeat(20_000)),
    ];
    await eventually('they have sent', () =>
      sockets.every(({ writableLength, connecting }) => !connecting && writableLength === 0),
    );
    const began = performance.now();
    expect(await levee.end('SIGTERM')).toBe(0);
    expect(performance.now() - began).toBeLessThan(12_000);
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});
