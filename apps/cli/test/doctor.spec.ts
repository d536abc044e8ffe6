import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';

const finding = {
  rule: 'node-lost',
  subject: 'n2',
  finding: 'node n2 is lost',
  impact: 'its replicas are dead',
  command: 'start it again',
};
const unknown = { what: 'quarantine', why: 'no answer within 6000 ms', command: 'levee doctor   # again' };
const looked = { topics: 9, nodes: 3, replicas: 24 };

describe('levee doctor', () => {
  let portal: FakePortal;
  beforeEach(async () => {
    portal = await FakePortal.open();
  });
  afterEach(() => portal.close());

  const run = (...args: string[]) => runLevee(['doctor', ...args], { env: { LEVEE_URL: portal.url } });

  it('healthy: says what was looked at, exit code 0', async () => {
    const ran = await run();
    expect(ran.stdout.toString()).toBe('healthy: looked at 9 topics, 1 node, 1 replica\n');
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('findings: each with impact and command, exit code 3, even when something could not be looked at', async () => {
    portal.doctor = { findings: [finding], unknown: [unknown], looked };
    const ran = await run();
    expect(ran.stdout.toString().split('\n')).toEqual([
      'node-lost  node n2 is lost',
      '  impact:  its replicas are dead',
      '  command: start it again',
      'cannot tell  quarantine: no answer within 6000 ms',
      '  command: levee doctor   # again',
      '1 finding: looked at 9 topics, 3 nodes, 24 replicas',
      '',
    ]);
    expect(ran.code).toBe(3);
  });

  it('what is acknowledged is told, and is no finding: exit code 0', async () => {
    const of = {
      namespace: 'shop',
      reason: 'garbage',
      count: 3,
      by: 'ann',
      at: '2026-03-02T09:00:00.000Z',
      why: 'tests',
    };
    portal.doctor = { findings: [], unknown: [], acknowledged: [of], looked };
    const ran = await run();
    expect(ran.stdout.toString().split('\n')).toEqual([
      'acknowledged  3 records of shop as garbage, by ann at 2026-03-02T09:00:00.000Z: tests',
      'healthy: looked at 9 topics, 3 nodes, 24 replicas',
      '',
    ]);
    expect(ran.code).toBe(0);
  });

  it('nothing found and something not looked at: cannot tell, exit code 1', async () => {
    portal.doctor = { findings: [], unknown: [unknown], looked };
    const ran = await run();
    expect(ran.stdout.toString()).toContain('cannot tell: looked at');
    expect(ran.code).toBe(1);
  });

  it.each(['json', 'yaml'])('%s is the whole report', async (format) => {
    portal.doctor = { findings: [finding], unknown: [], looked };
    const ran = await run('-o', format);
    const text = ran.stdout.toString();
    if (format === 'json') expect(JSON.parse(text)).toEqual(portal.doctor);
    else expect(text).toContain('rule: node-lost');
    expect(ran.code).toBe(3);
  });

  it('no portal: names what to type next, exit code 1', async () => {
    const url = portal.url;
    const ran = await runLevee(['doctor', '--url', url.replace(/\d+$/, '1')], {});
    expect(ran.stdout.toString()).toMatch(
      /cannot tell {2}the cluster, through a portal: no portal answers.*\n.*--brokers/,
    );
    expect(ran.code).toBe(1);
  });

  it('no portal and no Kafka: says that the log does not answer, within its deadline, exit code 3', async () => {
    const closed: Server = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const ran = await runLevee(['doctor', '--url', 'http://127.0.0.1:1', '--brokers', `127.0.0.1:${port}`], {});
    expect(ran.stdout.toString()).toMatch(/log-unreachable {2}the log does not answer: no Kafka at 127\.0\.0\.1/);
    expect(ran.stdout.toString()).toContain('impact:  reads go on from replicas');
    expect(ran.code).toBe(3);
  }, 60_000);
});
