import { portalAuth, type ClusterKey } from '@levee/auth';
import { type Clock, type Logger, messageOf, pause, splitAddress, type Timers } from '@levee/kernel';
import { type Network, RespClient, RespError, type RespReply } from '@levee/wire';

export interface HeardPortal {
  readonly id: string;
  /** `host:port` of its RESP door. */
  readonly address: string;
}

interface StopsAnswer {
  readonly stops: readonly { readonly binlog: string; readonly partition: number }[];
}

const askMs = 5_000;

/** After a partition may be written again portals hear of it within seconds; later than this people are told. */
const goOnMs = 30_000;
const goOnLookMs = 500;

export interface PortalsWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly network?: Network | undefined;
  /** Portals ask who somebody is, and this proves that this process is of their cluster. */
  readonly clusterKey?: ClusterKey | undefined;
}

interface Asked {
  readonly binlog: string;
  readonly partitions: readonly number[];
}

/** Why writes to these partitions may still come through one of the portals, in words; `undefined` when all stopped. */
export function stillWriting(
  portals: readonly HeardPortal[],
  { binlog, partitions }: Asked,
  world: PortalsWorld,
): Promise<string | undefined> {
  return firstProblem(portals, world, ({ stops }, name) => {
    const open = partitions.find((each) => !stops.some((of) => of.binlog === binlog && of.partition === each));
    return open === undefined ? undefined : `${name} still takes writes to partition ${open}`;
  });
}

/** Waits until every portal takes writes to them; why one does not, in words, when that takes too long. */
export async function stillStopped(
  portals: () => readonly HeardPortal[],
  { binlog, partitions }: Asked,
  world: PortalsWorld,
  signal: AbortSignal,
): Promise<string | undefined> {
  const endAtMs = world.clock.monotonicMs() + goOnMs;
  for (;;) {
    const problem = await firstProblem(portals(), world, ({ stops }, name) => {
      const closed = partitions.find((each) => stops.some((of) => of.binlog === binlog && of.partition === each));
      return closed === undefined ? undefined : `${name} takes no writes to partition ${closed} yet`;
    });
    if (problem === undefined || signal.aborted || world.clock.monotonicMs() > endAtMs) return problem;
    await pause(world.timers, goOnLookMs);
  }
}

function refusalIn(reply: RespReply): string | undefined {
  return reply instanceof RespError ? reply.text : undefined;
}

async function firstProblem(
  portals: readonly HeardPortal[],
  world: PortalsWorld,
  judge: (answer: StopsAnswer, name: string) => string | undefined,
): Promise<string | undefined> {
  const answers = await Promise.all(
    portals.map(async ({ id, address }) => {
      const target = splitAddress(address);
      const { network, clusterKey, ...rest } = world;
      const client = new RespClient(target, {
        ...rest,
        ...(network === undefined ? {} : { network }),
        ...(clusterKey === undefined ? {} : { hello: { args: portalAuth(clusterKey), check: refusalIn } }),
      });
      try {
        return judge(
          JSON.parse(String(await client.request(['LV.STOPS'], askMs))) as StopsAnswer,
          `portal ${id} at ${address}`,
        );
      } catch (error) {
        return `portal ${id} at ${address} does not say what stands still: ${messageOf(error)}`;
      } finally {
        client.close();
      }
    }),
  );
  return answers.find((each) => each !== undefined);
}
