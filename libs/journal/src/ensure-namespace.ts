import { messageOf, Failure, failureCode, type Logger, type NewId } from '@levee/kernel';
import { systemNewId } from '@levee/log';
import type { NamespaceState } from '@levee/events';
import type { ClusterView } from './cluster-view';
import type { SubmittedCommand } from './submit';

export interface EnsureNamespaceOptions {
  /** Fields of CreateNamespace; `name` is required, every other knob may be left to its default. */
  readonly knobs: Readonly<Record<string, unknown>> & { readonly name: string };
  /** Waits until so many nodes have registered, since placement needs them. */
  readonly nodes: number;
  readonly principal: string;
  readonly deadlineMs: number;
  readonly logger: Logger;
  readonly newId?: NewId;
}

const outcomeWaitMs = 10_000;

/**
 * Creates a namespace by a real command, once enough nodes are there, and resolves when it is active. Does nothing when
 * it exists already. Fails with DEADLINE, or with the code of a rejection that waiting does not mend.
 */
export async function ensureNamespace(
  view: ClusterView,
  submit: (command: SubmittedCommand) => Promise<string>,
  options: EnsureNamespaceOptions,
): Promise<NamespaceState> {
  const { knobs, logger, deadlineMs, newId = systemNewId } = options;
  const { name } = knobs;
  const enoughNodes = (): true | undefined =>
    exists(view, name) || view.state.counts.nodes >= options.nodes ? true : undefined;
  await view.until(enoughNodes, deadlineMs, `the registration of ${options.nodes} nodes`);
  if (!exists(view, name)) {
    const id = newId();
    const command = { id, kind: 'CreateNamespace', payload: knobs, principal: options.principal };
    const outcome = await view.outcome(await submitted(submit, command, logger), outcomeWaitMs + deadlineMs);
    if (outcome.rejectionCode !== null && !exists(view, name))
      throw new Failure(outcome.rejectionCode, outcome.rejectionMessage ?? '');
  }
  const active = (): NamespaceState | undefined => {
    const namespace = view.state.namespace(name);
    return namespace?.state === 'active' ? namespace : undefined;
  };
  return view.until(active, deadlineMs, `namespace ${name} becoming active`);
}

function exists(view: ClusterView, name: string): boolean {
  const state = view.state.namespace(name)?.state;
  return state !== undefined && state !== 'deleted';
}

/** Submits, once more under the same id when the outcome of the append is unknown. */
async function submitted(
  submit: (command: SubmittedCommand) => Promise<string>,
  command: SubmittedCommand,
  logger: Logger,
): Promise<string> {
  try {
    return await submit(command);
  } catch (error) {
    if (failureCode(error) !== 'OUTCOME_UNKNOWN') throw error;
    logger.warn({ reason: messageOf(error) }, 'submitting the command again under the same id');
    return submit(command);
  }
}
