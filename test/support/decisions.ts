/** A decision as the journal holds it. */
export interface Decision {
  readonly timestampMs: number;
  readonly seq: number;
  readonly decidedAtMs: number;
  readonly commandKind: string;
  /** Ids of the plans it changed. */
  readonly planIds: readonly string[];
}

interface JournalValue {
  readonly seq: number;
  readonly decidedAtMs: number;
  readonly command: { readonly kind: string } | null;
  readonly events: readonly { readonly record: string; readonly value: { readonly planId?: string } }[];
}

/** All of them, as the portal at `url` shows its journal. */
export async function decisionsIn(url: string, topicPrefix: string): Promise<Decision[]> {
  const answer = await fetch(`${url}/v1/log/${topicPrefix}.journal/0`, { signal: AbortSignal.timeout(20_000) });
  const lines = (await answer.text()).trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as { record: string; timestampMs: number; value: JournalValue })
    .filter(({ record }) => record === 'Decision')
    .map(({ timestampMs, value: { seq, decidedAtMs, command, events } }) => ({
      timestampMs,
      seq,
      decidedAtMs,
      commandKind: command?.kind ?? '',
      planIds: events.flatMap(({ record, value }) => (record === 'PlanState' ? [value.planId ?? ''] : [])),
    }));
}
