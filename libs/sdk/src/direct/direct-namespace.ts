import { type NodeLinks, type ReadNamespace, type ReadRoute, type ReadTarget, StoreFailure } from '@levee/client';
import type { DirectNode, DirectRoute, DirectRoutes } from '@levee/cluster';
import { asOffset } from '@levee/kernel';
import { RouteTable, RouteTableSource } from '@levee/keyspace';

/** One creation of a namespace as its nodes are asked for it, and its routes. */
export class DirectNamespace implements ReadNamespace {
  readonly writes = { newestOf: () => asOffset(0) };
  readonly distrust = undefined;
  problem: string | undefined = 'no routes were read yet';
  gone: StoreFailure | undefined;
  private readonly routes = new RouteTableSource<ReadRoute>();
  private readonly targets = new Map<string, ReadTarget>();
  private facts: DirectRoutes;
  state: Pick<DirectRoutes, 'partitions' | 'hashAlgorithm' | 'consistency'> & { readonly maxStalenessMs: null };

  constructor(
    readonly name: string,
    facts: DirectRoutes,
    private readonly links: NodeLinks,
    /** A node goes by newer routes than are known here. */
    private readonly outdated: () => void,
  ) {
    this.facts = facts;
    // How old they may be nodes know.
    this.state = { ...facts, maxStalenessMs: null };
    this.update(facts);
  }

  get askedAs(): string {
    return this.facts.askedAs;
  }

  get log(): string {
    return this.facts.log;
  }

  get table(): RouteTable<ReadRoute> | undefined {
    return this.routes.current;
  }

  get nodes(): readonly DirectNode[] {
    return this.facts.nodes;
  }

  /** Why it is not read from nodes. */
  get notDirect(): string | undefined {
    return this.facts.notDirect ?? (this.table ? undefined : this.problem);
  }

  /** The same creation, with the same places for keys. */
  isOf({ askedAs, log, partitions, hashAlgorithm }: DirectRoutes): boolean {
    const { facts } = this;
    return (
      facts.askedAs === askedAs &&
      facts.log === log &&
      facts.partitions === partitions &&
      facts.hashAlgorithm === hashAlgorithm
    );
  }

  update(facts: DirectRoutes): void {
    this.facts = facts;
    this.state = { ...facts, maxStalenessMs: null };
    const table = RouteTable.build(
      facts.routes.map((route) => this.routeOf(route)),
      facts.version,
    );
    this.problem = 'problem' in table ? table.problem : this.routes.publish(table)?.problem;
    const named = new Set(facts.nodes.map(({ nodeId }) => nodeId));
    for (const nodeId of this.targets.keys()) if (!named.has(nodeId)) this.targets.delete(nodeId);
  }

  leave(): void {
    this.gone = new StoreFailure('LVNAMESPACE', `${this.name} was deleted, created anew or rewound`);
  }

  /** Limits of requests are those of nodes. */
  refusal(): undefined {
    return undefined;
  }

  heard(tableVersion: number): void {
    if (tableVersion > (this.table?.version ?? 0)) this.outdated();
  }

  private routeOf({ chunkId, slotStart, slotEnd, seq, nodes, upCount }: DirectRoute): ReadRoute {
    const readable = nodes.map((place) => {
      const node = this.facts.nodes[place] as DirectNode;
      return { nodeId: node.nodeId, target: this.targetOf(node) };
    });
    return { chunkId, slotStart, slotEnd, seq, readable, upCount };
  }

  private targetOf(node: DirectNode): ReadTarget {
    // Which cluster it is of is not asked: of a node and its disk there is one.
    const link = this.links.of(node, '');
    const known = this.targets.get(node.nodeId);
    if (known?.link === link) return known;
    const applied = new Float64Array(this.facts.partitions);
    const target: ReadTarget = { link, applied, open: [undefined, undefined, undefined], ahead: undefined };
    this.targets.set(node.nodeId, target);
    return target;
  }
}
