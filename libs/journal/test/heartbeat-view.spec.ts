import { randomUUID } from 'node:crypto';
import { encode } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import { asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog, startMaster, topics, world } from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import { HeartbeatView } from '../src';

const incarnation = randomUUID();

const beat = (of: Partial<Heartbeat>): Heartbeat => ({
  kind: 'node',
  id: 'n1',
  incarnation,
  address: '127.0.0.1:7400',
  sentAtMs: world.clock.nowMs(),
  featureLevel: 2,
  positions: [],
  loads: [],
  moves: [],
  freeDiskBytes: -1,
  errors: [],
  ...of,
});

const position = (nextOffset: number) => ({
  namespace: 'shop',
  partition: 0,
  chunkId: 'shop#1/c00000',
  nextOffset,
  atEndAtMs: 0,
});

describe('a view of the heartbeats', () => {
  let log: EmbeddedLog;
  let view: HeartbeatView;
  let end: () => Promise<void>;

  beforeEach(async () => {
    log = await openLog();
    const { close } = await startMaster(log, { instance: 'm1' });
    end = close;
    view = new HeartbeatView(log, topics, world);
    view.start();
    await eventually('the view listens', () => view.atEndMonotonicMs !== undefined);
  });

  afterEach(async () => {
    await view.close();
    await end();
    await log.close();
  });

  const send = async (...beats: Heartbeat[]): Promise<void> => {
    const records = beats.map((each) => ({ key: null, value: encode('Heartbeat', each) }));
    await log.append(topics.heartbeats, asPartition(0), records);
  };

  it('keeps the last positions through heartbeats without any, and forgets those of an earlier run', async () => {
    await send(beat({ positions: [position(7)] }), beat({ freeDiskBytes: 5 }));
    await eventually('both are heard', () => view.latest('node', 'n1')?.beat.freeDiskBytes === 5);
    expect(view.latest('node', 'n1')?.positions).toEqual([position(7)]);
    const other = randomUUID();
    await send(beat({ incarnation: other }));
    await eventually('the new run is heard', () => view.latest('node', 'n1')?.beat.incarnation === other);
    expect(view.latest('node', 'n1')).toMatchObject({ positions: [], positionsMonotonicMs: undefined });
  });

  it('passes over what is no heartbeat, and tells processes apart by kind and name', async () => {
    await log.append(topics.heartbeats, asPartition(0), [{ key: null, value: Buffer.from('no heartbeat') }]);
    await send(beat({}), beat({ kind: 'portal', id: 'n1' }), beat({ id: 'n2' }));
    await eventually('the last is heard', () => view.latest('node', 'n2') !== undefined);
    expect([...view.all('node')].map((latest) => latest.beat.id)).toEqual(['n1', 'n2']);
    expect(view.latest('portal', 'n1')?.beat.kind).toBe('portal');
    expect(view.latest('dispatcher', 'n1')).toBeUndefined();
  });

  it('counts silence only while it listens', async () => {
    await send(beat({}));
    await eventually('n1 was silent for a while', () => (view.silentMs('node', 'n1') ?? 0) >= 100);
    expect(view.silentMs('node', 'n2')).toBeUndefined();
    await view.close();
    expect(view.silentMs('node', 'n1')).toBeUndefined();
  });

  it('says for how long none of a kind was heard, also where none ever was', async () => {
    await eventually('no node was heard for a while', () => (view.kindSilentMs('node') ?? 0) >= 100);
    await send(beat({ id: 'n1' }));
    await eventually('n1 is heard', () => view.latest('node', 'n1') !== undefined);
    const [nodeMs, portalMs] = [view.kindSilentMs('node') ?? 0, view.kindSilentMs('portal') ?? 0];
    expect(portalMs).toBeGreaterThanOrEqual(100);
    expect(nodeMs).toBeLessThan(portalMs);
    await view.close();
    expect(view.kindSilentMs('portal')).toBeUndefined();
  });
});
