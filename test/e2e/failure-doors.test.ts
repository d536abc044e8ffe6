import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chunkFullShare } from '@levee/cluster';
import { KafkaLog } from '@levee/log-kafka';
import { Kafka, logLevel } from 'kafkajs';
import { reigning } from '../support/cluster-under-load';
import { CuttableCluster } from '../support/cuttable-cluster';
import { eventually } from '../support/deadline';
import { drawnSome } from '../support/drawn';
import { scratchFolder } from '../support/standalone-process';

const doors = ['eventual', 'session', 'strong', 'logged', 'primary', 'all', 'admin'] as const;
type Door = (typeof doors)[number];
/** What a door does: `yes`, or the code that it fails with; several where either is right. */
type Row = readonly [failure: string, ...cells: [string, string, string, string, string, string, string]];

const kafkaDown = 'LVINDEFINITE or LVDEFINITE';

/** The table of docs/operating.md, word for word; each row is brought about and every door is tried. */
const table: readonly Row[] = [
  ['nothing', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes'],
  ['no master', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'DEADLINE'],
  ['Kafka is down', 'yes', 'yes', 'LVUNAVAILABLE', kafkaDown, kafkaDown, kafkaDown, 'DEADLINE'],
  ['a binlog below min ISR', 'yes', 'yes', 'LVUNAVAILABLE', kafkaDown, kafkaDown, kafkaDown, 'yes'],
  ['the portal is cut off from Kafka', 'yes', 'yes', 'LVUNAVAILABLE', kafkaDown, kafkaDown, kafkaDown, 'DEADLINE'],
  ['the portal is cut off from the primary', 'yes', 'yes', 'yes', 'yes', 'LVPENDING', 'LVPENDING', 'yes'],
  [
    'the portal is cut off from all nodes',
    'LVUNAVAILABLE',
    'LVUNAVAILABLE',
    'LVUNAVAILABLE',
    'yes',
    'LVPENDING',
    'LVPENDING',
    'yes',
  ],
  ['a node is silent (suspect)', 'yes', 'yes', 'yes', 'yes', 'yes', 'LVPENDING', 'yes'],
  ['a node is given up (lost)', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes'],
  ['a chunk above its soft limit', 'yes', 'yes', 'yes', 'LVFULL', 'LVFULL', 'LVFULL', 'yes'],
];

interface Routed {
  readonly chunkId: string;
  readonly replicas: readonly { readonly nodeId: string; readonly role: string }[];
}

const key = 'the-key';
const small = { name: 'small.full', partitions: 1, chunks: 1, replicas: 3, chunkCapacityBytes: 65_536 };
/** Its replicas together. */
const fullBytes = small.replicas * small.chunkCapacityBytes;

describe('failure x door', () => {
  const dir = scratchFolder('failure-doors');
  const prefix = `doors${process.pid}`;
  const figures: Record<string, unknown> = {};
  let levee: CuttableCluster;

  beforeAll(async () => {
    levee = await CuttableCluster.start({
      args: ['--dir', dir, '--partitions', '4', '--chunks', '4', '--replicas', '3'],
      env: { LEVEE_TOPIC_PREFIX: prefix, LEVEE_LOST_AFTER: '12s' },
      kafkaNodes: 3,
      nodes: 3,
      behind: ['p1'],
    });
  }, 240_000);

  afterAll(async () => {
    const said = await levee?.end();
    process.stdout.write(`failure x door, ms: ${JSON.stringify(figures)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const url = (path: string): string => `${levee.cluster.doors.portals[0]?.http}${path}`;

  /** `yes`, or the code of the failure. */
  const said = async (answer: Response): Promise<string> => {
    const text = await answer.text();
    if (answer.ok && answer.status !== 202) return 'yes';
    return (JSON.parse(text) as { code: string }).code;
  };

  const tries: Readonly<Record<Door, () => Promise<Response>>> = {
    eventual: () => read('eventual'),
    session: () => read('session'),
    strong: () => read('strong'),
    logged: () => write('logged'),
    primary: () => write('primary'),
    all: () => write('all'),
    admin: () =>
      post('/v1/commands', {
        kind: 'RequestBarrier',
        payload: { id: randomUUID(), namespace: 'default', digest: false },
      }),
  };

  const post = (path: string, body: object): Promise<Response> =>
    fetch(url(path), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(40_000),
    });

  const read = (consistency: string): Promise<Response> =>
    fetch(url(`/v1/kv/${namespace}/${key}`), {
      headers: { 'levee-consistency': consistency, 'levee-session': session },
      signal: AbortSignal.timeout(40_000),
    });

  const write = (ack: string, to = key, value = 'x'): Promise<Response> =>
    fetch(url(`/v1/kv/${namespace}/${to}`), {
      method: 'PUT',
      body: value,
      headers: { 'levee-ack': ack, 'content-type': 'application/octet-stream' },
      signal: AbortSignal.timeout(40_000),
    });

  let namespace = 'default';
  let session = '';

  /** Every door at once, as clients would. */
  const all = async (failure: string): Promise<string[]> => {
    const took: Record<string, number> = {};
    const cells = await Promise.all(
      doors.map(async (door) => {
        const beganMs = performance.now();
        const cell = await said(await tries[door]());
        took[door] = Math.round(performance.now() - beganMs);
        return cell;
      }),
    );
    figures[failure] = took;
    return cells;
  };

  const primary = async (): Promise<string> => {
    const answer = await fetch(url(`/v1/where/default/${key}`));
    const { replicas } = (await answer.json()) as { replicas: { nodeId: string; role: string }[] };
    return replicas.find(({ role }) => role === 'primary')?.nodeId as string;
  };

  const becomes = (nodeId: string, state: string): Promise<boolean> =>
    eventually(
      `${nodeId} is ${state}`,
      async () => {
        const { nodes } = (await (await fetch(url('/v1/nodes'))).json()) as {
          nodes: { nodeId: string; state: string }[];
        };
        return nodes.find((node) => node.nodeId === nodeId)?.state === state;
      },
      30_000,
    );

  const binlog = async (settings: Record<string, string>): Promise<void> => {
    const log = await KafkaLog.open({ brokers: levee.kafka.brokers, clientId: 'operator' });
    try {
      await log.alterTopic(`${prefix}.binlog.default`, settings);
      await log.offsets(`${prefix}.binlog.default`);
    } finally {
      await log.close();
    }
  };

  /** Waits until the other brokers lead everything, and wait for this one no more. */
  const goOnWithout = async (broker: number): Promise<void> => {
    const admin = new Kafka({ brokers: [...levee.kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await eventually(
        `the others go on without broker ${broker}`,
        async () => {
          const { topics } = await admin.fetchTopicMetadata();
          const all = topics.flatMap(({ partitions }) => partitions);
          return all.length > 0 && all.every(({ leader, isr }) => leader > 0 && !isr.includes(broker));
        },
        60_000,
        100,
      );
    } finally {
      await admin.disconnect();
    }
  };

  /** What a session has seen that has written: all replicas have it. */
  const writtenSession = (): Promise<string> =>
    eventually(
      'every replica acknowledges a write',
      async () => {
        const answer = await write('all');
        return (await said(answer)) === 'yes' ? answer.headers.get('levee-session') : undefined;
      },
      30_000,
      100,
    );

  /** What brings each failure about; what it returns ends it. */
  const failures: Readonly<Record<string, () => Promise<() => unknown>>> = {
    nothing: () => Promise.resolve(() => undefined),
    'no master': async () => {
      const names = levee.cluster.doors.masters.map(({ name }) => name);
      for (const name of names) await levee.cluster.kill(name);
      return async () => {
        for (const name of names) await levee.cluster.start(name);
        await reigning(levee.cluster);
      };
    },
    'Kafka is down': async () => {
      for (const broker of [1, 2, 3]) await levee.kafka.kill(broker);
      return () => levee.kafka.restart(1, 2, 3);
    },
    'a binlog below min ISR': async () => {
      await binlog({ 'min.insync.replicas': '3' });
      await levee.kafka.kill(3);
      await goOnWithout(3);
      return async () => {
        await levee.kafka.restart(3);
        await binlog({ 'min.insync.replicas': '2' });
      };
    },
    'the portal is cut off from Kafka': () => Promise.resolve(levee.kafkaOf('p1').cut()),
    'the portal is cut off from the primary': async () => levee.doorOf(await primary()).cut(),
    'the portal is cut off from all nodes': () => {
      const ends = ['n1', 'n2', 'n3'].map((nodeId) => levee.doorOf(nodeId).cut());
      return Promise.resolve(() => ends.forEach((end) => end()));
    },
    'a node is silent (suspect)': async () => {
      const victim = await primary();
      await levee.cluster.kill(victim);
      await becomes(victim, 'suspect');
      return () => levee.cluster.start(victim);
    },
    'a node is given up (lost)': async () => {
      const victim = await primary();
      await levee.cluster.kill(victim);
      await becomes(victim, 'lost');
      return () => levee.cluster.start(victim);
    },
    'a chunk above its soft limit': async () => {
      expect(await said(await post('/v1/namespaces', small))).toBe('yes');
      namespace = small.name;
      session = await writtenSession();
      // By what its replicas have told: what the portal adds to that for writes on their way ends with the next word of them.
      await eventually(
        'the chunk is full',
        async () => {
          for (let i = 0; i < 16; i++)
            if ((await said(await write('logged', `filler${i % 8}-${randomUUID()}`, 'x'.repeat(2_048)))) === 'LVFULL')
              break;
          const { storedBytes } = (await (await fetch(url('/v1/groups/small'))).json()) as { storedBytes: number };
          return storedBytes > fullBytes * chunkFullShare;
        },
        60_000,
      );
      return async () => {
        namespace = 'default';
        session = await writtenSession();
      };
    },
  };

  const served = (): Promise<unknown> =>
    eventually(
      'every door serves again',
      async () => {
        for (const node of ['n1', 'n2', 'n3']) await becomes(node, 'up');
        const cells = await Promise.all(doors.map(async (door) => said(await tries[door]())));
        if (cells.some((cell) => cell !== 'yes')) throw new Error(cells.join(' '));
        return true;
      },
      60_000,
      100,
    );

  const [undisturbed, ...disturbed] = table;
  it.each([undisturbed as Row, ...drawnSome('failure x door', disturbed, 3, ([failure]) => failure)])(
    '%s: eventual %s, session %s, strong %s; logged %s, primary %s, all %s; admin %s',
    async (failure, ...cells) => {
      await served();
      session = await writtenSession();
      const end = await (failures[failure] as () => Promise<() => unknown>)();
      let found: string[];
      try {
        found = await all(failure);
      } finally {
        await end();
      }
      expect(found.map((cell, i) => ((cells[i] as string).split(' or ').includes(cell) ? cells[i] : cell))).toEqual(
        cells,
      );
      await served();
    },
    180_000,
  );

  it('C1: with every connection between the apps cut, commands, namespaces, plans and routes go on through the topics', async () => {
    await served();
    const nodeIds = ['n1', 'n2', 'n3'];
    const ends = nodeIds.map((nodeId) => levee.doorOf(nodeId).cut());
    try {
      await eventually('nobody is connected', () => nodeIds.every((nodeId) => levee.doorOf(nodeId).connections === 0));
      expect(await said(await read('eventual'))).toBe('LVUNAVAILABLE');
      expect(await said(await tries.admin())).toBe('yes');
      const made = await post('/v1/namespaces', { name: 'wireless', partitions: 2, chunks: 2, replicas: 3 });
      expect(await made.json()).toMatchObject({ name: 'wireless', state: 'active' });
      const routes = async (portal: number): Promise<Routed[]> => {
        const answer = await fetch(`${levee.cluster.doors.portals[portal]?.http}/v1/routes/wireless`);
        return ((await answer.json()) as { routes?: Routed[] }).routes ?? [];
      };
      for (const portal of [0, 1])
        await eventually(`portal ${portal} has its routes`, async () => (await routes(portal)).length === 2, 60_000);
      const [{ chunkId, replicas }] = (await routes(0)) as [Routed];
      const to = replicas.find(({ role }) => role === 'follower')?.nodeId;
      expect(await said(await post('/v1/plans', { kind: 'promote', chunkId, to }))).toBe('yes');
      const primaryAt = async (portal: number): Promise<string | undefined> =>
        (await routes(portal))
          .find((route) => route.chunkId === chunkId)
          ?.replicas.find(({ role }) => role === 'primary')?.nodeId;
      for (const portal of [0, 1])
        await eventually(
          `portal ${portal} knows the new primary`,
          async () => (await primaryAt(portal)) === to,
          60_000,
        );
      // Nodes took up what the topics told them, and say so there: they are up, and apply what is written.
      for (const nodeId of nodeIds) await becomes(nodeId, 'up');
      const written = await fetch(url('/v1/kv/wireless/k'), {
        method: 'PUT',
        body: 'v',
        headers: { 'levee-ack': 'logged' },
      });
      expect(written.status).toBe(204);
      expect(nodeIds.map((nodeId) => levee.doorOf(nodeId).connections)).toEqual([0, 0, 0]);
    } finally {
      for (const end of ends) end();
    }
    await served();
    const found = await fetch(url('/v1/kv/wireless/k'), { headers: { 'levee-consistency': 'strong' } });
    expect([found.status, await found.text()]).toEqual([200, 'v']);
  }, 180_000);

  it('docs/operating.md has this very table', () => {
    const text = readFileSync(join(__dirname, '..', '..', 'docs', 'operating.md'), 'utf8');
    for (const [failure, ...cells] of table) expect(text).toContain(`| ${failure} | ${cells.join(' | ')} |`);
  });
});
