/** By what they show, places of suites, as paths; a whole quick run has one place of each. */
export const turns: Readonly<Record<string, readonly (readonly string[])[]>>;
/** Those that a run of this seed leaves to others. */
export function leftToOthers(seed: number | string): { readonly shows: string; readonly suite: string }[];
