/** From when on the doctor speaks. */
export const doctorLimits = {
  /** A replica that last stood at the end longer ago than this is behind. */
  behindAgeMs: 10_000,
  behindRecords: 10_000,
  /** From then on somebody may have forgotten a freeze. */
  frozenMs: 10 * 60_000,
  /** Portals confirm a freeze within a second or two. */
  unconfirmedMs: 60_000,
  /** A topic is deleted in less; a look that hears heartbeats lasts longer. */
  deletingMs: 2_000,
  /** The journal's end is seen a few times a second. */
  unheardMs: 30_000,
  /** Files of a replica are looked at about once an hour. */
  checkedMsMax: 3 * 3_600_000,
  /** Free share of a disk below which it is nearly full. */
  diskFreeShare: 0.1,
  /** How long heartbeats are listened to: eight of them. */
  listenMs: 2_400,
  /** One question to the log, or to a process. */
  askMs: 6_000,
  /** Records looked at, of each namespace that was rewound. */
  writtenLaterMax: 100_000,
  quarantineWindowMs: 24 * 3_600_000,
  /** Newest copies in quarantine that are looked at. */
  quarantineRecordsMax: 10_000,
  /** Nodes asked at the same time. */
  nodesAtOnce: 32,
  /** Of one rule about replicas of one node; more of them are one, which says how many. */
  likeFindingsMax: 3,
  /** Partitions of one namespace and node that one finding names; the others are counted. */
  lostPartitionsNamed: 32,
  /** Of one rule; the last one says how many more there are. */
  findingsPerRuleMax: 50,
} as const;
