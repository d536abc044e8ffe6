import { nodeHello, type ClusterKey } from '@levee/auth';
import type { CopyBlock, CopyPosition } from '@levee/chunk-store';
import { Failure, splitAddress, type Logger, type Clock, type Timers, type Random } from '@levee/kernel';
import {
  copyCloseCommand,
  copyNextCommand,
  copyOpenCommand,
  type Network,
  type NetworkBudget,
  parseCopyFrame,
  parseCopyOpened,
  RespClient,
  RespError,
  type Seal,
  sealOfCommand,
} from '@levee/wire';
import { copyLimits } from './copy-limits';
import type { CopiedReplica, CopySessions } from './copy-sessions';
import type { PieceOrder, SourceReplica } from './move-order';

/** One snapshot of a piece, pulled block by block; one `next` at a time, which also asks for some blocks ahead. */
export interface PieceStream {
  readonly positions: readonly CopyPosition[];
  readonly bytesEstimate: number;
  next(): Promise<Block>;
  /** Lets go of the snapshot, wherever it is. */
  close(): void;
}

/** Where pieces come from. */
export interface PieceSources {
  /** The replica in `<unitId>@<generation>` of this node. */
  readonly hostedIn: (key: string) => CopiedReplica | undefined;
  /** Snapshots held open for copies. */
  readonly copies: CopySessions;
  /** How other nodes are asked for copies. */
  readonly remote: RemoteWorld;
}

/** From wherever the source is. */
export function openPiece(
  { hostedIn, copies, remote }: PieceSources,
  of: { readonly source: SourceReplica; readonly namespace: string; readonly piece: PieceOrder },
  after?: Buffer,
): Promise<PieceStream> {
  const local = hostedIn(`${of.source.unitId}@${of.source.generation}`);
  return local === undefined ? openRemotePiece(remote, of, after) : openLocalPiece(copies, local, of.piece, after);
}

/** From a replica on this very disk: no socket, no checksums of blocks. */
async function openLocalPiece(
  sessions: CopySessions,
  hosted: CopiedReplica,
  piece: PieceOrder,
  after: Buffer | undefined,
): Promise<PieceStream> {
  const { slotStart, slotEnd } = piece;
  const { copyId, positions, bytesEstimate } = await sessions.begin(hosted, { slotStart, slotEnd, after });
  let sequence = 0;
  return {
    positions,
    bytesEstimate,
    next: ahead(() => sessions.next(copyId, sequence++, copyLimits.blockBytes)),
    close: () => sessions.end(copyId),
  };
}

export interface RemoteWorld {
  readonly clusterId: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly random?: Random | undefined;
  readonly network?: Network | undefined;
  readonly clusterKey?: ClusterKey | undefined;
  readonly buffers?: NetworkBudget | undefined;
}

/** From another node: its LV.COPY, over a connection of its own that is sure to be with that very disk. */
async function openRemotePiece(
  { clusterId, clusterKey, clock, timers, logger, random, network, buffers }: RemoteWorld,
  { source, namespace, piece }: { source: SourceReplica; namespace: string; piece: PieceOrder },
  after: Buffer | undefined,
): Promise<PieceStream> {
  const address = splitAddress(source.respAddress);
  const client = new RespClient(address, {
    clock,
    timers,
    logger,
    ...(random === undefined ? {} : { random }),
    ...(network === undefined ? {} : { network }),
    limits: { stallMs: copyLimits.requestMs },
    hello: {
      args: nodeHello(clusterId, source, clusterKey),
      check: (reply) => (reply instanceof RespError ? reply.text : undefined),
    },
  });
  const ask = async (args: readonly (string | Buffer)[]): Promise<[Buffer, Seal]> => {
    const reply = await client.request(args, copyLimits.requestMs);
    if (Buffer.isBuffer(reply)) return [reply, sealOfCommand(args)];
    throw new Failure('BAD_FRAME', `${source.respAddress} answered ${String(args[0])} with no block`);
  };
  // One block that is written, and those that are ahead.
  const aheadBytes = (1 + copyLimits.blocksAhead) * copyLimits.blockBytes;
  await buffers?.take(aheadBytes);
  const close = (): void => {
    client.close();
    buffers?.giveBack(aheadBytes);
  };
  const { chunkId, slotStart, slotEnd } = piece;
  const open = { namespace, chunkId, slotStart, slotEnd, after: after ?? Buffer.alloc(0) };
  try {
    const { copyId, positions, bytesEstimate } = parseCopyOpened(...(await ask(copyOpenCommand(open))));
    let sequence = 0;
    return {
      positions,
      bytesEstimate,
      next: ahead(async () => {
        const wanted = sequence++;
        const [reply, seal] = await ask(copyNextCommand(copyId, wanted, copyLimits.blockBytes));
        const { block, last } = parseCopyFrame(reply, wanted, seal);
        return { bytes: block, last };
      }),
      close: () => {
        // A goodbye that is lost costs an idle snapshot until its time is up.
        client.send(copyCloseCommand(copyId), copyLimits.requestMs, close);
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

type Block = Pick<CopyBlock, 'bytes' | 'last'>;

/** Behind the last block nothing is asked for that anybody waits for. */
function ahead(ask: () => Promise<Block>): () => Promise<Block> {
  const asked: Promise<Block>[] = [];
  return () => {
    while (asked.length <= copyLimits.blocksAhead) {
      const block = ask();
      // Whoever takes it sees the failure; nobody does when the copy ends before.
      block.catch(() => undefined);
      asked.push(block);
    }
    return asked.shift() as Promise<Block>;
  };
}
