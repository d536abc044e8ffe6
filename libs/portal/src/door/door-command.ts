import type { Authenticator, ClusterKey } from '@levee/auth';
import type { Ack, Consistency, KeyValue, NamespaceStore, Store, WrittenAt } from '@levee/client';
import type { ClusterState, Right } from '@levee/cluster';
import type { Clock, Random, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Session } from '@levee/keyspace';
import type { ReplySlot, RespConnection } from '@levee/wire';
import type { AccessTrail } from '../access-trail';
import type { RepeatedWrites } from '../repeated-writes';
import type { Shares } from '../shares';
import type { ScanCursors } from '../scan-cursors';
import type { CommandOrder } from './command-order';
import type { DoorSession } from './door-session';
import type { InfoSections } from './info-command';

export type DoorConnection = RespConnection<DoorSession>;

/** What commands may use. */
export interface DoorContext {
  readonly store: Store;
  readonly keyValue: KeyValue;
  readonly cursors: ScanCursors;
  readonly clock: Clock;
  readonly random: Random;
  readonly defaultNamespace: string;
  readonly state: () => ClusterState;
  /** For how long there may be decisions that `state` does not know. */
  readonly unheardMs: () => number;
  readonly connections: () => Iterable<DoorConnection>;
  readonly info: InfoSections;
  readonly settings: () => Readonly<Record<string, string>>;
  /** `undefined`: authentication is off, and everybody may do everything. */
  readonly authenticator?: Authenticator | undefined;
  /** What destroys something is written down there first. */
  readonly trail?: AccessTrail | undefined;
  /** By which processes of the cluster prove themselves. */
  readonly clusterKey?: ClusterKey | undefined;
  /** Or the common name of their certificates. */
  readonly clusterName?: string | undefined;
  /** Of which changes are told. */
  readonly log: Log;
  readonly timers: Timers;
  /** Connections that watch keys. */
  readonly watchers: Shares;
  /** Of this process: whoever repeats a write must meet the one that knows it. */
  readonly incarnation: string;
  /** Writes with a request id. */
  readonly repeated: RepeatedWrites<WrittenAt>;
}

/** A command on the data of the connection's namespace. */
export interface DataCall {
  readonly context: DoorContext;
  readonly args: readonly Buffer[];
  readonly reply: ReplySlot;
  readonly namespace: NamespaceStore;
  readonly session: Session;
  readonly order: CommandOrder;
  readonly connection: DoorConnection;
  /** As AUTH has it. */
  readonly user: string;
  readonly ack: Ack;
  readonly consistency: Consistency;
}

/** Arguments that may be very many: of those a view is made each time. */
export interface ManyArguments {
  readonly length: number;
  at(index: number): Buffer | undefined;
}

/** As {@link DataCall}, of a command that can do with that. */
export type ManyCall = Omit<DataCall, 'args'> & { readonly args: ManyArguments };

/** Any other command. */
export interface PlainCall {
  readonly context: DoorContext;
  readonly args: readonly Buffer[];
  readonly reply: ReplySlot;
  readonly connection: DoorConnection;
}

/**
 * What a command asks of who sends it: nothing, that it is known who that is, or a right; one on namespaces is meant on that
 * of the connection.
 */
export type Access = 'open' | 'user' | Right;

interface CommandShape {
  readonly name: string;
  readonly access: Access | ((args: readonly Buffer[]) => Access);
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
  (({ readonly kind: 'data' } & DataWork) | { readonly kind: 'plain'; readonly run: (call: PlainCall) => void });

interface DataWork {
  readonly run: (call: DataCall) => void;
  /** In its place when there are very many arguments; whatever else is asked about the command sees its name alone. */
  readonly runMany?: (call: ManyCall) => void;
  readonly problem?: ArgumentsProblem;
}

const oneKey = [1, 1, 1] as const;
const manyKeys = [1, -1, 1] as const;
const noKeys = [0, 0, 0] as const;

/** Which arguments are keys. */
export const keyPlaces = { oneKey, manyKeys, noKeys, pairs: [1, -1, 2] as const };

export function dataCommand(shape: CommandShape & DataWork): DoorCommand {
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
