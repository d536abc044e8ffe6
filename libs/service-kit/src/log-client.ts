import { randomUUID } from 'node:crypto';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { CommandOutcome } from '@levee/events';
import { Failure } from '@levee/kernel';
import { submit, type ClusterView, type ControlTopics, type SubmittedCommand } from '@levee/journal';
import type { Log } from '@levee/log';

export const commandsPattern = 'commands';

/**
 * Sends commands through the log: `send('commands', {kind, payload, principal})` appends to `levee.commands` and emits
 * the `CommandOutcome` found in the journal; `emit` only appends. Fails as `submit` and `ClusterView.outcome` do: after
 * DEADLINE, which names the command's id, it may still be decided.
 */
export class LogClient extends ClientProxy {
  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
    private readonly options: { readonly view: ClusterView; readonly deadlineMs: number },
  ) {
    super();
  }

  connect(): Promise<Log> {
    return Promise.resolve(this.log);
  }

  close(): void {
    // The log belongs to the composition root.
  }

  unwrap<T>(): T {
    return this.log as T;
  }

  protected publish(
    packet: ReadPacket<SubmittedCommand>,
    callback: (packet: WritePacket<CommandOutcome>) => void,
  ): () => void {
    this.decided(packet).then(
      (response) => callback({ response, isDisposed: true }),
      (err: unknown) => callback({ err, isDisposed: true }),
    );
    return () => undefined;
  }

  protected async dispatchEvent<T>(packet: ReadPacket<SubmittedCommand>): Promise<T> {
    return (await this.submitted(packet)) as T;
  }

  /** One deadline for the way into the log and the decision: a log that does not answer keeps nobody for minutes. */
  private async decided({ pattern, data }: ReadPacket<SubmittedCommand>): Promise<CommandOutcome> {
    const id = data.id ?? randomUUID();
    const submitting = this.submitted({ pattern, data: { ...data, id } });
    const outcome = this.options.view.outcome(id, this.options.deadlineMs);
    await Promise.race([submitting, outcome]);
    return outcome;
  }

  private async submitted({ pattern, data }: ReadPacket<SubmittedCommand>): Promise<string> {
    if (pattern !== commandsPattern)
      throw new Failure('NOT_SUPPORTED', `the log takes '${commandsPattern}' from clients, not '${String(pattern)}'`);
    return submit(this.log, this.topics, data);
  }
}
