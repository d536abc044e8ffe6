import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportNamespace } from '@levee/audit';
import { encodePut } from '@levee/codec';
import { JournaledLog } from '../../libs/audit/test/journaled-log';
import { openLog } from '../../libs/master/test/control-plane';
import { said, venvWith } from './clients';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

it.each(['deflate', 'null'] as const)(
  'an export (%s) is read by fastavro in Python, key for key',
  async (codec) => {
    const dir = await mkdtemp(join(tmpdir(), 'levee-avro-'));
    const log = await openLog();
    try {
      const of = await JournaledLog.on(log);
      const shop = await of.namespace('shop');
      const all = Array.from({ length: 2_000 }, (_, n) => {
        const key = Buffer.from([0, 255, n >> 8, n & 255]);
        return { key, value: Buffer.alloc(n % 500, n) };
      });
      await of.write(
        shop,
        all.map(({ key, value }) => ({ key, value: encodePut(key, value, null) })),
      );
      const path = join(dir, 'shop.avro');
      await exportNamespace(of.world, { name: 'shop', atMs: undefined, path, codec, software: 'test' });
      const python = await venvWith('fastavro', 'fastavro==1.9.7');
      const found = JSON.parse(await said(python, [join(__dirname, 'python', 'read_export.py'), path])) as unknown;
      expect(found).toEqual({
        ...{ codec, seals: 1, told: all.length },
        keys: Object.fromEntries(all.map(({ key, value }) => [key.toString('hex'), sha256(value)])),
      });
    } finally {
      await log.close();
      await rm(dir, { recursive: true, force: true });
    }
  },
  240_000,
);
