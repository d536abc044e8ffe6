import type { ClusterState } from '@levee/cluster';
import type { HeardProcess } from './facts';
import type { Finding } from './finding';
import { doctorLimits } from './limits';
import { applied, type OpenDoor, securityFindings, type SecurityFacts, securityWeaknesses } from './security-rules';

/** What the process that looks knows of its own doors, and how it asks others. */
export interface SecurityWorld {
  readonly own: SecurityFacts['own'];
  /** What is wrong with its own certificate, in words. */
  readonly ownTroubles: () => readonly string[];
  /** As `DoctorWorld.ask`, by somebody who does not say who he is. */
  readonly askOpenly: (address: string, path: string) => Promise<unknown>;
}

export interface SecurityReport {
  readonly findings: readonly Finding[];
  readonly weak: readonly Finding[];
}

interface Door {
  readonly kind: string;
  readonly id: string;
  readonly address: string;
}

/** Paths that nobody gets who does not say who he is. */
const closedPaths: Readonly<Record<string, string>> = {
  master: '/v1/status',
  dispatcher: '/v1/explain?subject=n1',
  node: '/v1/node',
};

/** Knocks at every HTTP door, and looks at users and certificates. */
export async function examineSecurity(
  state: ClusterState,
  heard: readonly HeardProcess[],
  { own, ownTroubles, askOpenly }: SecurityWorld,
): Promise<SecurityReport> {
  const others = heard.filter(({ kind }) => kind === 'master' || kind === 'dispatcher');
  const doors: Door[] = [
    ...others,
    ...[...state.nodes()].map(({ nodeId, httpAddress }) => ({ kind: 'node', id: nodeId, address: httpAddress })),
  ];
  const openDoors: OpenDoor[] = [];
  const certificates = ownTroubles().map((problem) => ({ subject: 'this portal', problem }));
  for (let at = 0; at < doors.length; at += doctorLimits.nodesAtOnce)
    await Promise.all(
      doors.slice(at, at + doctorLimits.nodesAtOnce).map(async (door) => {
        const path = closedPaths[door.kind] as string;
        const isOpen = own.authenticates && (await askOpenly(door.address, path).then(yes, no));
        if (isOpen) openDoors.push({ ...door, path });
        const ready = await askOpenly(door.address, '/health/ready').catch(() => undefined);
        for (const problem of certificateTroubles(ready)) certificates.push({ subject: door.id, problem });
      }),
    );
  const facts: SecurityFacts = { own, users: [...state.users()], openDoors, certificates };
  const { findingsPerRuleMax } = doctorLimits;
  return {
    findings: applied(securityFindings, facts, findingsPerRuleMax),
    weak: applied(securityWeaknesses, facts, findingsPerRuleMax),
  };
}

const yes = (): boolean => true;
const no = (): boolean => false;

/** Whatever listens there may answer: it must not keep the doctor from telling the rest. */
function certificateTroubles(ready: unknown): string[] {
  const { troubles } = Object(ready) as { troubles?: unknown };
  if (!Array.isArray(troubles)) return [];
  return (troubles as unknown[]).flatMap((each) => {
    const { what, message } = Object(each) as { what?: unknown; message?: unknown };
    return what === 'certificate' && typeof message === 'string' ? [message.slice(0, troubleCharsMax)] : [];
  });
}

const troubleCharsMax = 500;
