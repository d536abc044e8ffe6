import { connect, LeveeError, utf8, type Client, type ConnectOptions, type Namespace } from '@levee/sdk';
import { OperationFailed, type Consistency, type KeyClient } from './key-client';

/** `@levee/client`: one session over all portals. It retries by itself, and its errors say what became of a write. */
export class SdkClient implements KeyClient {
  private readonly keys: Namespace<string>;
  readonly session: string;

  private constructor(
    readonly name: string,
    readonly client: Client,
    private readonly consistency: Consistency,
  ) {
    this.session = name;
    this.keys = client.namespace('default').typed(utf8);
  }

  static async open(
    name: string,
    portals: readonly string[],
    consistency: Consistency,
    options: Partial<ConnectOptions> = {},
  ): Promise<SdkClient> {
    return new SdkClient(name, await connect({ portals, ...options }), consistency);
  }

  async get(key: string): Promise<string | null> {
    return (await this.told(this.keys.get(key, { consistency: this.consistency }))) ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    await this.told(this.keys.put(key, value));
  }

  async del(key: string): Promise<void> {
    await this.told(this.keys.delete(key));
  }

  close(): void {
    void this.client.close();
  }

  private async told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof LeveeError)) throw error;
      throw new OperationFailed(error.kind, `${error.code} ${error.message}`);
    }
  }
}
