import avro from 'avsc';
import { runLevee } from '../../cli/test/fake-terminal';
import { framed, SchemaRegistryServer } from '../../../test/support/schema-registry';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const price = {
  type: 'record',
  name: 'shop.Price',
  fields: [
    { name: 'cents', type: 'long' },
    { name: 'note', type: ['null', 'string'] },
  ],
};
const json = { accept: 'application/json' };

let registry: SchemaRegistryServer;
let cluster: OneNodeCluster;
let schemaId: number;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

beforeAll(async () => {
  registry = await SchemaRegistryServer.start('levee:pass word');
  schemaId = registry.register('prices-value', { schema: JSON.stringify(price) });
  cluster = await OneNodeCluster.start(undefined, { schemaRegistry: registry.url });
  const size = { name: 'default', partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
  expect((await ask('POST', '/v1/namespaces', JSON.stringify(size))).status).toBe(201);
});
afterAll(async () => {
  await cluster?.close();
  await registry?.close();
});
afterEach(() => {
  registry.sick = undefined;
});

async function put(key: string, value: Buffer | string): Promise<void> {
  expect((await ask('PUT', `/v1/kv/default/${key}`, value, { 'levee-ack': 'all' })).status).toBe(204);
}
const get = (key: string, headers = json) => ask('GET', `/v1/kv/default/${key}`, undefined, headers);

describe('values as JSON at the HTTP door', () => {
  it('a framed value, by the golden bytes of the format: magic 0, id big-endian, Avro body', async () => {
    // {cents: 2^53 + 1, note: "é"}
    const golden = Buffer.from(`00${schemaId.toString(16).padStart(8, '0')}82808080808080200204c3a9`, 'hex');
    await put('framed', golden);
    const got = await get('framed');
    expect([got.status, got.headers['content-type'], got.headers['levee-schema-id']]).toEqual([
      200,
      'application/json; charset=utf-8',
      String(schemaId),
    ]);
    expect(got.body.toString()).toBe('{"cents":9007199254740993,"note":"é"}');
    const bytes = await get('framed', {} as typeof json);
    expect([bytes.headers['content-type'], bytes.body.equals(golden)]).toEqual(['application/octet-stream', true]);
  });

  it.each([
    ['JSON', '{ "a": 1.50 }\n', 'application/json; charset=utf-8', undefined],
    ['a number', '5', 'application/json; charset=utf-8', undefined],
    ['text', 'five', 'application/octet-stream', 'it is neither JSON nor framed'],
    ['nothing', '', 'application/octet-stream', 'it is neither JSON nor framed'],
    ['a large value', `"${'x'.repeat(1 << 20).slice(2)}"`, 'application/json; charset=utf-8', undefined],
  ])('%s passes byte for byte', async (_name, value, type, problem) => {
    await put('plain', value);
    const got = await get('plain');
    expect([got.status, got.headers['content-type'], got.headers['levee-not-decoded']]).toEqual([200, type, problem]);
    expect(got.body.toString() === value).toBe(true);
  });

  it.each([
    [
      'an id that nobody registered',
      framed(4_000_000_000, Buffer.from('x')),
      /the schema registry has no schema 4000000000/,
    ],
    [
      'a body that is none',
      () => framed(schemaId, Buffer.from([0x80])),
      /it is no value of schema \d+: the body needs/,
    ],
    [
      'a schema of Protobuf',
      () => framed(registry.register('p', { schema: 's', schemaType: 'PROTOBUF' }), Buffer.alloc(1)),
      /is PROTOBUF/,
    ],
    [
      'a schema that is none',
      () => framed(registry.register('b', { schema: '{"type":"r"}' }), Buffer.alloc(1)),
      /cannot be read/,
    ],
  ])('%s: the bytes, and the reason in a header', async (_name, value, problem) => {
    const bytes = typeof value === 'function' ? value() : value;
    await put('odd', bytes);
    const got = await get('odd');
    expect([got.status, got.body.equals(bytes)]).toEqual([200, true]);
    expect(got.headers['levee-not-decoded']).toMatch(problem);
  });

  it('JSON with a schema, and a schema that refers to another', async () => {
    const jsonId = registry.register('j', { schema: '{}', schemaType: 'JSON' });
    await put('j', framed(jsonId, Buffer.from('{"a":1}')));
    expect((await get('j')).body.toString()).toBe('{"a":1}');
    registry.register('price', { schema: JSON.stringify(price) });
    const basket = { type: 'array', items: 'shop.Price' };
    const references = [{ name: 'shop.Price', subject: 'price', version: 1 }];
    const basketId = registry.register('basket', { schema: JSON.stringify(basket), references });
    await put('basket', framed(basketId, Buffer.from('02020000', 'hex')));
    expect((await get('basket')).json).toEqual([{ cents: 1, note: null }]);
  });

  it('a schema is asked for once; who asks meanwhile waits for that', async () => {
    const id = registry.register('many', { schema: '"int"' });
    await put('many', framed(id, Buffer.from([2])));
    registry.asked.length = 0;
    const got = await Promise.all(Array.from({ length: 20 }, () => get('many')));
    expect(new Set(got.map(({ body }) => body.toString()))).toEqual(new Set(['1']));
    expect(registry.asked).toEqual([`/schemas/ids/${id}`]);
  });

  it('a scan says each as it can be said', async () => {
    await put('scan:a', framed(schemaId, avro.Type.forSchema(price as avro.Schema).toBuffer({ cents: 5, note: null })));
    await put('scan:b', '{\n"n": 12345678901234567890}');
    await put('scan:c', 'text');
    const scan = async (decode: string): Promise<string[]> =>
      (await ask('GET', `/v1/kv/default?prefix=scan:&decode=${decode}`)).body.toString().trim().split('\n');
    const lines = await scan('1');
    expect(lines.slice(0, 2).map((line) => line.slice(line.indexOf('"json"')))).toEqual([
      '"json":{"cents":5,"note":null}}',
      '"json":{ "n": 12345678901234567890}}',
    ]);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ key: 'scan:a', schemaId });
    expect(JSON.parse(lines[2] as string)).toMatchObject({
      value: 'text',
      notDecoded: 'it is neither JSON nor framed',
    });
    expect(JSON.parse((await scan('text'))[1] as string)).toMatchObject({ jsonText: '{\n"n": 12345678901234567890}' });
    expect((await ask('GET', '/v1/kv/default?decode=yes')).status).toBe(400);
  });

  it('levee get --decode and scan --decode keep all digits, and say what is not decoded', async () => {
    const env = { LEVEE_URL: `http://127.0.0.1:${cluster.app.port}` };
    const levee = async (...argv: string[]): Promise<[string, string]> => {
      const ran = await runLevee(argv, { env });
      expect(ran.code).toBe(0);
      return [ran.stdout.toString(), ran.stderr];
    };
    expect(await levee('get', 'framed', '--decode')).toEqual(['{"cents":9007199254740993,"note":"é"}\n', '']);
    expect(JSON.parse((await levee('get', 'framed', '--decode', '-o', 'json'))[0])).toMatchObject({
      jsonText: '{"cents":9007199254740993,"note":"é"}',
      schemaId,
    });
    expect(await levee('get', 'scan:c', '--decode')).toEqual([
      'text\n',
      'not decoded: it is neither JSON nor framed\n',
    ]);
    const [rows, notes] = await levee('scan', '--prefix', 'scan:', '--decode');
    expect(rows.split('\n').slice(0, 2)).toEqual([
      'scan:a\t{"cents":5,"note":null}',
      expect.stringContaining('12345678901234567890'),
    ]);
    expect(notes).toBe('scan:c\tnot decoded: it is neither JSON nor framed\n');
    expect((await runLevee(['get', 'framed', '--decode', '--raw'], { env })).code).toBe(2);
  });

  it('a registry that is down or silent costs one read its deadline, no read an error, and is asked again', async () => {
    const value = framed(registry.register('down', { schema: '"string"' }), Buffer.from('0261', 'hex'));
    await put('down', value);
    registry.sick = () => undefined;
    const beganMs = performance.now();
    const silent = await get('down');
    expect([silent.status, silent.body.equals(value)]).toEqual([200, true]);
    expect(silent.headers['levee-not-decoded']).toMatch(/the schema registry gives no answer/);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    registry.asked.length = 0;
    const meanwhile = await Promise.all(Array.from({ length: 50 }, () => get('down')));
    expect(meanwhile.every(({ status, headers }) => status === 200 && headers['levee-not-decoded'] !== undefined)).toBe(
      true,
    );
    expect(registry.asked).toEqual([]);
    // Known ones are still said.
    expect((await get('framed')).headers['levee-schema-id']).toBe(String(schemaId));
    registry.sick = undefined;
    const deadlineMs = performance.now() + 30_000;
    while ((await get('down')).body.toString() !== '"a"') expect(performance.now()).toBeLessThan(deadlineMs);
  });

  it('an answer without an end is given up', async () => {
    const value = framed(registry.register('endless', { schema: '"bytes"' }), Buffer.from([0]));
    await put('endless', value);
    registry.sick = (response) => {
      const more = setInterval(() => response.write(Buffer.alloc(64 * 1024, 32)), 1);
      response.on('close', () => clearInterval(more));
    };
    const got = await get('endless');
    expect([got.status, got.body.equals(value)]).toEqual([200, true]);
    expect(got.headers['levee-not-decoded']).toMatch(/more than 1048576 bytes/);
  });

  it('says neither user nor password of the registry', async () => {
    const said = await Promise.all([ask('GET', '/metrics'), ask('GET', '/v1/status')]);
    for (const { body } of said) expect(body.toString()).not.toMatch(/pass(%20| )word/);
  });
});
