import { type Change, json, type Namespace } from '@levee/sdk';

/** Keys of this module in the namespace where positions are kept; changes of them are handled by nobody. */
export const stateKeyPrefix = 'levee.handlers/';

/** A change that its handler refused each time, as it is put aside. */
export interface PutAside {
  readonly namespace: string;
  readonly key: string;
  /** Base64 of the key's bytes. */
  readonly keyBytes: string;
  readonly position: string;
  readonly writtenAtMs: number;
  readonly error: string;
}

export function asideOf(namespace: string, change: Change<unknown>, failure: unknown): PutAside {
  return {
    namespace,
    key: change.key,
    keyBytes: change.keyBytes.toString('base64'),
    position: change.position,
    writtenAtMs: change.writtenAt.getTime(),
    error: messageOf(failure),
  };
}

/** Where `scan({ prefix })` finds it. */
export async function keepAside(state: Namespace<Buffer>, name: string, aside: PutAside): Promise<void> {
  await state.typed(json<PutAside>()).put(`${stateKeyPrefix}${name}/aside/${aside.position}`, aside);
}

/** Nest hands failures of transports on as objects that are no errors. */
export function messageOf(error: unknown): string {
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
