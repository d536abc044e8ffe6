import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Failure } from '@levee/kernel';
import type { TlsIdentity } from '@levee/wire';
import { clusterHeaders, type ClusterKey } from './cluster-key';

const answerBytesMax = 16 * 1024 * 1024;

export interface ClusterHttpWorld {
  readonly clusterKey?: ClusterKey | undefined;
  /** Where this process has it, the others of its cluster have it too. */
  readonly tls?: Pick<TlsIdentity, 'calling'> | undefined;
}

/** Whoever calls so believes the same certificates, and shows none. */
export function asStranger(identity: TlsIdentity): Pick<TlsIdentity, 'calling'> {
  return {
    get calling() {
      return identity.callingAsStranger;
    },
  };
}

/** Asks HTTP doors of other processes of the cluster, and proves to them that this one is of it. */
export class ClusterHttp {
  constructor(private readonly world: ClusterHttpWorld = {}) {}

  /** What commands that are shown to people begin with. */
  get scheme(): 'http' | 'https' {
    return this.world.tls === undefined ? 'http' : 'https';
  }

  /**
   * The JSON that `GET path` at `host:port` answers. Fails with UNAVAILABLE, also where the answer is no 2xx or too
   * large; with what Node says where nobody answers.
   */
  async json(address: string, path: string, deadlineMs: number): Promise<unknown> {
    const url = `${this.scheme}://${address}${path}`;
    const response = await this.open(url, deadlineMs);
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) {
      response.destroy();
      throw new Failure('UNAVAILABLE', `${url} answers ${statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) throw new Failure('UNAVAILABLE', `${url} answers more than ${answerBytesMax} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  }

  private open(url: string, deadlineMs: number): Promise<IncomingMessage> {
    const { tls, clusterKey } = this.world;
    const send = tls === undefined ? httpRequest : httpsRequest;
    return new Promise((resolve, reject) => {
      const outgoing = send(url, {
        ...tls?.calling,
        agent: false,
        headers: { ...clusterHeaders(clusterKey) },
        signal: AbortSignal.timeout(deadlineMs),
      });
      outgoing.once('response', resolve).once('error', reject);
      outgoing.end();
    });
  }
}
