/** Levels at which records appeared that processes of a lower level cannot read: they stand still there. */
export const featureLevels = {
  /** `NodeState` v2. */
  cordonedNodes: 2,
  /** `NamespaceState` v2. */
  doorKnobs: 3,
  /** `UserState`. */
  users: 4,
  /** `NamespaceState` v3: nothing was released between. */
  recordFormats: 4,
  /** `NamespaceState` v4 and `DigestOrder`: a namespace may be bound to a topic that others made, and is never written to. */
  boundNamespaces: 5,
  /** `NamespaceState` v5: its writes may be frozen, and portals say that they obey. */
  frozenNamespaces: 6,
  /** `NamespaceState` v6, a namespace may be a copy of another one's past: nothing was released between. */
  forkedNamespaces: 6,
  /** `NamespaceState` v7, two namespaces may change places: nothing was released between. */
  swappedNamespaces: 6,
  /** `NamespaceState` v8, its bad records may be acknowledged: nothing was released between. */
  acknowledgedFindings: 6,
  /** `NamespaceState` v9, values of a bound topic may expire with its retention: nothing was released between. */
  retention: 6,
} as const;

/** The highest level whose records this version reads, as its processes register and send it in heartbeats. */
export const featureLevel = 6;
