import type { PlanMoment } from '@levee/events';
import { planLimits } from '../plan-limits';

/** What is kept of a list, and of a text, where the whole would be too long. */
const kept = { entries: 8, characters: 400 } as const;

/** JSON text of at most `shownLengthMax` characters: what is long is cut, and says so. The decision has all of it. */
export function shortenedEvidence(evidence: object): string {
  const whole = JSON.stringify(evidence);
  if (whole.length <= planLimits.shownLengthMax) return whole;
  const cut = JSON.stringify(evidence, (_name, value: unknown) => shortened(value));
  return cut.length <= planLimits.shownLengthMax ? cut : JSON.stringify({ characters: whole.length });
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string' && value.length > kept.characters) return `${value.slice(0, kept.characters)}…`;
  if (!Array.isArray(value) || value.length <= kept.entries) return value;
  return [...(value as unknown[]).slice(0, kept.entries), `and ${value.length - kept.entries} more`];
}

/** The same of evidence that came as JSON text; text that is no object is kept when it is short. */
export function shortenedText(text: string): string {
  if (text.length <= planLimits.shownLengthMax) return text;
  try {
    return shortenedEvidence(JSON.parse(text) as object);
  } catch {
    return JSON.stringify({ characters: text.length });
  }
}

/** The newest moments, as many as may be; the evidence of the oldest is left to their decisions when all is too long. */
export function boundedHistory(history: readonly PlanMoment[]): PlanMoment[] {
  let room: number = planLimits.historyLengthMax;
  return history
    .slice(-planLimits.historyMax)
    .reverse()
    .map((moment) => {
      room -= moment.evidence.length;
      return room >= 0 ? moment : { ...moment, evidence: '' };
    })
    .reverse();
}
