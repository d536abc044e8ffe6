import type { ClusterView } from '@levee/journal';
import { controlTopics } from '@levee/journal';
import { Failure } from '@levee/kernel';
import { LogFailure, type Log } from '@levee/log';
import { lastValueFrom } from 'rxjs';
import { commandsPattern, LogClient } from '../src';

const command = { kind: 'RequestBarrier', payload: {}, principal: 'test' };

/** A log whose appends end as `append` says, and a view that decides nothing within the deadline. */
function client(append: () => Promise<never>): LogClient {
  const view: Pick<ClusterView, 'outcome'> = {
    outcome: (id, deadlineMs) =>
      new Promise((_, reject) =>
        setTimeout(() => reject(new Failure('DEADLINE', `the decision of command ${id} did not happen`)), deadlineMs),
      ),
  };
  const log: Pick<Log, 'append'> = { append };
  return new LogClient(log as Log, controlTopics('x'), { view: view as ClusterView, deadlineMs: 50 });
}

test('I16: a command whose way into the log takes for ever ends with the deadline and its id', async () => {
  const id = '7f3bb1c2-5d0a-4b53-9f8e-000000000001';
  const asked = lastValueFrom(client(() => new Promise(() => undefined)).send(commandsPattern, { ...command, id }));
  await expect(asked).rejects.toMatchObject({ code: 'DEADLINE', message: expect.stringContaining(id) as string });
});

test('a command that the log refuses fails at once', async () => {
  const refused = (): Promise<never> => Promise.reject(new LogFailure('TOPIC_MISSING', 'no such topic'));
  const asked = lastValueFrom(client(refused).send(commandsPattern, command));
  await expect(asked).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
});
