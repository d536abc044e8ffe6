import { RespError, type RespReply } from '@levee/wire';
import type { KeyPlace, NamespaceStatus } from '../api';
import { inWindows } from '../client/in-windows';
import type { How, PageHow, RawEntry, RawPage, ReadHow, RawWatch, Reach, WatchWish, WriteHow } from '../client/reach';
import { doorError } from './door-errors';
import type { BesideTurn, OperationName, OperationRequest } from './operation';
import type { PortalRequests } from './portal-requests';
import {
  type EntryReply,
  factsOf,
  isCount,
  isEntry,
  isMap,
  isPageFrom,
  isPosition,
  isText,
  type PageReply,
  type PositionReply,
  textOf,
} from './replies';

/** A namespace by way of portals. */
export class PortalReach implements Reach {
  private writes = 0;
  private readonly nameKey: Buffer;

  constructor(
    private readonly requests: PortalRequests,
    /** Of this client, among all that ever write. */
    private readonly clientId: string,
  ) {
    this.nameKey = Buffer.from(requests.namespace, 'utf8');
  }

  /** `turn`: it was asked of a node before. */
  async get(key: Buffer, how: ReadHow, turn?: BesideTurn): Promise<RawEntry | undefined> {
    const { consistency } = how;
    const args = consistency === undefined ? ['LV.GET', key] : ['LV.GET', key, consistency];
    const asked = { key, args, isAnswer: isEntry, positions: ofEntry, clock: ofNothing };
    const [value, position, expiresAtMs] = (await this.read('get', asked, how, turn)) as EntryReply;
    return value === null ? undefined : { value, position, expiresAtMs };
  }

  getMany(keys: readonly Buffer[], how: ReadHow): Promise<(RawEntry | undefined)[]> {
    return inWindows(keys, (key) => this.get(key, how));
  }

  async write(key: Buffer, value: Buffer | undefined, how: WriteHow): Promise<string> {
    const args: (string | Buffer)[] = value === undefined ? ['LV.DEL', key] : ['LV.PUT', key, value];
    const { ttlMs, expiresAtMs } = how.expiry ?? {};
    if (ttlMs !== undefined) args.push('PX', String(ttlMs));
    if (expiresAtMs !== undefined) args.push('PXAT', String(expiresAtMs));
    if (how.ack !== undefined) args.push('ACK', how.ack);
    args.push('ID', `${this.clientId}.${++this.writes}`);
    const name = value === undefined ? 'delete' : 'put';
    const { deadlineAtMs, signal } = how;
    const position = await this.requests.perform({
      name,
      key,
      isWrite: true,
      joins: false,
      args,
      isAnswer: isPosition,
      positions: ofWrite,
      deadlineAtMs,
      signal,
    });
    return position as PositionReply;
  }

  /** `turn`: nodes were asked for it before. */
  async page(from: Buffer, to: Buffer, how: PageHow, turn?: BesideTurn): Promise<RawPage> {
    const args: (string | Buffer)[] = ['LV.PAGE', from, to, String(how.count)];
    if (how.keysOnly) args.push('KEYS');
    if (how.consistency !== undefined) args.push(how.consistency);
    const asked = { key: from, args, isAnswer: isPageFrom(from), positions: ofPage, clock: besides };
    const [next, , ...facts] = (await this.read('page', asked, how, turn)) as PageReply;
    const entries = [];
    for (let i = 0; i + 3 < facts.length; i += 4) {
      const [key, position, expiresAtMs, value] = facts.slice(i, i + 4) as [Buffer, string, number, RespReply];
      const error = value instanceof RespError ? doorError(value.text, false) : undefined;
      entries.push({ key, position, expiresAtMs, value: Buffer.isBuffer(value) ? value : none, error });
    }
    return { entries, next: next ?? undefined };
  }

  async where(key: Buffer, how: How): Promise<KeyPlace> {
    const facts = factsOf(await this.read('where', { key, args: ['LV.WHERE', key], isAnswer: isMap }, how));
    const text = (name: string): string => textOf(facts.get(name));
    const told = facts.get('replicas');
    const replicas = Array.isArray(told) ? told : [];
    return {
      namespace: text('namespace'),
      binlog: text('binlog'),
      partition: Number(text('partition')),
      slot: Number(text('slot')),
      chunk: text('chunk'),
      portal: this.requests.doorOf(key)?.name,
      replicas: replicas.map((replica) => {
        const of = factsOf(replica);
        return {
          node: textOf(of.get('node')),
          unit: textOf(of.get('unit')),
          role: textOf(of.get('role')),
          address: textOf(of.get('address')),
        };
      }),
    };
  }

  async status(how: How): Promise<NamespaceStatus> {
    const keys = await this.read('status', { key: none, args: ['DBSIZE'], isAnswer: isCount }, how);
    return { name: this.requests.namespace, keys: Number(keys) };
  }

  /** How nodes are asked for the namespace, as JSON, unless it is of the version that is known. */
  async routes(known: number | undefined, deadlineAtMs: number): Promise<string> {
    const args = ['LV.DIRECT', ...(known === undefined ? [] : [String(known)])];
    return textOf(await this.read('routes', { key: this.nameKey, args, isAnswer: isText }, ofNoSession(deadlineAtMs)));
  }

  /** Learns of which log sessions are now. */
  async learnSession(deadlineAtMs: number): Promise<void> {
    const asked = { key: this.nameKey, args: ['LV.POS'], isAnswer: isMap };
    this.requests.memory.learn(await this.read('routes', asked, ofNoSession(deadlineAtMs)));
  }

  watch(wish: WatchWish): Promise<RawWatch> {
    return this.requests.watch(wish);
  }

  session(): string | undefined {
    return this.requests.memory.token();
  }

  async join(token: string, how: How): Promise<void> {
    // The portal knows whether it is of this log, and of a clock that can be right.
    await this.read('status', { key: none, args: ['LV.POS', token], isAnswer: isMap }, how);
    this.requests.memory.join(token);
  }

  private read(
    name: OperationName,
    asked: Pick<OperationRequest, 'key' | 'args' | 'isAnswer' | 'positions' | 'clock'>,
    how: How,
    turn?: BesideTurn,
  ): Promise<RespReply> {
    const joins = !('consistency' in how) || how.consistency !== 'eventual';
    const { deadlineAtMs, signal } = how;
    return this.requests.perform({ name, isWrite: false, joins, ...asked, deadlineAtMs, signal }, turn);
  }
}

const none = Buffer.alloc(0);
const ofNoSession = (deadlineAtMs: number): ReadHow => ({ deadlineAtMs, signal: undefined, consistency: 'eventual' });

type See = (position: string) => void;
const ofWrite = (reply: RespReply, see: See): void => see(reply as PositionReply);
const ofEntry = (reply: RespReply, see: See): void => see((reply as EntryReply)[1]);
const ofPage = (reply: RespReply, see: See): void => {
  const facts = reply as string[];
  for (let i = 3; i < facts.length; i += 4) see(facts[i] as string);
};
/** The times by which what an answer does not show is not there. */
const ofNothing = (reply: RespReply): number | undefined => {
  const [value, , clockMs] = reply as EntryReply;
  return value === null ? clockMs : undefined;
};
const besides = (reply: RespReply): number => (reply as PageReply)[1];
