import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClusterScript } from '../../cluster/test/cluster-script';
import { encodeEvent } from '../src';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const chunks = 4_000;
const replicas = 3;
const nodes = 50;
/** The goal: so many chunks in one cluster. */
const chunksGoal = 100_000;
/** What a master may need, and what a start may read. */
const memoryMax = 2 ** 30;
const topicsMax = 256 * 2 ** 20;

/** Of what is in use. What a suite before this one left behind goes in several steps: it must not go in between. */
async function heapBytes(): Promise<number> {
  let least = Infinity;
  for (let step = 0; step < 30; step++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collectGarbage();
    const { heapUsed } = process.memoryUsage();
    if (heapUsed > least - 2 ** 16) return heapUsed;
    least = heapUsed;
  }
  return least;
}

/** Of a chunk with its route and units. */
async function measured(): Promise<{ readonly topicBytes: number; readonly memoryBytes: number }> {
  const before = await heapBytes();
  const script = new ClusterScript();
  script.nodes(nodes, Math.ceil((chunks * replicas * 1.4) / nodes));
  script.namespace('shop', { chunks, replicas, partitions: 64 });
  // What is remembered of the way there is the test's, not the state's.
  script.journal.length = 0;
  const { state } = script;
  const entities = [
    ...[...state.chunks()].map((entity) => encodeEvent({ kind: 'chunk', entity })),
    ...[...state.routesOf('shop')].map((entity) => encodeEvent({ kind: 'route', entity })),
    ...[...state.units()].map((entity) => encodeEvent({ kind: 'unit', entity })),
  ];
  const topicBytes = entities.reduce((sum, bytes) => sum + bytes.length, 0) / chunks;
  entities.length = 0;
  const memoryBytes = ((await heapBytes()) - before) / chunks;
  expect([...state.chunks()]).toHaveLength(chunks);
  return { topicBytes, memoryBytes };
}

test(`S15: ${chunksGoal} chunks fit into the memory of a master and into topics that are read at a start`, async () => {
  let { topicBytes, memoryBytes } = await measured();
  // Less than it takes in the topics is no measurement: what a suite before this one left behind went meanwhile.
  for (let tries = 1; tries < 5 && memoryBytes <= topicBytes; tries++) ({ topicBytes, memoryBytes } = await measured());
  const goalMiB = (each: number): string => `${Math.round((each * chunksGoal) / 2 ** 20)} MiB for ${chunksGoal} chunks`;
  const bound = Math.floor(Math.min(memoryMax / memoryBytes, topicsMax / topicBytes));
  process.stdout.write(
    `a chunk of ${replicas} replicas with its route and units: ${Math.round(topicBytes)} bytes in the topics ` +
      `(${goalMiB(topicBytes)}), ${Math.round(memoryBytes)} in memory (${goalMiB(memoryBytes)}); ${bound} chunks fit into 1 GiB of memory ` +
      'and 256 MiB of topics\n',
  );
  expect(memoryBytes).toBeGreaterThan(topicBytes);
  expect(bound).toBeGreaterThan(chunksGoal);
});
