import { join } from 'node:path';
import { simulatePlan } from '@levee/cluster';
import { systemTimers } from '@levee/log';
import { PlanScript } from '../../cluster/test/plans/plan-script';
import { dryRunLimits, DryRuns } from '../src/plans/dry-runs';

const execArgv = ['--require', join(__dirname, '..', '..', '..', 'test', 'support', 'ts-thread.cjs')];

function cluster(chunks: number): PlanScript {
  const script = new PlanScript();
  for (const n of [1, 2, 3, 4]) script.node(`n${n}`, { domain: `rack-${n}`, units: units(`n${n}`, chunks * 3) });
  script.namespace('shop', { chunks, replicas: 3 });
  return script;
}

function units(nodeId: string, count: number) {
  return Array.from({ length: count }, (_, u) => ({
    ...{ unitId: `${nodeId}/u${u}`, capacityBytes: 2 ** 28, engine: 'leveldb', generation: 1 },
  }));
}

describe('dry runs', () => {
  const runs = new DryRuns({ timers: systemTimers, execArgv });

  it('say what the rules say, of proposals that pass and of those that do not', async () => {
    const { state, nowMs } = cluster(4);
    for (const payload of [
      { kind: 'drain', nodeId: 'n1' },
      { kind: 'resize', namespace: 'shop', chunks: 8 },
      { kind: 'resize', namespace: 'nobody', chunks: 8 },
    ]) {
      const found = await runs.run(state, payload, nowMs);
      expect(found).toEqual(JSON.parse(JSON.stringify(simulatePlan(state, payload, nowMs))));
      expect('prediction' in found ? found.prediction.outcome : found.code).toBe(
        payload.namespace === 'nobody' ? 'NAMESPACE_UNKNOWN' : 'done',
      );
    }
  });

  it('leave the event loop to others, are two at most, and end at their deadline', async () => {
    const due: (() => void)[] = [];
    const timers = { after: (_ms: number, action: () => void) => (due.push(action), () => undefined) };
    const limited = new DryRuns({ timers, execArgv });
    const { state, nowMs } = cluster(60);
    const payload = { kind: 'resize', namespace: 'shop', chunks: 120 };
    const both = [limited.run(state, payload, nowMs), limited.run(state, payload, nowMs)];
    await expect(limited.run(state, payload, nowMs)).rejects.toMatchObject({ code: 'LVLIMIT' });
    let over = false;
    let rounds = 0;
    const first = both[0]!.finally(() => (over = true));
    for (; !over; rounds++) await new Promise((resolve) => setImmediate(resolve));
    expect(rounds).toBeGreaterThan(100);
    expect(await first).toMatchObject({ prediction: { outcome: 'done' } });
    await both[1];
    const late = limited.run(state, payload, nowMs);
    due.at(-1)!();
    await expect(late).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('25000 ms') as string,
    });
    expect(dryRunLimits.atOnceMax).toBe(2);
  });

  it('past their deadline count until their threads are gone', async () => {
    const due: (() => void)[] = [];
    const timers = { after: (_ms: number, action: () => void) => (due.push(action), () => undefined) };
    const limited = new DryRuns({ timers, execArgv });
    const { state, nowMs } = cluster(60);
    const payload = { kind: 'resize', namespace: 'shop', chunks: 120 };
    const both = [limited.run(state, payload, nowMs), limited.run(state, payload, nowMs)];
    for (const action of due) action();
    for (const each of both) await expect(each).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(limited.run(state, payload, nowMs)).rejects.toMatchObject({ code: 'LVLIMIT' });
    const small = { kind: 'drain', nodeId: 'n1' };
    const endMs = performance.now() + 20_000;
    let answer: unknown;
    while (answer === undefined && performance.now() < endMs) {
      answer = await limited.run(cluster(4).state, small, nowMs).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(answer).toMatchObject({ prediction: { outcome: 'done' } });
  });
});
