import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { Failure } from '@levee/kernel';
import { nodeCommands } from '@levee/wire';

const keyCharsMin = 32;

/**
 * What processes of one cluster know and nobody else. It never leaves the process: for each door a proof is derived from
 * it that is worth nothing at another one.
 */
export class ClusterKey {
  private readonly key: Buffer;

  private constructor(secret: string | Buffer) {
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'levee-cluster-key', 32));
  }

  /** Of one run, for processes that are all in this one. */
  static random(): ClusterKey {
    return new ClusterKey(randomBytes(32));
  }

  /** Of the text of a key file. Fails with BAD_SETTINGS when it is too short to be a secret. */
  static parse(text: string, file: string): ClusterKey {
    const secret = text.trim();
    if (secret.length >= keyCharsMin) return new ClusterKey(secret);
    throw new Failure(
      'BAD_SETTINGS',
      `the cluster key in ${file} has ${secret.length} characters, the least is ${keyCharsMin}: write 32 random bytes there, as openssl rand -hex 32 gives them`,
    );
  }

  /** Proves that its holder is of the cluster, to the door named. */
  proofFor(door: string): string {
    return createHmac('sha256', this.key).update(door).digest('base64url');
  }

  proves(door: string, proof: string): boolean {
    const expected = Buffer.from(this.proofFor(door));
    const given = Buffer.from(proof);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

/** The scheme of `Authorization` in which processes prove themselves at HTTP doors. */
export const clusterScheme = 'Levee-Cluster';
export const httpDoorName = 'http';

/** Who processes say they are at the RESP door of a portal: no user has such a name. */
export const clusterUser = ':cluster';
export const portalDoorName = 'portal';

/** AUTH for the RESP door of a portal. */
export function portalAuth(key: ClusterKey): string[] {
  return ['AUTH', clusterUser, key.proofFor(portalDoorName)];
}

/** Headers of a request of one process to another one's HTTP door. */
export function clusterHeaders(key: ClusterKey | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { authorization: `${clusterScheme} ${key.proofFor(httpDoorName)}` };
}

interface NodeDoorName {
  readonly nodeId: string;
  readonly storeId: string;
}

/** What a proof for the RESP door of a node is made for: at another node, or another disk, it is worth nothing. */
export function nodeDoorName({ nodeId, storeId }: NodeDoorName): string {
  return `node ${nodeId} ${storeId}`;
}

/** LV.HELLO to that node, with the proof that this process is of its cluster. */
export function nodeHello(clusterId: string, node: NodeDoorName, key: ClusterKey | undefined): string[] {
  const { nodeId, storeId } = node;
  return [
    nodeCommands.hello,
    clusterId,
    nodeId,
    storeId,
    ...(key === undefined ? [] : [key.proofFor(nodeDoorName(node))]),
  ];
}
