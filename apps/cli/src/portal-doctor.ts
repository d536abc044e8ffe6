import type { DoctorReport, Looked } from '@levee/audit';
import type { PortalClient } from './portal-client';

/**
 * What the doctor of the portal says, if the portal is of the cluster whose journal was read: a portal is found by
 * itself, in this folder or by an old setting, and may be one of another cluster. Fails as {@link PortalClient} does.
 */
export async function portalDoctor(
  portal: Pick<PortalClient, 'json' | 'origin'>,
  clusterId: string | undefined,
): Promise<Looked<DoctorReport>> {
  const its = clusterIdIn(await portal.json({ path: '/v1/status' }));
  if (clusterId === undefined)
    return {
      failed: `the journal that was read names no cluster, so whether the portal at ${portal.origin} is of it is not known`,
    };
  if (its !== clusterId)
    return {
      failed:
        `the portal at ${portal.origin} is of another cluster: ${its ?? 'it does not say which'}, and the journal that was ` +
        `read is of ${clusterId}; name a portal of that one by --url`,
    };
  const report = await portal.json({ path: '/v1/doctor' });
  if (isDoctorReport(report)) return { found: report };
  return {
    failed: `what the portal at ${portal.origin} answers to GET /v1/doctor is no report that this version reads`,
  };
}

function clusterIdIn(status: unknown): string | undefined {
  const { clusterId } = fieldsOf(status);
  return typeof clusterId === 'string' && clusterId !== '' ? clusterId : undefined;
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const isListOf = (value: unknown, names: readonly string[]): boolean =>
  Array.isArray(value) && value.every((each) => names.every((name) => typeof fieldsOf(each)[name] === 'string'));

const ofFinding = ['rule', 'subject', 'finding', 'impact', 'command'];

function isDoctorReport(value: unknown): value is DoctorReport {
  const { findings, unknown, weak, acknowledged, looked } = fieldsOf(value);
  const { topics, nodes, replicas } = fieldsOf(looked);
  return (
    isListOf(findings, ofFinding) &&
    isListOf(unknown, ['what', 'why', 'command']) &&
    (weak === undefined || isListOf(weak, ofFinding)) &&
    (acknowledged === undefined || isListOf(acknowledged, ['namespace', 'reason', 'by', 'at', 'why'])) &&
    [topics, nodes, replicas].every((count) => typeof count === 'number')
  );
}
