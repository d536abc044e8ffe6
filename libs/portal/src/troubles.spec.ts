import type { Log } from '@levee/log';
import type { Portal } from '@levee/portal';
import { troublesOf } from './troubles';

const stop = {
  binlog: 'b',
  namespace: 'ns',
  partition: 3,
  cutOffset: 7,
  nextOffset: 30,
  keysAtStake: 23,
  message: 'm',
};
const viewOf = (unheardMs: number) => ({ unheardMs, state: { namespaces: () => [{ binlog: 'b' }] } });
const portal = (but: object = {}): Portal =>
  ({
    ...{ stops: [], writeProblem: undefined, config: { topics: { journal: 'j' } } },
    serves: true,
    view: viewOf(40),
    ...but,
  }) as never;
const damage = { topic: 'b', partition: 1, fromOffset: 7, toOffset: 9, what: 'its entry is missing' };
const log = (description: string, examine: () => Promise<unknown>): Log => ({ description, examine }) as never;
const whole = log('embedded /d', () => Promise.resolve({ damage: [] }));

describe('what is wrong beyond a portal', () => {
  it.each<[string, Portal, Log, readonly object[]]>([
    ['nothing', portal(), whole, []],
    ['a partition stands still', portal({ stops: [stop] }), whole, [{ what: 'partitionStopped', ...stop }]],
    [
      'the log takes nothing',
      portal({ writeProblem: 'ENOSPC' }),
      whole,
      [{ what: 'logTakesNothing', message: 'ENOSPC' }],
    ],
    [
      'a stretch of the log is damaged',
      portal(),
      log('embedded /d', () => Promise.resolve({ damage: [damage] })),
      [{ what: 'logDamaged', binlog: 'b', partition: 1, fromOffset: 7, toOffset: 9 }],
    ],
    [
      'a stretch of the journal is damaged',
      portal(),
      log('embedded /d', () => Promise.resolve({ damage: [{ ...damage, topic: 'j' }] })),
      [
        {
          what: 'logDamaged',
          topic: 'j',
          fromOffset: 7,
          message: expect.stringMatching(/how it is repaired/) as string,
        },
      ],
    ],
    [
      'the log does not answer',
      portal({ stops: [stop] }),
      log('embedded /d', () => Promise.reject(new Error('closed'))),
      [{ what: 'partitionStopped' }, { what: 'logUnknown', message: 'the log does not say how it is: closed' }],
    ],
    [
      'the end of the journal was not seen for long',
      portal({ view: viewOf(45_000) }),
      whole,
      [{ what: 'journalUnheard', message: expect.stringMatching(/last seen here 45000 ms ago/) as string }],
    ],
    ['a portal that has read nothing yet', portal({ view: viewOf(Infinity), serves: false }), whole, []],
    ['brokers are not asked', portal(), log('kafka b:9092', () => Promise.reject(new Error('asked'))), []],
  ])('%s', async (_, of, on, expected) => {
    const found = await troublesOf(of, on);
    expect(found).toHaveLength(expected.length);
    expect(found).toMatchObject(expected);
  });
});
