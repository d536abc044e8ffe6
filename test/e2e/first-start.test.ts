import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/deadline';
import { leveeWith } from '../support/levee-command';
import { freePort } from '../support/portal-process';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** One command at a RESP door, and the line that it is answered with; `undefined` when nobody listens yet. */
function said(port: number, command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
    socket.once('data', (bytes: Buffer) => {
      resolve(bytes.toString().split('\r\n')[0]);
      socket.destroy();
    });
  });
}

/** What a person sees who types `npm start` in an empty folder. */
describe('the first start', () => {
  const dataDir = scratchFolder('first-start');
  let store: StandaloneProcess;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    store = StandaloneProcess.spawn(dataDir, {
      LEVEE_LOG_FORMAT: 'text',
      LEVEE_LOG_LEVEL: 'info',
      LEVEE_RESP_PORT: String(port),
    });
  });
  afterAll(() => store.remove());

  it('serves whom it has answered PONG', async () => {
    const pong = async () => (await said(port, 'PING')) === '+PONG';
    await eventually('it answers', pong, 60_000);
    expect(await said(port, 'SET price 5')).toBe('+OK');
    await store.serving();
  }, 90_000);

  it('greets before it logs, and says which node speaks', async () => {
    await eventually('it logs', () => / n3 {10}registered/.test(store.printed()));
    const lines = store.printed().trimEnd().split('\n');
    expect(lines[0]).toBe('starting…');
    expect(lines[1]).toBe('Levee serves.');
    for (const part of ['master', 'n1', 'n2', 'n3'])
      expect(store.printed()).toMatch(new RegExp(`\\n\\d\\d:\\d\\d:\\d\\d\\.\\d{3} info   ${part.padEnd(10)}  [a-z]`));
  });

  it('is found by the command line in its folder, whatever its ports are', async () => {
    const found = await leveeWith({ LEVEE_DATA_DIR: dataDir }, ['get', 'price']);
    expect(found).toEqual({ code: 0, stdout: '5\n', stderr: '' });
  });

  it('says that it stopped, and leaves no note of its doors', async () => {
    expect(await store.end('SIGTERM')).toBe(0);
    expect(store.printed()).toMatch(/ stopping {2}signal=SIGTERM\n/);
    expect(store.printed()).toMatch(/ stopped\n$/);
    expect(store.printed()).not.toContain('standing by');
    expect(existsSync(join(dataDir, 'doors.json'))).toBe(false);
  });
});
