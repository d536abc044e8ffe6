import { Inject } from '@nestjs/common';
import { LeveeError, type Client } from '@levee/sdk';
import { defaultConnection } from './tokens';

export interface HealthOptions {
  /** A namespace that must answer too; without it, it is enough that the client reaches a portal. */
  readonly namespace?: string;
  /** How long that may take, ms; default 1,000. */
  readonly deadlineMs?: number;
}

/** As @nestjs/terminus has it: `{ levee: { status: 'up', ... } }`. */
export type LeveeHealthResult<Key extends string = string> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly portals: Readonly<Record<string, string>>; readonly problem?: string }
>;

/** Says whether Levee can be used, in the shape of @nestjs/terminus 11 and 12, which need not be installed. Never rejects. */
export class LeveeHealthIndicator {
  constructor(private readonly client: Client) {}

  async isHealthy<Key extends string = 'levee'>(
    key: Key = 'levee' as Key,
    { namespace, deadlineMs = 1_000 }: HealthOptions = {},
  ): Promise<LeveeHealthResult<Key>> {
    const known = this.client.status().portals;
    const portals = Object.fromEntries(
      known.map(({ address, up, problem }) => [address, up ? 'up' : (problem ?? 'down')]),
    );
    const problem =
      known.length > 0 && known.every(({ up }) => !up)
        ? 'no portal answers'
        : namespace && (await this.problemOf(namespace, deadlineMs));
    const told = problem ? { status: 'down' as const, portals, problem } : { status: 'up' as const, portals };
    return { [key]: told } as LeveeHealthResult<Key>;
  }

  private async problemOf(namespace: string, deadlineMs: number): Promise<string | undefined> {
    try {
      await this.client.namespace(namespace).status({ deadlineMs });
      return undefined;
    } catch (error) {
      if (error instanceof LeveeError) return `${error.code} ${error.message}`;
      return error instanceof Error ? error.message : String(error);
    }
  }
}

/** What the health indicator of a connection is provided under: the class for the default one. */
export const healthToken = (connection = defaultConnection): symbol | typeof LeveeHealthIndicator =>
  connection === defaultConnection ? LeveeHealthIndicator : Symbol.for(`@levee/nest health '${connection}'`);

/** The health indicator of a connection that has a name. */
export const InjectLeveeHealth = (connection?: string): ParameterDecorator & PropertyDecorator =>
  Inject(healthToken(connection));
