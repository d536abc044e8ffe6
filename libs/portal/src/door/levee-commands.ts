import { acks, type AckWaiter, consistencies, type StoreFailure, waitersOf } from '@levee/client';
import { viewRoutes } from '@levee/cluster';
import { asOffset, asPartition, doorCode } from '@levee/kernel';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import { namespaceProblem, refuseNamespace } from './connection-commands';
import {
  dataCommand,
  integerArg,
  keyPlaces,
  plainCommand,
  shown,
  text,
  word,
  type DataCall,
  type DoorCommand,
} from './door-command';

/** LV.USE LV.ACK LV.CONSISTENCY LV.WAIT LV.POS LV.WHERE LV.ROUTES. */
export const leveeCommands: readonly DoorCommand[] = [
  plainCommand({
    name: 'LV.USE',
    access: 'user',
    arity: -1,
    flags: ['fast'],
    summary: 'namespace [PIN]: chooses that of this connection, pinned to what it is now, or says which it has',
    choosesNamespace: ({ length }) => length > 1,
    inMulti: 'refused',
    run: ({ context, args, reply, connection }) => {
      const { context: session } = connection;
      if (args.length === 1) return session.problem ? reply.error(session.problem) : reply.text(session.namespaceName);
      const wrong = args.length > 3 || (args.length === 3 && word(args, 2) !== 'PIN');
      if (wrong)
        return refuseNamespace({ args, reply, connection }, 'ERR write LV.USE namespace, or LV.USE namespace PIN');
      const problem = namespaceProblem({ context, connection }, text(args, 1));
      if (problem) return refuseNamespace({ args, reply, connection }, problem);
      session.use(text(args, 1), args.length > 2);
      reply.ok();
    },
  }),
  plainCommand({
    name: 'LV.ACK',
    access: 'user',
    arity: -1,
    flags: ['fast'],
    summary: 'logged | primary | all | default: when writes of this connection are answered',
    run: ({ args, reply, connection }) => {
      if (args.length === 1) return reply.text(connection.context.ack ?? 'default');
      const level = word(args, 1).toLowerCase();
      const known = acks.find((ack) => ack === level);
      if (!known && level !== 'default')
        return reply.error(`ERR an ack is one of ${acks.join(', ')}, default; not '${shown(args, 1)}'`);
      connection.context.ack = known;
      reply.ok();
    },
  }),
  plainCommand({
    name: 'LV.CONSISTENCY',
    access: 'user',
    arity: -1,
    flags: ['fast'],
    summary: 'eventual | session | strong | default: what reads of this connection may return',
    run: ({ args, reply, connection }) => {
      if (args.length === 1) return reply.text(connection.context.consistency ?? 'default');
      const level = word(args, 1).toLowerCase();
      const known = consistencies.find((consistency) => consistency === level);
      if (!known && level !== 'default')
        return reply.error(`ERR a consistency is one of ${consistencies.join(', ')}, default; not '${shown(args, 1)}'`);
      connection.context.consistency = known;
      reply.ok();
    },
  }),
  plainCommand({
    name: 'LV.STOPS',
    access: 'operate',
    arity: 1,
    flags: ['fast'],
    summary: 'Partitions that stand still since their log lost what replicas hold, as JSON: writes to them are refused',
    run: ({ context, reply }) => {
      const stops = [...context.store.stops.current].flatMap(([binlog, of]) =>
        [...of.values()].map(({ partition, cutOffset, nextOffset }) => ({ binlog, partition, cutOffset, nextOffset })),
      );
      reply.text(JSON.stringify({ stops }));
    },
  }),
  dataCommand({
    name: 'LV.WAIT',
    access: 'read',
    arity: -2,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: 'position [primary|all] [ms]: until replicas have applied partition:nextOffset; reads here see it',
    inMulti: 'refused',
    run: wait,
  }),
  dataCommand({
    name: 'LV.POS',
    access: 'read',
    arity: -1,
    flags: ['fast'],
    keys: keyPlaces.noKeys,
    summary: 'Session token and positions of this connection; with a token: adds that session to it',
    run: ({ context, args, reply, session, order }) => {
      const problem = context.store.joinSession(session, args.length > 1 ? text(args, 1) : undefined);
      if (problem) return reply.error(problem.text);
      const tell = (): void => {
        const { positions } = session.toToken();
        reply.write((w) => {
          w.map(2).text('session').text(session.encode()).text('positions').array(positions.length);
          for (const { partition, nextOffset } of positions) w.text(`${partition}:${nextOffset}`);
        });
      };
      // Whoever asks for it takes it elsewhere, and must find there what was sent before.
      if (args.length > 1) tell();
      else order.afterAll(tell);
    },
  }),
  dataCommand({
    name: 'LV.WHERE',
    access: 'read',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary: 'Hash, partition, slot, chunk and replicas of a key',
    run: ({ args, reply, namespace }) => {
      const { partitions, hashAlgorithm, binlog } = namespace.state;
      const hash = hashOf(args[1] as Buffer, hashAlgorithm);
      const slot = slotOf(hash, partitions);
      const route = namespace.table?.at(slot);
      reply.write((w) => {
        w.map(8).text('namespace').text(namespace.name).text('binlog').text(binlog);
        w.text('hash').integer(hash).text('partition').integer(partitionOf(hash, partitions));
        w.text('slot')
          .integer(slot)
          .text('chunk')
          .text(route?.chunkId ?? '');
        w.text('version')
          .integer(route?.seq ?? 0)
          .text('replicas')
          .array(route?.readable.length ?? 0);
        for (const { nodeId, replicaId, role, target } of route?.readable ?? []) {
          w.map(4).text('node').text(nodeId).text('unit').text(replicaId);
          w.text('role').text(role).text('address').text(target.link.address.respAddress);
        }
      });
    },
  }),
  dataCommand({
    name: 'LV.ROUTES',
    access: 'read',
    arity: -1,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: '[version]: the routes as JSON, or notChange when they are of that version',
    run: ({ context, args, reply, namespace }) => {
      const version = args.length > 1 ? integerArg(args, 1) : undefined;
      if (args.length > 1 && version === undefined) return reply.error('ERR a version is an integer');
      const view = viewRoutes(context.state(), namespace.name, version);
      if ('change' in view) reply.write((w) => w.verbatim('txt', JSON.stringify(view)));
      else reply.error(`${doorCode(view.code)} ${view.message}`);
    },
  }),
];

/** The chunks of the position's partition are waited for one by one; the last to finish answers. */
function wait({ context, args, reply, namespace, session }: DataCall): void {
  const match = /^(\d{1,7}):(\d{1,16})$/.exec(text(args, 1));
  const { partitions } = namespace.state;
  if (!match || Number(match[1]) >= partitions || !Number.isSafeInteger(Number(match[2])))
    return reply.error(
      `LVSESSION '${text(args, 1).slice(0, 40)}' is no position: write partition:nextOffset with a partition below ${partitions}`,
    );
  const level = word(args, 2).toLowerCase() || 'all';
  const ack = acks.find((known) => known === level && known !== 'logged');
  if (!ack) return reply.error(`ERR wait for primary or all, not '${shown(args, 2)}'`);
  const deadlineMs = args.length > 3 ? integerArg(args, 3) : context.store.limits.ackMs;
  if (deadlineMs === undefined || deadlineMs < 1 || deadlineMs > waitMsMax)
    return reply.error(`ERR a deadline is 1 to ${waitMsMax} ms`);
  const partition = asPartition(Number(match[1]));
  const nextOffset = asOffset(Number(match[2]));
  const chunks = waitersOf(namespace, { partition, nextOffset, ack });
  if (chunks.length === 0) return reply.error(`LVUNAVAILABLE ${namespace.problem ?? 'there are no routes yet'}`);
  let left = chunks.length;
  let failure: StoreFailure | undefined;
  const finished = (): void => {
    if (--left > 0) return;
    if (failure) {
      const asked = { partition, nextOffset, session };
      return context.store.lost.look(namespace, asked, failure, (told) => reply.error(told.text));
    }
    session.observe(partition, nextOffset);
    reply.ok();
  };
  const failed = (why: StoreFailure): void => {
    failure = why;
    finished();
  };
  const waiters = chunks.map((chunk): AckWaiter => ({
    ...chunk,
    done: finished,
    failed,
    abandoned: () => reply.abandoned,
  }));
  const refusal = context.store.awaitApplied(namespace, waiters, deadlineMs);
  if (refusal) reply.error(refusal.text);
}

const waitMsMax = 600_000;
