import { messageOf } from '@levee/kernel';

/** `undefined` when fine, else the reason in words; may be asynchronous, bounded by `checkDeadlineMs`. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>;

export interface HealthReport {
  readonly status: 'ok' | 'not ready';
  readonly checks: Readonly<Record<string, string>>;
}

export const healthLimits = { checkDeadlineMs: 2_000 } as const;

/** What has to hold before this part of the process may receive work; each check says why when it does not. */
export class HealthRegistry {
  private readonly checks = new Map<string, HealthCheck>();

  /** A name is used once; the returned function takes the check away again. */
  add(name: string, check: HealthCheck): () => void {
    this.checks.set(name, check);
    return () => void this.checks.delete(name);
  }

  async readiness(): Promise<HealthReport> {
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const ready = results.every(([, reason]) => reason === undefined);
    return {
      status: ready ? 'ok' : 'not ready',
      checks: Object.fromEntries(results.map(([name, reason]) => [name, reason ?? 'ok'])),
    };
  }
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
