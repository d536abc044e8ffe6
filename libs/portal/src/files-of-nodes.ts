import type { ClusterHttp } from '@levee/auth';
import { systemClock } from '@levee/log';

/** What a node says of the files of its replicas. */
export interface NodeFiles {
  /** Milliseconds since the file was looked at that waits longest for the next look; null where there are none. */
  readonly checkedMs: number | null;
  /** Damaged units whose files it keeps. */
  readonly setAside: number;
}

const limits = { askMs: 1_000, keptMs: 5_000, nodesMax: 64 } as const;

interface Asked {
  readonly atMs: number;
  readonly answer: Promise<NodeFiles | null>;
}

/** Asks nodes for their files, each at most once in some seconds, and not more than `nodesMax` of them. */
export class FilesOfNodes {
  constructor(private readonly http: ClusterHttp) {}

  private readonly asked = new Map<string, Asked>();

  /** Null when the node does not say it in time. */
  of(nodeId: string, httpAddress: string): Promise<NodeFiles | null> {
    const nowMs = systemClock.monotonicMs();
    const known = this.asked.get(nodeId);
    if (known !== undefined && nowMs - known.atMs < limits.keptMs) return known.answer;
    this.asked.delete(nodeId);
    for (const [other, { atMs }] of this.asked) if (nowMs - atMs >= limits.keptMs) this.asked.delete(other);
    if (this.asked.size >= limits.nodesMax) return Promise.resolve(null);
    const answer = ask(this.http, httpAddress).catch(() => null);
    this.asked.set(nodeId, { atMs: nowMs, answer });
    return answer;
  }
}

async function ask(http: ClusterHttp, address: string): Promise<NodeFiles> {
  const { replicas, setAside } = (await http.json(address, '/v1/node', limits.askMs)) as {
    readonly replicas: readonly { readonly checkedMs?: number | null }[];
    readonly setAside?: readonly unknown[];
  };
  const ages = replicas.flatMap(({ checkedMs }) => (typeof checkedMs === 'number' ? [checkedMs] : []));
  return { checkedMs: ages.length === 0 ? null : Math.max(...ages), setAside: setAside?.length ?? 0 };
}
