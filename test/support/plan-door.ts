import { eventually } from './deadline';

export interface Replica {
  readonly nodeId: string;
  readonly unitId: string;
  readonly generation: number;
  readonly role: string;
}

export interface Route {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly replicas: readonly Replica[];
}

export interface Unit {
  readonly unitId: string;
  readonly state: string;
  readonly engine: string;
  readonly capacityBytes: number;
  readonly generation: number;
  readonly chunkId: string | null;
}

export interface Plan {
  readonly planId: string;
  readonly kind: string;
  readonly state: string;
  readonly step: string;
  readonly attempt: number;
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
  readonly targets: ReadonlyArray<{ readonly chunkId: string; readonly replicas: readonly Replica[] }>;
  readonly history: ReadonlyArray<{
    readonly step: string;
    readonly what: string;
    readonly atMs: number;
    readonly seq: number;
    readonly evidence: string;
  }>;
}

interface Report {
  readonly plan: Plan;
  readonly progress: ReadonlyArray<{ readonly unitId: string; readonly step: string; readonly lagRecords: number }>;
}

/** The first portal of a cluster is asked. */
interface HttpDoors {
  readonly doors: { readonly portals: ReadonlyArray<{ readonly http: string }> };
}

/** Plans, routes and units of a cluster as people see them at a portal's HTTP door. */
export class PlanDoor {
  constructor(private readonly cluster: HttpDoors) {}

  async get<T>(path: string): Promise<T> {
    return this.ask<T>(path, { method: 'GET' });
  }

  async post<T>(path: string, body: object = {}): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return this.ask<T>(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** Id of the plan. */
  async propose(payload: object): Promise<string> {
    return (await this.post<Report>('/v1/plans', payload)).plan.planId;
  }

  async order(
    planId: string,
    verb: 'approve' | 'cancel' | 'rollback' | 'retry' | 'finish',
    body: object = {},
  ): Promise<void> {
    await this.post(`/v1/plans/${planId}/${verb}`, body);
  }

  report(planId: string): Promise<Report> {
    return this.get<Report>(`/v1/plans/${planId}`);
  }

  async plan(planId: string): Promise<Plan> {
    return (await this.report(planId)).plan;
  }

  /** Fails, with all that is known of the plan, when it is in none of the states in time. */
  async becomes(planId: string, states: readonly string[], deadlineMs = 30_000): Promise<Plan> {
    let last: Plan | undefined;
    try {
      return await eventually(
        `plan ${planId} is ${states.join(' or ')}`,
        async () => {
          last = await this.plan(planId);
          return states.includes(last.state) ? last : undefined;
        },
        deadlineMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${JSON.stringify(last, undefined, 1)}`, { cause: error });
    }
  }

  /** Proposes it and sees it through. */
  async carryOut(payload: object, deadlineMs = 30_000): Promise<Plan> {
    return this.becomes(await this.propose(payload), ['done'], deadlineMs);
  }

  /** By slots. */
  async routes(namespace = 'default'): Promise<Route[]> {
    return (await this.get<{ routes: Route[] }>(`/v1/routes/${namespace}`)).routes;
  }

  async units(nodeId: string): Promise<Unit[]> {
    return (await this.get<{ units: Unit[] }>(`/v1/nodes/${nodeId}/units`)).units;
  }

  private async ask<T>(path: string, request: RequestInit): Promise<T> {
    const base = this.cluster.doors.portals[0]?.http;
    const answer = await fetch(`${base}${path}`, { signal: AbortSignal.timeout(20_000), ...request });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${request.method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
