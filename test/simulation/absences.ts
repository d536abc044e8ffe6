import type { History } from '../history/operation';

/** Time in which a process was dead or stood still. */
export interface Absence {
  readonly process: string;
  readonly fromMs: number;
  /** Infinity = it is still away. */
  untilMs: number;
}

/** A node that is back reads the control topics and catches up before it answers; a read waits no longer. */
const returningMs = 5_000;

/**
 * Operations that failed although nothing that befell says why they may: an operation may fail only if its portal went
 * away under it, or if so many data nodes were away at once that a chunk may have had no readable replica.
 */
export function failuresWithoutExcuse(history: History, absences: readonly Absence[], replicas: number): string[] {
  const faults: string[] = [];
  for (const { client, op, key, outcome, invokedAtNs, completedAtNs, reason = '' } of history) {
    if (outcome !== 'definite' && outcome !== 'indefinite') continue;
    if (portalLost.test(reason)) continue;
    const [fromMs, untilMs] = [invokedAtNs / 1e6, (completedAtNs ?? Infinity) / 1e6];
    const away = absences.filter((of) => of.fromMs <= untilMs && of.untilMs + returningMs >= fromMs);
    if (new Set(away.filter(({ process }) => process.startsWith('n')).map(({ process }) => process)).size >= replicas)
      continue;
    faults.push(`without excuse: ${client} ${op} ${key} at ${fromMs.toFixed(3)} ms is ${outcome}: ${reason}`);
  }
  return faults;
}

/** As the simulated client says it. */
const portalLost = /^p\d+ (died|does not answer|stood still)$/;
