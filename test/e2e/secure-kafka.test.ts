import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, utf8, type Client } from '@levee/sdk';
import Redis from 'ioredis';
import { KafkaProcess } from '../../libs/log-kafka/test/kafka-process';
import { local, type LocalOptions } from '../../libs/sdk/src/local';
import { builtApp } from '../support/built-app';
import { eventually, within } from '../support/deadline';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const quick = { LEVEE_NODES: '1', LEVEE_PARTITIONS: '2', LEVEE_CHUNKS: '2' };

/** Kafka speaks TLS only, wants a client certificate, and knows its users by SCRAM. */
describe('a Kafka with TLS and SCRAM', () => {
  let kafka: KafkaProcess;
  let dir: string;
  let secure: Record<string, string>;
  let tlsOnly: Record<string, string>;

  beforeAll(async () => {
    dir = scratchFolder('secure');
    kafka = await KafkaProcess.start(1, {}, {}, { secure: { users: { levee: 'right' }, clientCertificates: true } });
    const { ca = '', cert = '', key = '' } = kafka.certificates ?? {};
    const passwordFile = join(dir, 'password');
    writeFileSync(passwordFile, 'right\n', { mode: 0o600 });
    tlsOnly = {
      ...quick,
      KAFKA_BROKERS: kafka.brokers.join(','),
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA: ca,
      KAFKA_TLS_CERT: cert,
      KAFKA_TLS_KEY: key,
    };
    secure = {
      ...tlsOnly,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'levee',
      KAFKA_SASL_PASSWORD_FILE: passwordFile,
    };
  }, 180_000);

  afterAll(async () => {
    await kafka?.stop();
  }, 60_000);

  it.each(['scram-sha-512', 'scram-sha-256'])(
    'standalone writes and reads over %s and TLS, and finds it again after a restart',
    async (mechanism) => {
      const env = { ...secure, KAFKA_SASL_MECHANISM: mechanism, LEVEE_TOPIC_PREFIX: mechanism };
      const folder = join(dir, mechanism);
      for (const round of [1, 2]) {
        const standalone = await StandaloneProcess.start(folder, env, 60_000);
        const client = new Redis({ port: standalone.respPort, lazyConnect: true });
        await client.connect();
        if (round === 1) await client.set('k', mechanism);
        expect(await client.get('k')).toBe(mechanism);
        client.disconnect();
        expect(await standalone.end()).toBe(0);
      }
    },
    180_000,
  );

  it('a replica in an application follows it as a user; refused, it says why in its own words, and portals answer', async () => {
    const standalone = await StandaloneProcess.start(
      join(dir, 'local'),
      { ...secure, LEVEE_TOPIC_PREFIX: 'local' },
      60_000,
    );
    const { ca = '', cert = '', key = '' } = kafka.certificates ?? {};
    const tls = { ca: readFileSync(ca, 'utf8'), cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
    const on = (password: string, secured: NonNullable<LocalOptions['tls']>): Promise<Client> => {
      const sasl = { mechanism: 'scram-sha-512', username: 'levee', password } as const;
      const reads = local({ brokers: kafka.brokers, namespaces: ['default'], tls: secured, sasl });
      return connect({ portals: [`127.0.0.1:${standalone.respPort}`], reads });
    };
    const answered = (client: Client): number => client.status().local?.answered ?? 0;
    const clients: Client[] = [];
    try {
      clients.push(await on('right', tls), await on('wrong', tls), await on('right', true));
      const [right, ...refused] = clients as [Client, Client, Client];
      const keys = right.namespace('default').typed(utf8);
      for (let i = 0; i < 20; i++) await keys.put(`k${i}`, `v${i}`);
      const all = Array.from({ length: 20 }, (_, i) => `v${i}`);
      const read = (client: Client): Promise<(string | undefined)[]> =>
        client
          .namespace('default')
          .typed(utf8)
          .getMany(all.map((_, i) => `k${i}`));
      const isNear = async (): Promise<boolean> => {
        const before = answered(right);
        expect(await read(right)).toEqual(all);
        return answered(right) - before === all.length;
      };
      await eventually('the replica answers all', isNear, 60_000, 100);
      for (const client of refused) expect(await read(client)).toEqual(all);
      const problems = (): (string | undefined)[] => refused.map((client) => client.status().local?.problem);
      await eventually('they say why', () => problems().every((problem) => problem !== undefined), 60_000, 100);
      expect(problems()).toEqual([
        expect.stringMatching(/authentication failed.*\(check sasl\.username and sasl\.password\)/is),
        expect.stringMatching(/signed by nobody we trust: set tls\.ca to the PEM text of its certificate authority/),
      ]);
      expect(refused.map(answered)).toEqual([0, 0]);
    } finally {
      for (const client of clients) await client.close();
    }
    expect(await standalone.end()).toBe(0);
  }, 240_000);

  it('the command line reads the log with the same settings', async () => {
    const ran = await run(['log', 'topics', '--brokers', kafka.brokers.join(',')], secure);
    expect(ran.text).toContain('scram-sha-512.journal');
    expect(ran.code).toBe(0);
  }, 60_000);

  describe('with settings that are wrong', () => {
    /** what is wrong | how the settings differ (undefined: unset) | what the one line says */
    const table: readonly [string, () => Record<string, string | undefined>, RegExp][] = [
      [
        'a wrong password',
        () => ({ KAFKA_SASL_PASSWORD_FILE: undefined, KAFKA_SASL_PASSWORD: 'wrong' }),
        /authentication failed.*check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/is,
      ],
      ['an unknown user', () => ({ KAFKA_SASL_USERNAME: 'nobody' }), /check KAFKA_SASL_USERNAME/],
      [
        'another certificate authority',
        () => ({ KAFKA_TLS_CA: kafka.certificates?.cert }),
        /signed by nobody we trust: set KAFKA_TLS_CA/,
      ],
      ['no certificate authority', () => ({ KAFKA_TLS_CA: undefined }), /signed by nobody we trust: set KAFKA_TLS_CA/],
      [
        'no client certificate',
        () => ({ KAFKA_TLS_CERT: undefined, KAFKA_TLS_KEY: undefined }),
        /wants a client certificate that it trusts: set KAFKA_TLS_CERT and KAFKA_TLS_KEY/,
      ],
      [
        'plain text to the TLS port',
        () => ({ KAFKA_TLS: undefined, KAFKA_TLS_CA: undefined, KAFKA_TLS_CERT: undefined, KAFKA_TLS_KEY: undefined }),
        /if the port speaks TLS, set KAFKA_TLS=true/,
      ],
      [
        'no user where one is wanted',
        () => ({
          KAFKA_SASL_MECHANISM: undefined,
          KAFKA_SASL_USERNAME: undefined,
          KAFKA_SASL_PASSWORD_FILE: undefined,
        }),
        /if it wants a user, set KAFKA_SASL_MECHANISM/,
      ],
    ];
    const started = new Map<string, StandaloneProcess>();

    // All at once, for each waits before it gives up.
    beforeAll(() => {
      for (const [at, [what, differs]] of table.entries()) {
        const env = Object.entries({ ...secure, ...differs() }).filter(
          (entry): entry is [string, string] => entry[1] !== undefined,
        );
        started.set(what, StandaloneProcess.spawn(join(dir, `refused-${at}`), Object.fromEntries(env)));
      }
    });

    it.each(table)(
      '%s: one clear line that names the mend, exit code 1, no hang',
      async (what, _differs, line) => {
        const standalone = started.get(what) as StandaloneProcess;
        const code = await within('it gives up', 50_000, standalone.closed);
        expect({ code, printed: standalone.printed() }).toEqual({
          code: 1,
          printed: expect.stringMatching(line) as unknown,
        });
        expect(standalone.printed()).toContain('no Kafka at');
        expect(standalone.printed()).not.toContain('"right"');
      },
      60_000,
    );
  });
});

function run(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ readonly code: number | null; readonly text: string }> {
  const settings = Object.entries(env).filter(([name]) => name.startsWith('KAFKA_'));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...builtApp('cli'), ...args], {
      env: { PATH: process.env.PATH, ...Object.fromEntries(settings) },
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', (code) => resolve({ code, text }));
  });
}
