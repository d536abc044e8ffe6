import { nodeHello, type ClusterKey } from '@levee/auth';
import { chunkSeed, CopyEntries, dataPrefixBytes, StoredValue } from '@levee/chunk-store';
import type { ClusterState } from '@levee/cluster';
import { crc32cNative } from '@levee/codec';
import type { NamespaceState, NodeState } from '@levee/events';
import { type Clock, Failure, type Logger, messageOf, pause, splitAddress, type Timers } from '@levee/kernel';
import {
  copyCloseCommand,
  copyNextCommand,
  copyOpenCommand,
  type Network,
  nodeCommands,
  parseCopyFrame,
  parseCopyOpened,
  readWitnessReport,
  RespClient,
  RespError,
  sealOfCommand,
  type WitnessFacts,
  type WitnessReport,
} from '@levee/wire';
import type { WitnessEntry } from './diff-witnesses';
import { type NodeAnswer, readNodeAnswer } from './node-stat';

const witnessNodeLimits = {
  askMs: 8_000,
  blockBytes: 1 << 20,
  /** A replica that people let go is built anew within this, or the next one is not touched. */
  rebuiltMs: 30 * 60_000,
  rebuiltLookMs: 250,
} as const;

export interface NodesWorld {
  readonly state: () => ClusterState;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly network?: Network | undefined;
  readonly clusterKey?: ClusterKey | undefined;
}

/** The part of LV.STAT that is looked at. */
export interface WitnessReplica {
  readonly chunkId: string;
  readonly unitId: string;
  readonly generation: number;
  readonly readable: boolean;
  readonly state: string;
  readonly hole?: object | null;
  readonly positions: readonly Position[];
}

interface Position {
  readonly partition: number;
  readonly nextOffset: number;
}

/** What a node keeps beside the replicas that decisions name. */
export interface KeptStat {
  readonly nodeId: string;
  readonly unitId: string;
  readonly folder: string;
  /** Of a replica that is not whole again: where it stood before, `null` = not known. */
  readonly keptFor?: { readonly damaged: boolean; readonly positions: readonly Position[] | null };
}

/** The nodes of a cluster, asked about what their replicas hold and their logs lost. */
export class WitnessNodes {
  constructor(private readonly world: NodesWorld) {}

  /**
   * Every witness of a namespace, from every node that has a replica of it, or is up and may have one that a lost
   * decision left. Fails with NODE_UNREACHABLE when one does not answer and is not among `without`, nodes and units: the
   * furthest witness may be there.
   */
  async witnessesOf(namespace: string, without: readonly string[] = []): Promise<WitnessFacts[]> {
    const state = this.world.state();
    const names = new Set<string>();
    for (const { replicas } of state.chunksOf(namespace))
      for (const { nodeId, role } of replicas) if (role !== 'dead') names.add(nodeId);
    for (const { nodeId, state: is } of state.nodes()) if (is === 'up') names.add(nodeId);
    const asked = [...names].filter((nodeId) => !without.includes(nodeId)).map((nodeId) => this.nodeOf(nodeId));
    const reports = await Promise.all(asked.map((node) => this.report(node)));
    return reports.flatMap(({ witnesses }) =>
      witnesses.filter((each) => each.namespace === namespace && !without.includes(each.unitId)),
    );
  }

  /** What a witness holds of the chunk, by ascending key. */
  async *entries(witness: WitnessFacts): AsyncGenerator<WitnessEntry> {
    const node = this.nodeOf(witness.nodeId);
    const client = this.connect(node);
    try {
      const { namespace, chunkId, slotStart, slotEnd, unitId, generation, left } = witness;
      const unit = left === true ? `${unitId}@${generation}` : undefined;
      const open = copyOpenCommand({ namespace, chunkId, slotStart, slotEnd, after: Buffer.alloc(0), unit });
      const { copyId, positions } = parseCopyOpened(await bulk(client, open), sealOfCommand(open));
      const at = positions.find(({ partition }) => partition === witness.partition);
      if (at?.nextOffset !== witness.nextOffset)
        throw new Failure(
          'NOT_PROVABLE',
          `${chunkId} on ${node.nodeId} stands at ${at?.nextOffset}, not at ${witness.nextOffset}`,
        );
      try {
        yield* this.blocks(client, copyId, chunkSeed(chunkId));
      } finally {
        client.send(copyCloseCommand(copyId), witnessNodeLimits.askMs, () => client.close());
      }
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private async *blocks(client: RespClient, copyId: string, seed: number): AsyncGenerator<WitnessEntry> {
    for (let sequence = 0; ; sequence++) {
      const next = copyNextCommand(copyId, sequence, witnessNodeLimits.blockBytes);
      const { block, last } = parseCopyFrame(await bulk(client, next), sequence, sealOfCommand(next));
      const entries = new CopyEntries(block);
      while (entries.next()) {
        const databaseKey = block.subarray(entries.start, entries.valueStart);
        const stored = StoredValue.read(databaseKey, block.subarray(entries.valueStart, entries.end), seed);
        const { offset, expiresAtMs, raw } = stored;
        yield { key: databaseKey.subarray(dataPrefixBytes), offset, expiresAtMs, raw, crc: crc32cNative(raw) };
      }
      if (last) return;
    }
  }

  /** People accept the loss that a replica names in all its partitions: it is built anew. Fails with NOT_WITNESS. */
  async letGo(cuts: readonly WitnessFacts[]): Promise<void> {
    const [first] = cuts;
    if (first === undefined) return;
    const figures = cuts.map(({ partition, cutOffset, nextOffset }) => `${partition}:${cutOffset}:${nextOffset}`);
    const args = [nodeCommands.letGo, first.unitId, String(first.generation), ...figures];
    const client = this.connect(this.nodeOf(first.nodeId));
    try {
      await client.request(args, witnessNodeLimits.askMs);
    } finally {
      client.close();
    }
  }

  /** Resolves when the replica was built anew and can be read. */
  async rebuilt({ nodeId, unitId, generation, chunkId }: WitnessFacts, signal: AbortSignal): Promise<void> {
    const { clock, timers } = this.world;
    const endAtMs = clock.monotonicMs() + witnessNodeLimits.rebuiltMs;
    for (;;) {
      const is = await this.stat(nodeId, unitId, generation).catch(() => undefined);
      if (is?.readable === true && is.state !== 'witness') return;
      if (clock.monotonicMs() > endAtMs || signal.aborted)
        throw new Failure(
          'DEADLINE',
          `${chunkId} on ${unitId} of ${nodeId} is ${is?.state ?? 'out of reach'}, not readable yet`,
        );
      await pause(timers, witnessNodeLimits.rebuiltLookMs);
    }
  }

  namespaceOf(name: string): NamespaceState {
    const namespace = this.world.state().namespace(name);
    if (namespace !== undefined) return namespace;
    throw new Failure('LVNAMESPACE', `there is no namespace ${name}: levee namespace list`);
  }

  /** Every replica of a namespace that decisions know, as its node describes it. Fails with NODE_UNREACHABLE. */
  async replicasOf(namespace: string): Promise<(WitnessReplica & { readonly nodeId: string })[]> {
    const found: (WitnessReplica & { readonly nodeId: string })[] = [];
    for (const { chunkId, replicas } of this.world.state().chunksOf(namespace))
      for (const { nodeId, unitId, generation, role } of replicas) {
        if (role === 'dead' || role === 'learner') continue;
        const is = await this.stat(nodeId, unitId, generation).catch((error: unknown) => {
          throw new Failure('NODE_UNREACHABLE', `${nodeId} does not say where ${chunkId} stands: ${messageOf(error)}`);
        });
        if (is === undefined) throw new Failure('NODE_UNREACHABLE', `${nodeId} has not opened ${chunkId} yet`);
        found.push({ ...is, nodeId });
      }
    return found;
  }

  /** What nodes with replicas of a namespace set aside. Fails with NODE_UNREACHABLE. */
  async keptFor(namespace: string): Promise<KeptStat[]> {
    const names = new Set<string>();
    for (const { replicas } of this.world.state().chunksOf(namespace))
      for (const { nodeId } of replicas) names.add(nodeId);
    const found: KeptStat[] = [];
    for (const nodeId of names) {
      // One that is gone has nothing that anybody could look at.
      if (this.world.state().node(nodeId)?.state === 'lost') continue;
      const { setAside = [] } = await this.statOf(nodeId);
      found.push(...setAside.filter(({ keptFor }) => keptFor !== undefined).map((of) => ({ ...of, nodeId })));
    }
    return found;
  }

  private async stat(nodeId: string, unitId: string, generation: number): Promise<WitnessReplica | undefined> {
    const { replicas } = await this.statOf(nodeId);
    return replicas.find((of) => of.unitId === unitId && of.generation === generation);
  }

  private async statOf(nodeId: string): Promise<NodeAnswer> {
    const client = this.connect(this.nodeOf(nodeId));
    try {
      const answer = readNodeAnswer(parsed(await bulk(client, [nodeCommands.stat])));
      if (answer !== undefined) return answer;
      throw new Failure('NODE_UNREACHABLE', `what ${nodeId} says of its replicas is not what a node says`);
    } finally {
      client.close();
    }
  }

  private async report(node: NodeState): Promise<WitnessReport> {
    const client = this.connect(node);
    try {
      return readWitnessReport(await bulk(client, [nodeCommands.witness]));
    } catch (error) {
      throw new Failure(
        'NODE_UNREACHABLE',
        `node ${node.nodeId} at ${node.respAddress} does not say what it holds (${messageOf(error)}): the furthest ` +
          `witness may be there. Start it, or go on without what it holds: --without ${node.nodeId}`,
        { cause: error },
      );
    } finally {
      client.close();
    }
  }

  private nodeOf(nodeId: string): NodeState {
    const node = this.world.state().node(nodeId);
    if (node === undefined) throw new Failure('NOT_FOUND', `there is no node ${nodeId}`);
    return node;
  }

  private connect({ nodeId, storeId, respAddress }: NodeState): RespClient {
    const { clock, timers, logger, network, clusterKey } = this.world;
    const address = splitAddress(respAddress);
    const hello = {
      args: nodeHello(this.world.state().clusterId ?? '', { nodeId, storeId }, clusterKey),
      check: (reply: unknown) => (reply instanceof RespError ? reply.text : undefined),
    };
    return new RespClient(address, { clock, timers, logger, hello, ...(network === undefined ? {} : { network }) });
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

async function bulk(client: RespClient, args: readonly (string | Buffer)[]): Promise<Buffer> {
  const reply = await client.request(args, witnessNodeLimits.askMs);
  if (Buffer.isBuffer(reply)) return reply;
  throw new Failure('BAD_FRAME', `${String(args[0])} was answered with no bytes`);
}
