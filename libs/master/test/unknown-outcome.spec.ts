import { asPartition } from '@levee/kernel';
import { LogFailure, type FencedWriter, type Log } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog, openView, nodeRegistration, run, startMaster, topics } from './control-plane';

let log: EmbeddedLog;
const opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  log = await openLog();
});

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
  await log.close();
});

/** What happens to the journal appends of a master, one after another; the claims come first. */
type Fault = 'written, answer lost' | 'lost' | 'not written' | 'too large' | 'fine';

function faulty(inner: Log, faults: Fault[]): Log {
  const fencedWriter = async (id: string): Promise<FencedWriter> => {
    const writer = await inner.fencedWriter(id);
    const append: FencedWriter['append'] = async (topic, partition, records) => {
      const fault = topic === topics.journal ? faults.shift() : undefined;
      if (fault === 'lost') throw new LogFailure('OUTCOME_UNKNOWN', 'no answer');
      if (fault === 'too large') throw new LogFailure('TOO_LARGE', 'no record may be so large');
      if (fault === 'not written') throw new LogFailure('LOG_UNAVAILABLE', 'no leader');
      const appended = await writer.append(topic, partition, records);
      if (fault === 'written, answer lost') throw new LogFailure('OUTCOME_UNKNOWN', 'no answer');
      return appended;
    };
    return { ...writer, append, close: () => writer.close() };
  };
  return Object.create(inner, { fencedWriter: { value: fencedWriter } }) as Log;
}

test.each<[string, Fault[], number]>([
  ['the decision was written and its answer lost', ['fine', 'fine', 'written, answer lost'], 2],
  ['the decision was lost', ['fine', 'fine', 'lost'], 2],
  ['the log refuses for a while', ['fine', 'fine', 'not written', 'not written', 'fine'], 1],
  ['the claim was written and its answer lost', ['written, answer lost'], 2],
  ['the claim was lost', ['lost'], 1],
  ['the foundation was written and its answer lost', ['fine', 'written, answer lost'], 2],
])('%s: the command is decided exactly once', async (_name, faults, term) => {
  const master = await startMaster(faulty(log, faults), { instance: 'm1', claimAtOnce: true });
  opened.push(master);
  const view = await openView(log);
  opened.push(view);
  const outcome = await run(log, view, nodeRegistration('n1'));
  expect(outcome).toMatchObject({ rejectionCode: null });
  await view.until(() => (view.term >= term ? true : undefined), 10_000, 'the next claim');
  expect(view.term).toBe(term);
  expect(view.state.counts.outcomes).toBe(2);
  expect(view.journal.position.commandsOffset).toBe(0);
  expect((await log.offsets(topics.commands))[asPartition(0)]?.endOffset).toBe(1);
});

test('a decision that the log finds too large is recorded as rejected, and the next command is decided', async () => {
  const master = await startMaster(faulty(log, ['fine', 'fine', 'too large']), { instance: 'm1', claimAtOnce: true });
  opened.push(master);
  const view = await openView(log);
  opened.push(view);
  const tooLarge = await run(log, view, nodeRegistration('n1', 200));
  expect(tooLarge).toMatchObject({
    rejectionCode: 'TOO_LARGE',
    rejectionMessage: expect.stringMatching(/have \d+ bytes/),
  });
  expect(view.state.node('n1')).toBeUndefined();
  expect(await run(log, view, nodeRegistration('n1', 2))).toMatchObject({ rejectionCode: null });
  expect(view.term).toBe(1);
});
