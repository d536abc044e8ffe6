import { MemoryLevel } from 'memory-level';
import { ClusterState } from '@levee/cluster';
import { controlTopicSpecs } from '@levee/journal';
import { systemClock, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { examineCluster } from '../src';
import { JournaledLog } from './journaled-log';

it('finds a namespace that is deleted from the beginning of a look to its end, and not one whose deletion ends meanwhile', async () => {
  const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const log = await EmbeddedLog.open({ db });
  try {
    const journaled = await JournaledLog.on(log);
    await log.ensureTopics(controlTopicSpecs(journaled.topics));
    const state = new ClusterState();
    for (const name of ['stays', 'ends', 'begins']) {
      const entity = await journaled.namespace(name, { state: name === 'begins' ? 'active' : 'deleting', seq: 3 });
      state.absorb({ kind: 'namespace', entity });
    }
    const { topics } = journaled;
    const ask = (): Promise<never> => Promise.reject(new Error('nobody is there'));
    const looking = examineCluster(state, { log, topics, seq: () => 4, clock: systemClock, timers: systemTimers, ask });
    for (const [name, next] of [
      ['ends', 'deleted'],
      ['begins', 'deleting'],
    ] as const)
      state.absorb({ kind: 'namespace', entity: { ...state.namespace(name)!, state: next, seq: 4 } });
    const { findings } = await looking;
    const undeleted = findings.filter(({ rule }) => rule === 'namespace-undeleted');
    expect(undeleted.map(({ subject }) => subject)).toEqual(['stays']);
  } finally {
    await log.close();
  }
}, 60_000);
