import { isoTime } from '@levee/kernel';
import type { ChunkProofState } from '../continuous/proof-summary';
import type { DoctorReport } from '../doctor/finding';
import type { Access, Trail } from '../trail/access-trail';
import type { Verified } from '../verify/verify';

/** What came of looking at one part: what was found, or why it could not be looked at. */
export type Looked<T> =
  | { readonly found: T }
  /** It was tried. */
  | { readonly failed: string }
  /** It was not tried, for this reason. */
  | { readonly left: string };

export interface ReportParts {
  /** Journal, compacted topics, binlogs. */
  readonly verify: Looked<Omit<Verified, 'signOff'>>;
  /** Replicas against the log, as the running cluster compared them last. */
  readonly proofs: Looked<readonly ChunkProofState[]>;
  readonly doctor: Looked<DoctorReport>;
  readonly trail: Looked<Trail>;
}

interface ReportHead {
  readonly madeAt: string;
  /** Version that made it. */
  readonly software: string;
  /** Which log was read. */
  readonly log: string;
}

/** One thing that was, or was not, looked at. */
export interface Coverage {
  readonly part: string;
  readonly state: 'checked' | 'not checked' | 'could not be checked';
  readonly what: string;
}

interface ReportFinding {
  readonly part: string;
  readonly where: string;
  readonly what: string;
  /** To type next; empty where nothing is known. */
  readonly command: string;
}

/** What `levee audit report` says, and what its page shows. */
export interface AuditReport extends ReportHead {
  readonly format: 'levee audit report';
  readonly version: 1;
  readonly verdict: 'findings' | 'not everything could be checked' | 'nothing was found';
  readonly coverage: readonly Coverage[];
  readonly findings: readonly ReportFinding[];
  /** Beyond those that are told. */
  readonly untold: number;
  readonly verify: Omit<Verified, 'signOff'> | null;
  readonly proofs: readonly ChunkProofState[] | null;
  readonly doctor: DoctorReport | null;
  /** Without secrets; the newest. */
  readonly access: readonly Access[] | null;
  readonly accessLeftOut: number;
}

/** Chunks that were not compared, told one by one. */
const chunksToldMax = 50;

const foundIn = <T>(of: Looked<T>): T | null => ('found' in of ? of.found : null);

export function auditReport(head: ReportHead, parts: ReportParts): AuditReport {
  const coverage = [
    ...verifyCoverage(parts),
    ...proofCoverage(parts),
    ...doctorCoverage(parts),
    ...trailCoverage(parts),
  ];
  const findings = [
    ...verifyFindings(parts),
    ...proofFindings(parts),
    ...doctorFindings(parts),
    ...trailFindings(parts),
  ];
  const verify = foundIn(parts.verify);
  const untold = verify?.untold ?? 0;
  const isPartial = coverage.some(({ state }) => state === 'could not be checked');
  const verdict =
    findings.length + untold > 0 ? 'findings' : isPartial ? 'not everything could be checked' : 'nothing was found';
  return {
    ...{ format: 'levee audit report', version: 1, ...head, verdict, coverage, findings, untold },
    ...{ verify, proofs: foundIn(parts.proofs), doctor: foundIn(parts.doctor) },
    access: foundIn(parts.trail)?.accesses ?? null,
    accessLeftOut: foundIn(parts.trail)?.leftOut ?? 0,
  };
}

const parts = {
  verify: 'the log',
  proofs: 'replicas against the log',
  doctor: 'the cluster as it runs',
  trail: 'who asked, deleted, changed rights',
} as const;

/** What is said of a part that was not looked at; empty when it was. */
function notLooked(part: string, of: Looked<unknown>): Coverage[] {
  if ('failed' in of) return [{ part, state: 'could not be checked', what: of.failed }];
  return 'left' in of ? [{ part, state: 'not checked', what: of.left }] : [];
}

function verifyCoverage({ verify }: ReportParts): Coverage[] {
  const part = parts.verify;
  if (!('found' in verify)) return notLooked(part, verify);
  const { journal, projections, binlogs, unverified } = verify.found;
  const checked = (what: string): Coverage => ({ part, state: 'checked', what });
  return [
    checked(
      `journal, offsets ${journal.from} to ${journal.to}: ${journal.decisions} decisions up to ${journal.seq} of term ${journal.term}, ` +
        `each with its number, predecessor (SHA-256) and state digest; the last one is ${journal.digest}`,
    ),
    ...projections.map(({ topic, entities, checkpointSeq }) =>
      checked(`${topic}: ${entities} entities against the journal, complete up to decision ${checkpointSeq}`),
    ),
    ...binlogs.map(({ topic, records, to }) =>
      checked(`${topic}: ${records} records in ${to.length} partitions, each with its checksum, order, place and time`),
    ),
    ...unverified.map((what): Coverage => ({ part, state: 'not checked', what })),
  ];
}

function proofCoverage({ proofs }: ReportParts): Coverage[] {
  const part = parts.proofs;
  if (!('found' in proofs)) return notLooked(part, proofs);
  const all = proofs.found;
  const proved = all.filter(({ verdict, late }) => verdict === 'proved' && !late);
  const times = proved.map(({ provedAtMs }) => provedAtMs ?? 0);
  const oldest = times.length === 0 ? '' : `, the oldest at ${isoTime(Math.min(...times))}`;
  const left = all.filter((each) => !proved.includes(each) && !isDifference(each));
  const untold = left.length - chunksToldMax;
  return [
    {
      part,
      state: proved.length > 0 ? 'checked' : 'not checked',
      what: `${proved.length} of ${all.length} chunks were found equal in all replicas and the log${oldest}`,
    },
    ...left.slice(0, chunksToldMax).map(({ chunkId, verdict, late, message }): Coverage => ({
      part,
      state: verdict === 'notProvable' ? 'could not be checked' : 'not checked',
      what: `${chunkId}: ${verdict === null ? 'never compared yet' : late ? 'compared too long ago' : `${verdict} ${message}`}`,
    })),
    ...(untold > 0 ? [{ part, state: 'not checked' as const, what: `and ${untold} chunks more` }] : []),
  ];
}

function doctorCoverage({ doctor }: ReportParts): Coverage[] {
  const part = parts.doctor;
  if (!('found' in doctor)) return notLooked(part, doctor);
  const { looked, unknown } = doctor.found;
  return [
    { part, state: 'checked', what: `${looked.topics} topics, ${looked.nodes} nodes, ${looked.replicas} replicas` },
    ...unknown.map(({ what, why }): Coverage => ({ part, state: 'could not be checked', what: `${what}: ${why}` })),
  ];
}

function trailCoverage({ trail }: ReportParts): Coverage[] {
  const part = parts.trail;
  if (!('found' in trail)) return notLooked(part, trail);
  const { accesses, leftOut } = trail.found;
  return [
    {
      part,
      state: 'checked',
      what: `${accesses.length + leftOut} commands of the journal, the newest ${accesses.length} are listed`,
    },
    {
      part,
      state: 'not checked',
      what: 'who read Kafka’s topics themselves: Kafka’s authorizer logs that; reads of keys are not recorded',
    },
  ];
}

function verifyFindings({ verify }: ReportParts): ReportFinding[] {
  if (!('found' in verify)) return [];
  return verify.found.findings.map(({ rule, topic, partition, offset, seq, what }) => ({
    part: parts.verify,
    where: `${topic} ${partition}:${offset ?? '-'}${seq === undefined ? '' : `, decision ${seq}`}`,
    what: `${rule}: ${what}`,
    command: offset === undefined ? '' : `levee log dump ${topic} -p ${partition} --from ${offset} --limit 1`,
  }));
}

const isDifference = ({ verdict }: ChunkProofState): boolean =>
  verdict === 'replicaDiffers' || verdict === 'logDiffers' || verdict === 'undecided';

function proofFindings({ proofs }: ReportParts): ReportFinding[] {
  if (!('found' in proofs)) return [];
  return proofs.found.filter(isDifference).map(({ namespace, chunkId, verdict, message }) => ({
    ...{ part: parts.proofs, where: chunkId, what: `${verdict}: ${message}` },
    command: `levee namespace digests ${namespace}`,
  }));
}

function doctorFindings({ doctor }: ReportParts): ReportFinding[] {
  if (!('found' in doctor)) return [];
  return doctor.found.findings.map(({ rule, subject, finding, impact, command }) => ({
    ...{ part: parts.doctor, where: subject, what: `${rule}: ${finding}; ${impact}`, command },
  }));
}

function trailFindings({ trail }: ReportParts): ReportFinding[] {
  if (!('found' in trail)) return [];
  return trail.found.findings.map(({ topic, offset, what }) => ({
    ...{ part: parts.trail, where: `${topic} offset ${offset ?? '-'}`, what: `something may be missing: ${what}` },
    command: 'levee audit verify',
  }));
}
