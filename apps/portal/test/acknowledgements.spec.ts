import { asPartition, murmur2 } from '@levee/kernel';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const binlog = 'levee.binlog.shop';
let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

interface Doctor {
  readonly findings: readonly { readonly rule: string; readonly finding: string; readonly command: string }[];
  readonly acknowledged?: readonly Record<string, unknown>[];
}

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  await create();
});
afterAll(() => cluster?.close());

async function create(): Promise<void> {
  const size = { partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'shop', ...size }));
  expect(created.status).toBe(201);
}

const acknowledge = (name: string, body: object) =>
  ask('POST', `/v1/namespaces/${name}/acknowledgements`, JSON.stringify({ why: 'sent again', ...body }));

/** A record in a partition that is not its key's, which nobody applies: its offset. */
async function writeBad(partition: number): Promise<number> {
  const strays = (key: string): boolean => (murmur2(Buffer.from(key)) & 0x7fffffff) % 4 !== partition;
  const key = Buffer.from(['a', 'b', 'c', 'd', 'e'].find(strays) ?? '');
  const { baseOffset } = await cluster.log.append(binlog, asPartition(partition), [{ key, value: null }]);
  return baseOffset;
}

const quarantined = (of: Doctor): string[] =>
  of.findings.flatMap(({ rule, finding }) => (rule === 'quarantined' ? [finding] : []));

/** What the doctor says once this holds: a node puts the copy into quarantine after it has read the record. */
async function doctorOnce(holds: (of: Doctor) => boolean): Promise<Doctor> {
  const untilMs = Date.now() + 20_000;
  for (;;) {
    const of = (await ask('GET', '/v1/doctor')).json as unknown as Doctor;
    if (holds(of)) return of;
    if (Date.now() > untilMs) throw new Error(`not within 20 s, at last ${JSON.stringify(of)}`);
  }
}

describe('POST /v1/namespaces/:name/acknowledgements', () => {
  it('what lies at or below the positions is no finding, and is counted with who, when and why; what comes later is one', async () => {
    const [first, second] = [await writeBad(0), await writeBad(1)];
    const ill = await doctorOnce((of) => quarantined(of)[0]?.startsWith('2 records of shop') === true);
    expect(ill.acknowledged).toBeUndefined();
    expect(ill.findings.find(({ rule }) => rule === 'quarantined')?.command).toContain('levee lint ack shop');

    const one = await acknowledge('shop', {
      upTo: [{ partition: 0, offset: first }],
      reason: 'wrongPartition',
      by: 'ann',
    });
    expect([one.status, one.json]).toEqual([
      200,
      expect.objectContaining({
        name: 'shop',
        number: 1,
        reason: 'wrongPartition',
        upTo: [{ partition: 0, offset: first }],
      }),
    ]);
    const half = await doctorOnce((of) => of.acknowledged !== undefined);
    expect(quarantined(half)).toEqual([expect.stringMatching(`^1 records of shop .*, the newest at 1:${second}$`)]);
    expect(half.acknowledged).toEqual([
      {
        ...{
          namespace: 'shop',
          reason: 'wrongPartition',
          count: 1,
          by: 'ann (given as http 127.0.0.1)',
          why: 'sent again',
        },
        at: expect.stringMatching(/^20\d\d-.*Z$/) as string,
      },
    ]);

    expect((await acknowledge('shop', { all: true, why: 'all are tests' })).status).toBe(200);
    const well = await doctorOnce((of) => quarantined(of).length === 0);
    expect(well.acknowledged).toEqual([
      expect.objectContaining({ count: 2, by: 'http 127.0.0.1', why: 'all are tests', reason: 'wrongPartition' }),
    ]);

    const later = await writeBad(0);
    const again = await doctorOnce((of) => quarantined(of).length > 0);
    expect(quarantined(again)).toEqual([expect.stringMatching(`^1 records of shop .*, the newest at 0:${later}$`)]);
    expect(again.acknowledged).toEqual([expect.objectContaining({ count: 2 })]);
  });

  it('a position behind the end of the log would hide what is not written yet: it is refused, and changes nothing', async () => {
    const [{ endOffset = 0 } = {}] = await cluster.log.offsets(binlog);
    const behind = await acknowledge('shop', { upTo: [{ partition: 0, offset: endOffset }] });
    expect([behind.status, behind.json['code'], behind.json['message']]).toEqual([
      400,
      'BAD_REQUEST',
      expect.stringContaining(
        `0:${endOffset} lies behind the end of ${binlog}, whose partition 0 ends with 0:${endOffset - 1}`,
      ),
    ]);
    const none = await acknowledge('shop', { upTo: [{ partition: 4, offset: 0 }] });
    expect([none.status, none.json['message']]).toEqual([
      400,
      expect.stringContaining(`${binlog} has no partition 4, but 0 to 3`),
    ]);
    expect(quarantined(await doctorOnce(() => true))).toHaveLength(1);
  });

  it.each([
    ['neither a position nor all', {}, 400, /^say up to where/],
    ['both', { all: true, upTo: [{ partition: 0, offset: 0 }] }, 400, /^say up to where/],
    ['no positions', { upTo: [] }, 400, /^upTo is a list of positions/],
    ['half a position', { upTo: [{ partition: 0 }] }, 400, /^upTo is a list of positions/],
    ['a negative offset', { upTo: [{ partition: 0, offset: -1 }] }, 400, /^upTo is a list of positions/],
    ['a reason that there is not', { all: true, reason: 'ugly' }, 400, /one of wrongPartition, noKey/],
    ['no word why', { all: true, why: undefined }, 400, /why/],
    ['another field', { all: true, until: 'now' }, 400, /^there is no field 'until'/],
  ])('%s is refused', async (_what, body, status, message) => {
    const answer = await acknowledge('shop', body);
    expect([answer.status, answer.json['message']]).toEqual([status, expect.stringMatching(message)]);
  });

  it('a name that there is not is refused', async () => {
    const answer = await acknowledge('nowhere', { all: true });
    expect([answer.status, answer.json['code']]).toEqual([404, 'LVNAMESPACE']);
  });

  it('belongs to the creation: the same name made anew has its own findings', async () => {
    expect((await ask('DELETE', '/v1/namespaces/shop?confirm=shop')).status).toBe(200);
    const { state } = cluster.app.portal.view;
    await cluster.app.portal.view.until(
      () => state.namespace('shop')?.state === 'deleted',
      20_000,
      'the namespace being gone',
    );
    await create();
    const described = (await ask('GET', '/v1/namespaces/shop')).json;
    expect([described['number'], described['acknowledgements']]).toEqual([2, []]);
  });
});
