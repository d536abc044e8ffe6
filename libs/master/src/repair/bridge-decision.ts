import { entityKey, type ClusterEvent } from '@levee/cluster';
import { encode } from '@levee/codec';
import type { Decision } from '@levee/events';
import { bridgeKind, decisionLink, encodeEvent, repairPrincipal } from '@levee/journal';
import { Failure } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import { decisionLimits } from '../decision-batch';
import { lossEvents } from './loss-events';
import type { Bridge } from './plan-bridge';
import type { RepairWorld } from './repair-journal';

/** The one decision that says everything anew; `decisions` and digest as the repair of a journal's end has them. */
export function bridgeOf(
  { state, table, seq, term, previousSha256, commandsOffset, lost }: Bridge,
  of: { readonly clusterId: string; readonly world: RepairWorld },
): { decisions: LogRecord[]; digest: string } {
  const { clusterId, world } = of;
  const said = new Map<string, Buffer>();
  for (const event of state.events()) {
    const key = entityKey(event);
    said.set(key, table.get(key) ?? encodeEvent(event));
  }
  const stamp = { seq, term };
  const loss: ClusterEvent[] = lost === 0 ? [] : lossEvents(state, { clusterId, lost, stamp });
  for (const event of loss) said.set(entityKey(event), encodeEvent(event));
  const after = table.draft();
  for (const [key, bytes] of said) after.set(key, bytes);
  const events = [...said.values()];
  const size = events.reduce((sum, { length }) => sum + length, 0);
  if (size > decisionLimits.decisionBytesMax)
    throw new Failure(
      'TOO_LARGE',
      `the state of the cluster takes ${size} bytes, one decision may have ${decisionLimits.decisionBytesMax}: put back a ` +
        "copy of the log's folder",
    );
  const nowMs = world.clock.nowMs();
  const decision: Decision = {
    ...{ seq, term, decidedAtMs: nowMs, rejectionCode: null, rejectionMessage: null, events },
    command: {
      ...{ id: world.newId(), kind: bridgeKind, principal: repairPrincipal, submittedAtMs: nowMs },
      payload: JSON.stringify({ lost }),
    },
    commandOffset: commandsOffset,
    ...{ stateDigest: after.digest, previousSha256 },
  };
  return {
    decisions: [{ key: null, value: encode('Decision', decision), headers: [decisionLink(decision)] }],
    digest: after.digest,
  };
}
