import { unreadableText } from '@levee/client';
import { recordKind } from '@levee/chunk-store';
import type { Partition } from '@levee/kernel';
import type { LocalStatus } from '../api';
import type { NearHost, PortalSide } from '../client/near';
import type { LeveeError } from '../errors';
import type { LocalNamespace, LocalWorld } from './local-namespace';
import type { LocalSession } from './local-session';
import type { HeldRecord } from './held-partition';

export type LocalCounts = { answered: number; throughPortals: Mutable<LocalStatus['throughPortals']> };
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** Why a portal is asked. */
export type Why = keyof LocalCounts['throughPortals'];

/** What reads of a namespace here go by. */
export type LocalReadsWorld = LocalWorld & {
  readonly host: NearHost;
  readonly counts: LocalCounts;
  readonly portal: PortalSide;
  readonly namespace: LocalNamespace;
  readonly session: LocalSession;
};

/** Of a record that cannot be interpreted. */
export function failureOf(
  { kind, offset }: HeldRecord,
  partition: Partition,
  host: Pick<NearHost, 'failure'>,
): LeveeError | undefined {
  if (kind === recordKind.put) return undefined;
  const reason = reasons[kind] ?? 'garbage';
  return host.failure(unreadableText(`${partition}:${offset} ${reason}`));
}

const reasons: { readonly [kind: number]: string } = {
  [recordKind.garbage]: 'garbage',
  [recordKind.badCrc]: 'badCrc',
};
