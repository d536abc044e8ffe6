/** Why a command changed nothing: a value the submitter can act upon. `message` names the value, the limit, the mend. */
export interface Rejection {
  readonly code: RejectionCode;
  readonly message: string;
}

/** Stable codes: API. */
export const rejectionCodes = {
  BAD_COMMAND: 'the payload is no JSON object with the fields of its kind',
  UNKNOWN_KIND: 'no command of that name exists in this version',
  TOO_LARGE: 'the command, or the decision it leads to, exceeds a size limit',
  INTERNAL: 'deciding failed by our mistake; the log of the master says why',
  FORBIDDEN: 'a command that only the active master may give itself',
  COMMAND_EXPIRED: 'submitted more than 24 h ago: whether it was decided before is no longer known',
  COMMAND_FROM_FUTURE: "the submitter's clock is far ahead of the master's",
  NOT_INITIALISED: 'no master has founded the cluster yet',
  ALREADY_INITIALISED: 'the cluster exists and has another id',
  BAD_NAME: 'a name breaks the rules for names',
  BAD_KNOB: 'a setting has an impossible value',
  UNKNOWN_KNOB: 'a setting of that name does not exist',
  KNOB_FIXED: 'a setting that cannot change once the namespace exists',
  NAMESPACE_EXISTS: 'a namespace of that name exists with other settings',
  NAMESPACE_UNKNOWN: 'no namespace has that name',
  NAMESPACE_NOT_READY: 'the namespace is in a state in which this is not possible',
  NAMESPACE_FROZEN: 'writes to the namespace are frozen, and not by who asks',
  BAD_QUERY: 'a query for names that can select none',
  GROUP_UNKNOWN: 'no namespace has that prefix',
  VERSION_FROM_FUTURE: 'the caller names a route version that this process has not seen',
  NODE_UNKNOWN: 'no node has that id',
  NODE_NOT_SUSPECT: 'the node is up: it cannot be given up at once',
  NODE_IN_MAINTENANCE: 'the node is away, as people announced',
  NODE_IS_LOST: 'the node was given up',
  NODE_CORDONED: 'people keep new replicas away from the node',
  NODE_TOO_OLD: 'a node could not read what would be recorded',
  STALE_INCARNATION: 'the node runs as another process than the one observed',
  STORM_BRAKE: 'too many nodes are silent at once to give any of them up',
  STORE_TAKEN: 'that disk belongs to another node',
  STORE_HAS_REPLICAS: 'the disk known under that nodeId still holds replicas',
  UNIT_UNKNOWN: 'no unit has that id',
  UNIT_TAKEN: 'a unit of that id belongs to another node',
  UNIT_IN_USE: 'the unit holds a replica',
  UNIT_NOT_FREE: 'the unit is allocated or being cleared',
  UNIT_TOO_SMALL: 'the unit is smaller than a chunk of that namespace may grow',
  STALE_GENERATION: 'the unit was taken again since the submitter looked',
  GENERATION_FROM_FUTURE: 'a disk reports a generation that this cluster never assigned',
  CHUNK_UNKNOWN: 'no chunk has that id',
  DOMAIN_TAKEN: 'another replica of the chunk is in that failure domain',
  PLAN_UNKNOWN: 'no plan has that id',
  PLAN_NOT_READY: 'the plan is in a state in which this is not possible',
  PLAN_NOT_NEEDED: 'what the plan would bring about is the case already',
  PLAN_CONFLICT: 'another plan holds that chunk, node or namespace until it is over',
  PLAN_LIMIT: 'as many plans are under way as may be',
  STALE_ATTEMPT: 'the plan is in another attempt than the submitter thinks',
  STALE_STORE: 'the disk named is not the one that holds the unit',
  STALE_EVIDENCE: 'what was compared is not what is in force: compare again',
  USER_UNKNOWN: 'no user has that name',
  USER_EXISTS: 'a user of that name exists with other fields',
  TOKEN_UNKNOWN: 'the user has no token of that id',
  USER_LIMIT: 'as many users, rights or tokens as may be',
  LAST_OPERATOR: 'nobody who may operate the cluster would be left',
  NOT_ENOUGH_DOMAINS: 'fewer failure domains with serving nodes than replicas',
  NOT_ENOUGH_UNITS: 'too few free units of sufficient size in different failure domains',
} as const;

export type RejectionCode = keyof typeof rejectionCodes;

export function reject(code: RejectionCode, message: string): Rejection {
  return { code, message };
}
