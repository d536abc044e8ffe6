/** Something that `levee doctor` found wrong. */
export interface Finding {
  readonly rule: string;
  readonly finding: string;
  readonly command: string;
}

/** What the doctor finds, or what it finds by this rule, asked through the portal at `url`. */
export async function findingsOf(url: string, rule?: string): Promise<Finding[]> {
  const answer = await fetch(`${url}/v1/doctor`, { signal: AbortSignal.timeout(20_000) });
  const { findings } = (await answer.json()) as { findings: Finding[] };
  return findings.filter((each) => rule === undefined || each.rule === rule);
}
