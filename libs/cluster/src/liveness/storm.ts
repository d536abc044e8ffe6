/**
 * The storm brake [safety]: when much of the cluster falls silent at once, the network, the log or the observer is the
 * likelier cause, and giving nodes up would start copying everything. They stay suspect, with an alarm.
 */
export const stormRule = {
  /** More than this share of the watched nodes... */
  shareMax: 1 / 3,
  /** ...and at least so many: one node alone is never a storm, however small the cluster. */
  nodesMin: 2,
} as const;

/** `watched`: nodes whose silence would count, `silent`: those of them that are silent now. */
export function isStorm({ silent, watched }: { readonly silent: number; readonly watched: number }): boolean {
  return silent >= stormRule.nodesMin && silent > watched * stormRule.shareMax;
}
