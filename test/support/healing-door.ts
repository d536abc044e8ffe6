import { eventually } from './deadline';
import { PlanDoor, type Plan, type Route } from './plan-door';

/** A plan that the cluster proposed by itself, and why. */
export interface Healed extends Plan {
  readonly trigger: string;
  readonly approved: boolean;
  readonly proposedBy: string;
  readonly policyVersion: number;
  readonly namespace: string | null;
  readonly evidence: string;
  readonly toNodeId: string | null;
}

/** What a cluster that heals by itself has done, as people see it at a portal's HTTP door. */
export class HealingDoor extends PlanDoor {
  async healed(trigger: string, namespace?: string): Promise<Healed[]> {
    return (await this.get<{ plans: Healed[] }>('/v1/plans?state=all')).plans.filter(
      (plan) => plan.trigger === trigger && (namespace === undefined || plan.namespace === namespace),
    );
  }

  async replicasOn(nodeId: string): Promise<number> {
    return (await this.units(nodeId)).filter(({ state }) => state === 'allocated').length;
  }

  async digestsAgree(namespace: string): Promise<void> {
    // A replica that a plan is just taking away does not answer.
    const report = await eventually(
      'replicas can be compared',
      () => this.post(`/v1/namespaces/${namespace}/digests`),
      60_000,
      500,
    );
    expect(report).toMatchObject({ equal: true });
  }

  /** A new namespace that serves. */
  async serves(url: string, knobs: { readonly name: string } & Readonly<Record<string, unknown>>): Promise<void> {
    await this.post('/v1/commands', { kind: 'CreateNamespace', payload: knobs });
    const puts = (): Promise<boolean> =>
      putAt(url, knobs.name, 'first', 'x').then(
        (status) => status === 204,
        () => false,
      );
    await eventually('it serves', puts, 30_000);
  }
}

export const livingOn = ({ replicas }: Route): string[] =>
  replicas.filter(({ role }) => role === 'primary' || role === 'follower').map(({ nodeId }) => nodeId);

/** Resolves with the status; `url`: of a portal's HTTP door. */
export async function putAt(
  url: string,
  namespace: string,
  key: string,
  value: Uint8Array<ArrayBuffer> | string,
): Promise<number> {
  const signal = AbortSignal.timeout(20_000);
  const answer = await fetch(`${url}/v1/kv/${namespace}/${key}`, { method: 'PUT', body: value, signal });
  await answer.arrayBuffer();
  return answer.status;
}
