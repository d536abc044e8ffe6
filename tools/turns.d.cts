/** By what they show, suites of test/e2e of which a whole quick run has one. */
export const turns: Readonly<Record<string, readonly string[]>>;
/** Those that a run of this seed leaves to others. */
export function leftToOthers(seed: number | string): { readonly shows: string; readonly suite: string }[];
