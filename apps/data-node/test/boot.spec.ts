import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import { silentLogger } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { RespClient } from '@levee/wire';
import { eventually } from '../../../test/support/deadline';
import { metricProblems } from '../../../test/support/metric-problems';
import { loadDataNodeConfig } from '../src/config';
import { DataNodeModule } from '../src/data-node.module';

describe('the data node process', () => {
  let folder: string;
  let log: EmbeddedLog;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'levee-boot-'));
    log = await EmbeddedLog.open({ db: new MemoryLevel({ keyEncoding: 'buffer', valueEncoding: 'buffer' }) });
  });
  afterEach(async () => {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  });

  const config = (env: Record<string, string> = {}) =>
    loadDataNodeConfig({
      LEVEE_DATA_DIR: folder,
      LEVEE_NODE_RESP_PORT: '0',
      LEVEE_NODE_HTTP_PORT: '0',
      LEVEE_UNITS: '4x1MiB',
      ...env,
    }).config;

  it('opens both doors before there is a master, says that it is alive but not ready, and why', async () => {
    const app = await DataNodeModule.start({ config: config(), log, logger: silentLogger });
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
    const why = await eventually('it says what it waits for', async () => {
      const ready = await fetch(`${app.url}/health/ready`);
      expect(ready.status).toBe(503);
      const text = await ready.text();
      return text.includes('cannot read the control topics') ? text : undefined;
    });
    expect(why).toContain('a master makes them when it starts');
    expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(/levee_node_replicas\{[^}]*node="n1"[^}]*\} 0/);
    expect(await metricProblems(app, 'data-node')).toEqual([]);
    expect(await (await fetch(`${app.url}/v1/node`)).json()).toMatchObject({ nodeId: 'n1', ready: false });

    const client = new RespClient({ host: '127.0.0.1', port: app.node.respPort });
    const send = (...args: string[]) =>
      new Promise((resolve) => client.send(args, 2_000, (failure, reply) => resolve(failure ?? reply)));
    expect(await send('PING')).toBe('PONG');
    expect(await send('LV.GET', 'default', 'k')).toMatchObject({
      text: expect.stringMatching(/^LVNOTREADY/) as string,
    });
    client.close();
    await app.close();
  });

  it('tells portals the port that something in between has, when the settings say so', async () => {
    const behind = await DataNodeModule.start({
      config: config({ LEVEE_NODE_ADVERTISED_RESP_PORT: '6001', LEVEE_ADVERTISED_HOST: 'proxy.example' }),
      log,
      logger: silentLogger,
    });
    expect(behind.node.respAddress).toBe('proxy.example:6001');
    await behind.close();
  });

  it('a second process on the same folder is refused, naming the folder', async () => {
    const app = await DataNodeModule.start({ config: config(), log, logger: silentLogger });
    await expect(DataNodeModule.start({ config: config(), log, logger: silentLogger })).rejects.toMatchObject({
      code: 'DISK_IN_USE',
      message: expect.stringMatching(`${join(folder, 'n1')}.*LEVEE_NODE_ID or LEVEE_DATA_DIR`) as string,
    });
    await app.close();
  });

  it.each([
    [{ LEVEE_UNITS: '4x1KiB' }, /'4x1KiB' is no unit spec: a unit holds 1MiB to 4TiB/],
    [{ LEVEE_UNITS: 'many' }, /'many' is no unit spec: write <count>x<size>/],
  ])('wrong units %j end with what to write instead', async (env, message) => {
    await expect(DataNodeModule.start({ config: config(env), log, logger: silentLogger })).rejects.toThrow(message);
  });

  it('wrong settings are all named at once', () => {
    expect(() => config({ LEVEE_NODE_RESP_PORT: '70000', LEVEE_NODE_ID: 'a b' })).toThrow(
      /LEVEE_NODE_ID is 'a b'[\s\S]*LEVEE_NODE_RESP_PORT is '70000'/,
    );
  });
});
