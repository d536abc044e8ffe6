import { encode } from '@levee/codec';
import type { CommandOutcome } from '@levee/events';
import { asPartition, Failure, type Clock, type NewId } from '@levee/kernel';
import { systemClock, systemNewId, type Log } from '@levee/log';
import type { ControlTopics } from './topics/control-topics';

export interface SubmittedCommand {
  readonly kind: string;
  /** The command's own fields, as JSON. */
  readonly payload: unknown;
  /** Who asks: `portal p1`, `node n1`, a user name. */
  readonly principal: string;
  /** A UUID; the same id again is the same command and gets the recorded outcome. */
  readonly id?: string;
}

/** Takes commands and waits for what becomes of them. */
export interface CommandRunner {
  /** A rejection is thrown as a Failure with its code; DEADLINE: unknown, it may still be decided. */
  run(command: SubmittedCommand): Promise<CommandOutcome>;
}

/** Room for the registration of a node with 4,096 units; half of what a Kafka topic takes by default. */
const commandPayloadBytesMax = 512 * 1024;

/**
 * Appends a command to `levee.commands` and returns its id; what became of it is found in the journal by that id
 * (`ClusterView.outcome`). Fails as `Log.append` does, and with TOO_LARGE; after OUTCOME_UNKNOWN submit again with the
 * same id.
 */
export async function submit(
  log: Log,
  topics: ControlTopics,
  command: SubmittedCommand,
  clock: Pick<Clock, 'nowMs'> = systemClock,
  newId: NewId = systemNewId,
): Promise<string> {
  const id = command.id ?? newId();
  const payload = JSON.stringify(command.payload ?? {});
  const bytes = Buffer.byteLength(payload);
  if (bytes > commandPayloadBytesMax)
    throw new Failure(
      'TOO_LARGE',
      `the payload of ${command.kind} has ${bytes} bytes, the limit is ${commandPayloadBytesMax}; split the command`,
    );
  const value = encode('Command', {
    id,
    kind: command.kind,
    payload,
    principal: command.principal,
    submittedAtMs: clock.nowMs(),
  });
  await log.append(topics.commands, asPartition(0), [{ key: Buffer.from(id), value }]);
  return id;
}
