import type { HeldGeneration } from '@levee/chunk-store';
import { silentLogger } from '@levee/kernel';
import { LeftUnits } from '../src/replica/left-units';
import { keyOf, leftLimits, LeftReplicas } from '../src/replica/left/left-replicas';

const held = (number: number): HeldGeneration =>
  ({ unitId: `n1/u${number}`, generation: 1, folder: `/d/u${number}`, bytes: 1 }) as HeldGeneration;
const view = { short: undefined, state: { unit: () => undefined } } as never;

function warnings(): { logger: typeof silentLogger; said: string[] } {
  const said: string[] = [];
  return { logger: { ...silentLogger, warn: (_: unknown, message?: string) => void said.push(message ?? '') }, said };
}

describe('units that lost decisions gave out', () => {
  it('are listed once, and compared again until the log answers, which is said once', async () => {
    const { logger, said } = warnings();
    let listed = 0;
    const disk = { generations: () => Promise.resolve((listed++, [held(1)])) };
    const asked: string[] = [];
    const replicas = {
      look: (of: HeldGeneration) => {
        asked.push(of.unitId);
        return asked.length < 4 ? Promise.reject(new Error('the log is away')) : Promise.resolve();
      },
      describe: () => ({ holds: null, witnessOf: null }),
      isGone: () => false,
      hasPostponed: false,
    };
    const units = new LeftUnits(view, disk, logger, replicas);
    for (let beat = 0; beat < 8; beat++) await units.look();
    expect([listed, asked.length, units.all]).toEqual([1, 4, [held(1)]]);
    expect(said).toEqual([
      'units are left of decisions that the journal lost; nothing clears them',
      'what the units hold could not be compared; trying again',
    ]);
  });

  it('beyond those that may be open at a time are looked at once people have decided about one of these', async () => {
    const { logger } = warnings();
    const opened: string[] = [];
    const disk = {
      openUnit: (unitId: string) => Promise.resolve(opened.push(unitId)),
      closeUnit: () => Promise.resolve(),
      setAside: () => Promise.resolve(),
    };
    const left = new LeftReplicas({ disk, logger } as never, 'cluster');
    // What they hold, and what the log lost of it, is shown elsewhere.
    const cuts = { any: true, problem: 'lost', accept: () => undefined, stop: () => undefined };
    Object.assign(left, {
      judge: (_: unknown, { unitId, generation }: HeldGeneration) =>
        Promise.resolve({
          holds: 'c1',
          replica: { cuts, identity: { unitId, generation }, current: { close: () => Promise.resolve() } },
        }),
    });
    const all = Array.from({ length: leftLimits.openMax + 1 }, (_, number) => held(number));
    const units = new LeftUnits(view, { generations: () => Promise.resolve(all) }, logger, left);
    await units.look();
    await units.look();
    const last = held(leftLimits.openMax);
    expect(opened).toHaveLength(leftLimits.openMax);
    expect(left.describe(keyOf(last)).holds).toMatch(/not looked at, since 8 others are witnesses/);
    expect(left.letGo(keyOf(held(0)), [])).toBeUndefined();
    await units.look();
    expect(opened.at(-1)).toBe(last.unitId);
    expect(left.witnesses).toHaveLength(leftLimits.openMax);
  });
});
