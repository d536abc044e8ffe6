/** GET and SET through the doors against redis-server in the same run; memory; start; visibility. */
import { rmSync } from 'node:fs';
import Redis from 'ioredis';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import {
  ask,
  cluster,
  createNamespace,
  eventually,
  loadKeys,
  misses,
  redisBenchmark,
  redisServer,
  residentMb,
  scratch,
  standalone,
} from './processes.mjs';
import { perSecond } from './report.mjs';

/** GET and memory with portal and node as two processes; SET on Kafka with one and three nodes. */
export async function onKafka(report) {
  const dir = scratch('kafka');
  const kafka = await startKafka({ nodes: 1, dir });
  try {
    const redis = await redisServer();
    const aof = await redisServer(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    try {
      await reads(report, kafka.brokers, redis);
      await writes(report, kafka.brokers, aof, 1);
      await writes(report, kafka.brokers, aof, 3);
    } finally {
      await redis.stop();
      await aof.stop();
    }
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function reads(report, brokers, redis) {
  const levee = await cluster(brokers, { nodes: 1 });
  try {
    const idle = residentMb(levee.portal);
    report.add({
      work: 'memory: portal, idle',
      measured: `${idle.toFixed(0)} MB`,
      reach: 'under 160 MB',
      ok: idle < 160,
    });
    await Promise.all([loadKeys(redis.port), loadKeys(levee.resp)]);
    const before = await misses(levee.resp);
    for (const [pipeline, cold, warm] of [
      [1, 0.35, 0.35],
      [16, 0.08, 0.12],
    ]) {
      const requests = pipeline === 1 ? 200_000 : 1_000_000;
      const peer = redisBenchmark(redis.port, 'get', { pipeline, requests: requests * 2 });
      const first = redisBenchmark(levee.resp, 'get', { pipeline, requests, runs: 1 });
      const later = redisBenchmark(levee.resp, 'get', { pipeline, requests });
      for (const [name, result, reach] of [
        ['LevelDB and cache warming', first, cold],
        ['warm', later, warm],
      ])
        report.add({
          work: `GET, -c 50 -P ${pipeline}, two processes, ${name}`,
          measured: `${perSecond(result.perSecond)}, p50 ${result.p50} ms, p99 ${result.p99} ms`,
          peer: `redis-server ${perSecond(peer.perSecond)}`,
          ratio: (result.perSecond / peer.perSecond).toFixed(3),
          reach: String(reach),
          ok: result.perSecond / peer.perSecond >= reach,
        });
    }
    const missed = (await misses(levee.resp)) - before;
    report.add({ work: 'GET misses', measured: String(missed), reach: '0', ok: missed === 0 });
    const after = residentMb(levee.portal);
    report.add({
      work: 'memory: portal after the -P 16 run',
      measured: `${after.toFixed(0)} MB`,
      reach: 'under 256 MB',
      ok: after < 256,
    });
    await visibility(report, levee);
  } finally {
    await levee.stop();
  }
  const idleNode = await cluster(brokers, { nodes: 1, env: {} });
  try {
    await createNamespace(idleNode.url, { name: 'idle', chunks: 16, partitions: 8, replicas: 1 });
    await eventually(
      'the second namespace serves',
      async () => (await fetch(`${idleNode.url}/v1/kv/idle/k`)).status === 404,
    );
    const node = residentMb(idleNode.nodes[0]);
    report.add({
      work: 'memory: node with 24 idle chunks',
      measured: `${node.toFixed(0)} MB`,
      reach: 'under 200 MB',
      ok: node < 200,
    });
  } finally {
    await idleNode.stop();
  }
}

async function visibility(report, levee) {
  const client = new Redis(levee.resp, '127.0.0.1');
  const reader = new Redis(levee.resp, '127.0.0.1');
  await reader.call('LV.CONSISTENCY', 'eventual');
  const took = [];
  for (let i = 0; i < 2000; i++) {
    const value = String(i);
    const began = performance.now();
    await client.set('visible', value);
    while ((await reader.get('visible')) !== value);
    took.push(performance.now() - began);
  }
  client.disconnect();
  reader.disconnect();
  took.sort((a, b) => a - b);
  const [p50, p99] = [took[took.length >> 1], took[Math.floor(took.length * 0.99)]];
  report.add({
    work: 'SET -> readable by GET of another client, Kafka',
    measured: `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    reach: 'p50 under 2 ms, p99 under 10 ms',
    ok: p50 < 2 && p99 < 10,
  });
}

async function writes(report, brokers, aof, nodes) {
  const levee = await cluster(brokers, { nodes });
  try {
    const [share, pipelined] = nodes === 1 ? [0.25, 90_000] : [0.12, 50_000];
    const peer = redisBenchmark(aof.port, 'set', {});
    const plain = redisBenchmark(levee.resp, 'set', {});
    report.add({
      work: `SET, logged on Kafka, -c 50, ${nodes} node${nodes > 1 ? 's' : ''}`,
      measured: `${perSecond(plain.perSecond)}, p50 ${plain.p50} ms, p99 ${plain.p99} ms`,
      peer: `redis-server, AOF everysec ${perSecond(peer.perSecond)}`,
      ratio: (plain.perSecond / peer.perSecond).toFixed(3),
      reach: String(share),
      ok: plain.perSecond / peer.perSecond >= share,
    });
    const deep = redisBenchmark(levee.resp, 'set', { pipeline: 16, requests: 400_000 });
    report.add({
      work: `SET, logged on Kafka, -c 50 -P 16, ${nodes} node${nodes > 1 ? 's' : ''}`,
      measured: perSecond(deep.perSecond),
      reach: perSecond(pipelined),
      ok: deep.perSecond >= pipelined,
    });
  } finally {
    await levee.stop();
  }
}

export async function onEmbedded(report) {
  const dir = scratch('standalone');
  try {
    let levee = await standalone(dir);
    await ask(levee.resp, 'SET', 'ready', 'yes');
    await loadKeys(levee.resp);
    const set = redisBenchmark(levee.resp, 'set', {});
    report.add({
      work: 'SET on the embedded log, npm start, three replicas, fsync on, -c 50',
      measured: `${perSecond(set.perSecond)}, p50 ${set.p50} ms, p99 ${set.p99} ms`,
      reach: '20k/s, p99 15 ms',
      ok: set.perSecond >= 20_000 && set.p99 <= 15,
    });
    await levee.stop();
    levee = await standalone(dir);
    report.add({
      work: 'second start -> first GET answered (200,000 keys)',
      measured: `${(levee.firstGetMs / 1000).toFixed(2)} s`,
      reach: '3 s',
      ok: levee.firstGetMs < 3000,
    });
    await levee.stop();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
