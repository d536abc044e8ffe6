import { type HealthTrouble, messageOf } from '@levee/kernel';

/** `undefined` when fine, else the reason in words; may be asynchronous, bounded by `checkDeadlineMs`. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>;

export type TroubleCheck = () => readonly HealthTrouble[] | Promise<readonly HealthTrouble[]>;

export interface HealthReport {
  /** degraded: work may be sent here, and part of it fails for a reason that another process would have as well. */
  readonly status: 'ok' | 'degraded' | 'not ready';
  readonly checks: Readonly<Record<string, string>>;
  /** At most `troublesMax`; absent where there are none. */
  readonly troubles?: readonly HealthTrouble[];
  /** All of them, when they are more. */
  readonly troublesTotal?: number;
}

const healthLimits = { checkDeadlineMs: 2_000, troublesMax: 100 } as const;

/** What has to hold before this part of the process may receive work; each check says why when it does not. */
export class HealthRegistry {
  private readonly checks = new Map<string, HealthCheck>();
  private readonly troubles = new Map<string, TroubleCheck>();

  /** A name is used once; the returned function takes the check away again. */
  add(name: string, check: HealthCheck): () => void {
    this.checks.set(name, check);
    return () => void this.checks.delete(name);
  }

  /** What does not keep work away from here; a check that fails or takes too long is a trouble itself. */
  watch(name: string, check: TroubleCheck): void {
    this.troubles.set(name, check);
  }

  async readiness(): Promise<HealthReport> {
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const ready = results.every(([, reason]) => reason === undefined);
    const troubles = (await Promise.all([...this.troubles].map(([name, check]) => troublesOf(name, check)))).flat();
    const { troublesMax } = healthLimits;
    return {
      status: !ready ? 'not ready' : troubles.length > 0 ? 'degraded' : 'ok',
      checks: Object.fromEntries(results.map(([name, reason]) => [name, reason ?? 'ok'])),
      ...(troubles.length > 0 && { troubles: troubles.slice(0, troublesMax) }),
      ...(troubles.length > troublesMax && { troublesTotal: troubles.length }),
    };
  }
}

async function troublesOf(name: string, check: TroubleCheck): Promise<readonly HealthTrouble[]> {
  let found: readonly HealthTrouble[] = [];
  const problem = await outcomeOf(async () => {
    found = await check();
    return undefined;
  });
  return problem === undefined ? found : [{ what: 'unknown', message: `${name}: ${problem}` }];
}

async function outcomeOf(check: HealthCheck): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(
      () => resolve(`no answer within ${healthLimits.checkDeadlineMs} ms`),
      healthLimits.checkDeadlineMs,
    );
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
