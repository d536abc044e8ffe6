import type { SubmittedCommand } from '@levee/journal';
import { AccessTrail, accessTrailLimits } from './access-trail';

describe('the trail of who asked for evidence', () => {
  let nowMs: number;
  let written: SubmittedCommand[];
  let fails: Error | undefined;
  const trail = (): AccessTrail =>
    new AccessTrail(
      (command) => {
        if (fails) return Promise.reject(fails);
        written.push(command);
        return Promise.resolve();
      },
      { nowMs: () => 0, monotonicMs: () => nowMs },
    );
  beforeEach(() => {
    nowMs = 1_000;
    written = [];
    fails = undefined;
  });

  it('writes down who asked and what, once in a while for the same', async () => {
    const of = trail();
    for (const who of ['user ann', 'user ann', 'user bob']) await of.record(who, 'GET /v1/proofs');
    await of.record('user ann', 'GET /v1/log/topics');
    nowMs += accessTrailLimits.againMs;
    await of.record('user ann', 'GET /v1/proofs');
    const row = (principal: string, what: string) => ({ kind: 'RecordAccess', payload: { what }, principal });
    expect(written).toEqual([
      row('user ann', 'GET /v1/proofs'),
      row('user bob', 'GET /v1/proofs'),
      row('user ann', 'GET /v1/log/topics'),
      row('user ann', 'GET /v1/proofs'),
    ]);
  });

  it('answers nobody who could not be written down, and tries again for the next', async () => {
    const of = trail();
    fails = new Error('the log is away');
    await expect(of.record('user ann', 'GET /v1/proofs')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('the log is away') as string,
    });
    fails = undefined;
    await of.record('user ann', 'GET /v1/proofs');
    expect(written).toHaveLength(1);
  });

  it('keeps those who ask at once waiting for the one record, and remembers so many only', async () => {
    const of = trail();
    await Promise.all([of.record('user ann', 'a'), of.record('user ann', 'a')]);
    expect(written).toHaveLength(1);
    for (let i = 0; i < accessTrailLimits.rememberedMax; i++) await of.record('user bob', String(i));
    await of.record('user ann', 'a');
    expect(written).toHaveLength(accessTrailLimits.rememberedMax + 2);
  });

  it('cuts what is too long for a command, and takes no two of those for the same', async () => {
    const of = trail();
    for (const end of ['a', 'b']) await of.record('user ann', 'x'.repeat(1_000) + end);
    const payload = { what: 'x'.repeat(1_000) };
    expect(written.map((each) => each.payload)).toEqual([payload, payload]);
  });

  it('takes for the same what its caller says is', async () => {
    const of = trail();
    for (const from of [0, 100]) await of.record('user ann', `GET /v1/log/t/0?from=${from}`, 'GET /v1/log/t/0');
    expect(written.map(({ payload }) => payload)).toEqual([{ what: 'GET /v1/log/t/0?from=0' }]);
  });

  it('writes down each time that something is destroyed', async () => {
    const of = trail();
    for (let i = 0; i < 2; i++) await of.recordAct('user ann', 'FLUSHDB shop');
    expect(written).toHaveLength(2);
  });
});
