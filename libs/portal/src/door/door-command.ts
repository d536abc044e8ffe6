import type { Ack, Consistency, NamespaceStore, Store } from '@levee/client';
import type { ClusterState } from '@levee/cluster';
import type { Clock, Random } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import type { ReplySlot, RespConnection } from '@levee/wire';
import type { ScanCursors } from '../scan-cursors';
import type { CommandOrder } from './command-order';
import type { DoorSession } from './door-session';
import type { InfoSections } from './info-command';

export type DoorConnection = RespConnection<DoorSession>;

/** What commands may use. */
export interface DoorContext {
  readonly store: Store;
  readonly cursors: ScanCursors;
  readonly clock: Clock;
  readonly random: Random;
  readonly defaultNamespace: string;
  readonly state: () => ClusterState;
  readonly connections: () => Iterable<DoorConnection>;
  readonly info: InfoSections;
  readonly settings: () => Readonly<Record<string, string>>;
}

/** A command on the data of the connection's namespace. */
export interface DataCall {
  readonly context: DoorContext;
  readonly args: readonly Buffer[];
  readonly reply: ReplySlot;
  readonly namespace: NamespaceStore;
  readonly session: Session;
  readonly order: CommandOrder;
  /** As AUTH has it. */
  readonly user: string;
  readonly ack: Ack;
  readonly consistency: Consistency;
}

/** Any other command. */
export interface PlainCall {
  readonly context: DoorContext;
  readonly args: readonly Buffer[];
  readonly reply: ReplySlot;
  readonly connection: DoorConnection;
}

interface CommandShape {
  readonly name: string;
  /** As Redis counts: the name included; negative = at least. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** First key, last key, step; 0 0 0 = no keys. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly summary: string;
  /** When it is refused with such arguments, its connection has no namespace. */
  readonly choosesNamespace?: (args: readonly Buffer[]) => boolean;
  /** After MULTI it is carried out at once, or not allowed; else it is queued. */
  readonly inMulti?: 'acts' | 'refused';
}

/**
 * What is wrong with a command whatever its namespace holds, besides its keys; as a RESP error. The namespace is absent
 * while it is not active.
 */
export type ArgumentsProblem = (
  args: readonly Buffer[],
  context: DoorContext,
  namespace: NamespaceStore | undefined,
) => string | undefined;

export type DoorCommand = CommandShape &
  (
    | { readonly kind: 'data'; readonly run: (call: DataCall) => void; readonly problem?: ArgumentsProblem }
    | { readonly kind: 'plain'; readonly run: (call: PlainCall) => void }
  );

const oneKey = [1, 1, 1] as const;
const manyKeys = [1, -1, 1] as const;
const noKeys = [0, 0, 0] as const;

/** Which arguments are keys. */
export const keyPlaces = { oneKey, manyKeys, noKeys, pairs: [1, -1, 2] as const };

export function dataCommand(
  shape: CommandShape & { readonly run: (call: DataCall) => void; readonly problem?: ArgumentsProblem },
): DoorCommand {
  return { ...shape, kind: 'data' };
}

export function plainCommand(
  shape: Omit<CommandShape, 'keys'> & { readonly run: (call: PlainCall) => void },
): DoorCommand {
  return { ...shape, keys: noKeys, kind: 'plain' };
}

/** No word of a command, and nothing that an error quotes, is longer. */
const wordBytesMax = 128;

/** An argument as text, at most its first 128 bytes; doors compare words without regard to case. */
export function word(args: readonly Buffer[], index: number): string {
  return shown(args, index).toUpperCase();
}

/** What an error quotes of an argument. */
export function shown(args: readonly Buffer[], index: number): string {
  return args[index]?.toString('utf8', 0, wordBytesMax) ?? '';
}

export function text(args: readonly Buffer[], index: number): string {
  return args[index]?.toString('utf8') ?? '';
}

/** A decimal integer that Redis would take, else `undefined`. */
export function integerArg(args: readonly Buffer[], index: number): number | undefined {
  const digits = args[index]?.toString('latin1') ?? '';
  const n = /^-?(0|[1-9]\d{0,15})$/.test(digits) ? Number(digits) : NaN;
  return Number.isSafeInteger(n) ? n : undefined;
}
