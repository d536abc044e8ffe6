import type { CommandKind } from '@levee/cluster';
import { type Adopted, JournalFold } from '@levee/journal';
import { messageOf } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { Findings, type LogFinding } from '../verify/finding';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';

/** What somebody did, as the journal has it. */
export interface Access {
  readonly seq: number;
  /** Offset in the journal. */
  readonly offset: number;
  /** By the clock of the master that decided, ms since 1970. */
  readonly decidedAtMs: number;
  /** By the clock of the door that it came in at, ms since 1970. */
  readonly submittedAtMs: number;
  /** As the door had proved it. */
  readonly principal: string;
  readonly kind: string;
  /** The command's own fields, as JSON. */
  readonly payload: string;
  /** Why it was refused; `undefined` = it was done. */
  readonly refused: string | undefined;
}

export interface TrailQuery {
  /** Submitted at or after that, ms since 1970. */
  readonly sinceMs?: number | undefined;
  readonly principal?: string | undefined;
  /** All commands, not only those of `trailKinds`. */
  readonly all?: boolean | undefined;
  /** So many of the newest. */
  readonly limit: number;
}

export interface Trail {
  /** In the order of decisions. */
  readonly accesses: readonly Access[];
  /** Older ones that were asked for too, left out for the limit. */
  readonly leftOut: number;
  /** What cannot be read, or does not belong to the chain: something may be missing. */
  readonly findings: readonly LogFinding[];
}

/** Who read the evidence, destroyed or stopped something, took it out of sight, or changed who may do what. */
const trailKinds: ReadonlySet<string> = new Set<CommandKind>([
  'RecordAccess',
  'DeleteNamespace',
  'FreezeNamespace',
  'ThawNamespace',
  'SwapNamespaces',
  'AcknowledgeFindings',
  'CreateUser',
  'AlterUser',
  'GrantRights',
  'RevokeRights',
  'DeleteUser',
  'CreateToken',
  'RevokeToken',
]);

/** What is in force: no record of a deposed master. Fails as `Log.tail` does, and with INTERRUPTED. */
export async function accessTrail(world: AuditWorld, query: TrailQuery): Promise<Trail> {
  const { journal: topic } = world.topics;
  const fold = new JournalFold();
  const findings = new Findings(topic);
  let found: Access[] = [];
  let leftOut = 0;
  let isBroken = false;
  const keepNewest = (kept: number): void => {
    if (found.length <= kept) return;
    leftOut += found.length - query.limit;
    found = found.slice(-query.limit);
  };
  await walkPartition(
    world,
    { topic, partition: 0 },
    {
      onBatch: ({ records, nextOffset }) => {
        for (const record of records) {
          if (isBroken) return;
          const access = accessIn(fold, record, findings);
          isBroken = access === 'broken';
          if (access !== 'broken' && access !== undefined && isAsked(access, query)) found.push(access);
        }
        // Not after each record, so that a small limit costs no copy of the list for each.
        keepNewest(2 * query.limit);
        if (!isBroken) fold.chain.passTo(nextOffset);
      },
      onHole: (hole) => findings.add('unreadable', hole.why, { offset: hole.fromOffset }),
    },
  );
  keepNewest(query.limit);
  return { accesses: found, leftOut, findings: findings.told };
}

/** `broken`: nothing behind it can be told from what is void. */
function accessIn(fold: JournalFold, record: StoredRecord, findings: Findings): Access | 'broken' | undefined {
  const { offset } = record;
  try {
    const folded = fold.apply(record);
    if (folded.kind === 'foreign') findings.add('chain', folded.why, { offset });
    return folded.kind === 'adopted' ? accessOf(folded.adopted, offset) : undefined;
  } catch (error) {
    findings.add('state', messageOf(error), { offset });
    return 'broken';
  }
}

function isAsked(
  { kind, payload, principal, submittedAtMs }: Access,
  { sinceMs = 0, principal: asked, all }: TrailQuery,
): boolean {
  if (all !== true && !trailKinds.has(kind) && !isFork(kind, payload)) return false;
  return submittedAtMs >= sinceMs && (asked === undefined || principal === asked || principal === `user ${asked}`);
}

/** A fork tells what a namespace held once. */
const isFork = (kind: string, payload: string): boolean => kind === 'CreateNamespace' && /"forkedFrom":"/.test(payload);

function accessOf({ seq, decision }: Adopted, offset: number): Access {
  const { command, decidedAtMs, rejectionCode, rejectionMessage } = decision;
  const { principal, kind, payload, submittedAtMs } = command;
  const refused = rejectionCode === null ? undefined : `${rejectionCode}: ${rejectionMessage ?? ''}`;
  return { seq, offset, decidedAtMs, submittedAtMs, principal, kind, payload, refused };
}
