import { type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import { type Network, RespClient } from '@levee/wire';

export interface HeardPortal {
  readonly id: string;
  /** `host:port` of its RESP door. */
  readonly address: string;
}

interface StopsAnswer {
  readonly stops: readonly { readonly binlog: string; readonly partition: number }[];
}

const askMs = 5_000;

/** Why writes to these partitions may still come through one of the portals, in words; `undefined` when all stopped. */
export async function stillWriting(
  portals: readonly HeardPortal[],
  { binlog, partitions }: { readonly binlog: string; readonly partitions: readonly number[] },
  world: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly logger: Logger;
    readonly network?: Network | undefined;
  },
): Promise<string | undefined> {
  const answers = await Promise.all(
    portals.map(async ({ id, address }) => {
      const colon = address.lastIndexOf(':');
      const target = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
      const { network, ...rest } = world;
      const client = new RespClient(target, { ...rest, ...(network === undefined ? {} : { network }) });
      try {
        const reply = await client.request(['LV.STOPS'], askMs);
        const { stops } = JSON.parse(String(reply)) as StopsAnswer;
        const open = partitions.find((each) => !stops.some((of) => of.binlog === binlog && of.partition === each));
        return open === undefined ? undefined : `portal ${id} at ${address} still takes writes to partition ${open}`;
      } catch (error) {
        return `portal ${id} at ${address} does not say whether it stopped: ${messageOf(error)}`;
      } finally {
        client.close();
      }
    }),
  );
  return answers.find((each) => each !== undefined);
}
