import type { AcceptedCut } from '@levee/follow';
import { asPartition } from '@levee/kernel';
import type { WitnessFacts, WitnessReport } from '@levee/wire';
import type { NodeIdentity } from '../node-identity';
import type { ReplicaHost } from '../replica/replica-host';

/** LV.WITNESS. */
export function witnessReport(host: ReplicaHost, { nodeId, storeId }: NodeIdentity): WitnessReport {
  const witnesses: WitnessFacts[] = [];
  for (const hosted of host.all) {
    if (!hosted.cuts.any) continue;
    const { binlog, chunkId, slotStart, slotEnd, unitId, generation } = hosted.identity;
    const namespace = hosted.assignment.namespace.name;
    const place = { namespace, binlog, chunkId, slotStart, slotEnd, nodeId, storeId, unitId, generation };
    const { readable } = hosted;
    for (const { keysAtStake = null, ...cut } of hosted.cuts.all)
      witnesses.push({ ...place, readable, ...cut, keysAtStake });
  }
  for (const { identity, namespace, readable, cuts } of host.left.witnesses) {
    const { binlog, chunkId, slotStart, slotEnd, unitId, generation } = identity;
    const place = { namespace, binlog, chunkId, slotStart, slotEnd, nodeId, storeId, unitId, generation };
    for (const { keysAtStake = null, ...cut } of cuts.all)
      witnesses.push({ ...place, readable, ...cut, keysAtStake, left: true });
  }
  return { nodeId, witnesses };
}

/** LV.LETGO unitId generation (partition:cutOffset:nextOffset)...; why not, in words. */
export function letGo(host: ReplicaHost, args: readonly Buffer[]): string | undefined {
  const [unitId, generation, ...figures] = args.map((each) => each.toString('latin1'));
  if (unitId === undefined || generation === undefined || figures.length === 0)
    return 'write LV.LETGO <unitId> <generation> <partition>:<cutOffset>:<nextOffset> ...';
  const accepted: AcceptedCut[] = [];
  for (const text of figures) {
    const parts = /^(\d{1,9}):(\d{1,16}):(\d{1,16})$/.exec(text);
    if (parts === null) return `'${text.slice(0, 100)}' is not <partition>:<cutOffset>:<nextOffset>`;
    const [partition, cutOffset, nextOffset] = parts.slice(1).map(Number) as [number, number, number];
    accepted.push({ partition: asPartition(partition), cutOffset, nextOffset });
  }
  const hosted = host.in(`${unitId}@${generation}`);
  if (hosted === undefined) return host.left.letGo(`${unitId}@${generation}`, accepted);
  const problem = hosted.cuts.accept(accepted);
  if (problem === undefined) hosted.mustRebuild('people accepted the loss');
  return problem;
}
