import type { NodeState } from '@levee/events';
import {
  encodeRangeReply,
  entryErrorText,
  parseRangeCommand,
  parseReadCommand,
  type ReadEntries,
  ReadReplyWriter,
  RespServer,
  type EntryErrorCode,
  type ReplySlot,
  type RespService,
  type WitnessFacts,
} from '@levee/wire';

/** What a fake node answers to every key, its pages are empty; `silent` never answers. */
export type Behaviour =
  | { readonly value: string; readonly applied?: number; readonly expiresAtMs?: number }
  | { readonly error: EntryErrorCode; readonly detail: string }
  | 'nil'
  | 'the key'
  | 'silent'
  | 'again once'
  | 'again always'
  | 'garbage'
  | 'wrong count'
  | 'not ready'
  | 'wrong node';

/** A data node as far as a reader sees it. */
export class FakeNode implements RespService<undefined> {
  reads = 0;
  /** Keys of the request that asked for most. */
  mostKeys = 0;
  private readonly server = new RespServer<undefined>(this);
  port = 0;
  state: NodeState['state'] = 'up';
  /** What it answers to LV.WITNESS. */
  witnesses: readonly WitnessFacts[] = [];

  constructor(
    readonly nodeId: string,
    public behaviour: Behaviour,
    /** Every answer comes so late. */
    public delayMs = 0,
  ) {}

  async start(): Promise<this> {
    this.port = await this.server.listen(0);
    return this;
  }

  close(): Promise<void> {
    return this.server.close(0);
  }

  open(): undefined {
    return undefined;
  }

  command(_connection: unknown, args: readonly Buffer[], reply: ReplySlot): void {
    if (String(args[0]) === 'LV.HELLO') {
      const nodeId = this.behaviour === 'wrong node' ? 'somebody' : this.nodeId;
      return reply.text(JSON.stringify({ clusterId: 'c', nodeId, storeId: `s-${this.nodeId}`, incarnation: 'i' }));
    }
    if (String(args[0]) === 'LV.WITNESS')
      return reply.text(JSON.stringify({ nodeId: this.nodeId, witnesses: this.witnesses }));
    this.reads++;
    if (this.behaviour === 'silent') return;
    if (this.behaviour === 'not ready') return reply.error('LVNOTREADY starting');
    if (this.behaviour === 'garbage') return reply.bulk(Buffer.from('garbage'));
    const send = (bytes: () => Buffer): void => {
      if (this.delayMs === 0) reply.bulk(bytes());
      else setTimeout(() => reply.bulk(bytes()), this.delayMs);
    };
    if (String(args[0]) === 'LV.RANGE') {
      const { seal } = parseRangeCommand(args);
      const empty = { ageMs: 0, tableVersion: 1, items: [], positions: [], nextKey: undefined };
      return send(() => encodeRangeReply(empty, seal));
    }
    const { entries, seal, nowMs } = parseReadCommand(args);
    this.mostKeys = Math.max(this.mostKeys, entries.count);
    const writer = new ReadReplyWriter(seal);
    while (entries.next()) this.answer(writer, entries, nowMs);
    if (this.behaviour === 'wrong count') writer.nil(0);
    send(() => writer.finish(0, 1, [{ partition: 0, nextOffset: 1 }]));
  }

  private answer(writer: ReadReplyWriter, entries: ReadEntries, nowMs: number): void {
    const { behaviour } = this;
    if (behaviour === 'the key') writer.value(1, null, entries.key());
    else if (behaviour === 'again always' || (behaviour === 'again once' && this.reads === 1)) writer.again();
    else if (behaviour === 'again once') writer.value(1, null, Buffer.from('at last'));
    else if (typeof behaviour !== 'object') writer.nil(7);
    else if ('error' in behaviour) writer.error(entryErrorText(behaviour.error, behaviour.detail));
    else if (entries.minOffset > (behaviour.applied ?? Infinity))
      writer.error(entryErrorText('LVBEHIND', `0:${behaviour.applied}`));
    else if (nowMs >= (behaviour.expiresAtMs ?? Infinity)) writer.nil(1);
    else writer.value(1, behaviour.expiresAtMs ?? null, Buffer.from(behaviour.value));
  }
}
