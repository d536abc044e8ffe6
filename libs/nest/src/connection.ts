import { connect, type Client, type ConnectOptions } from '@levee/sdk';

/** The application cannot start: nobody answered in time, or this client was not let in. `cause` has the client's error. */
export class LeveeConnectionError extends Error {
  constructor(
    readonly connection: string,
    cause: unknown,
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`Levee, connection '${connection}', cannot be opened: ${why}`, { cause });
    this.name = 'LeveeConnectionError';
  }
}

/** Resolves when a portal answers; rejects with LeveeConnectionError after `deadlineMs` of the options, 10 s by default. */
export async function openConnection(connection: string, options: ConnectOptions): Promise<Client> {
  try {
    return await connect(options);
  } catch (cause) {
    throw new LeveeConnectionError(connection, cause);
  }
}

/**
 * Closes a client when everything else of the application has ended: requests of HTTP are answered by then, and what they
 * began is waited for, at most until the deadline of each call.
 */
export class ConnectionEnd {
  constructor(private readonly client: Client) {}

  onApplicationShutdown(): Promise<void> {
    return this.client.close();
  }
}
