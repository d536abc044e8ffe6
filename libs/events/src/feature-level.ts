/** Levels at which records appeared that processes of a lower level cannot read: they stand still there. */
export const featureLevels = {
  /** `NodeState` v2. */
  cordonedNodes: 2,
  /** `NamespaceState` v2. */
  doorKnobs: 3,
} as const;

/** The highest level whose records this version reads, as its processes register and send it in heartbeats. */
export const featureLevel = 3;
