import { attributeProblem } from '@levee/wire';
import { plainCommand, shown, text, word, type DoorConnection, type PlainCall } from './door-command';

/** CLIENT. */
export const clientCommand = plainCommand({
  name: 'CLIENT',
  access: (args) => (word(args, 1) === 'LIST' ? 'operate' : 'user'),
  arity: -2,
  flags: ['admin'],
  summary: 'Names, ids and a list of clients',
  run: client,
});

function client({ context, args, reply, connection }: PlainCall): void {
  switch (word(args, 1)) {
    case 'ID':
      return reply.integer(connection.id);
    case 'GETNAME':
      return connection.name === '' ? reply.null() : reply.text(connection.name);
    case 'SETNAME': {
      if (args.length !== 3) return reply.error("ERR wrong number of arguments for 'client|setname' command");
      const problem = attributeProblem('Client names', args[2] as Buffer);
      if (problem !== undefined) return reply.error(problem);
      connection.name = text(args, 2);
      return reply.ok();
    }
    case 'SETINFO':
      return setInfo({ args, reply, connection });
    case 'INFO':
      return writeClients({ reply }, [connection], context.clock.monotonicMs());
    case 'LIST':
      return list({ context, args, reply });
    case 'GETREDIR':
      return reply.integer(-1);
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return reply.ok();
    case 'MAINT_NOTIFICATIONS':
      return notifications({ args, reply, connection });
    default:
      return reply.error(
        `LVUNSUPPORTED CLIENT ${word(args, 1)}: there are ID, GETNAME, SETNAME, SETINFO, INFO, LIST, GETREDIR, NO-EVICT, NO-TOUCH, MAINT_NOTIFICATIONS`,
      );
  }
}

function setInfo({ args, reply, connection }: Omit<PlainCall, 'context'>): void {
  if (args.length !== 4) return reply.error("ERR wrong number of arguments for 'client|setinfo' command");
  const option = word(args, 2);
  if (option !== 'LIB-NAME' && option !== 'LIB-VER') return reply.error(`ERR Unrecognized option '${shown(args, 2)}'`);
  const problem = attributeProblem(option.toLowerCase(), args[3] as Buffer);
  if (problem !== undefined) return reply.error(problem);
  const value = text(args, 3);
  if (option === 'LIB-NAME') connection.context.libraryName = value;
  else connection.context.libraryVersion = value;
  reply.ok();
}

/**
 * Whether it is told before the door closes, by the push `MOVING` of Redis' smart client handoffs. It is given no other
 * address: a client that was told one would go there from then on, past whatever it was pointed at.
 */
function notifications({ args, reply, connection }: Omit<PlainCall, 'context'>): void {
  const wish = word(args, 2);
  const [option, endpoint] = [word(args, 3), word(args, 4)];
  const isOn = wish === 'ON' && (args.length === 3 || (args.length === 5 && option === 'MOVING-ENDPOINT-TYPE'));
  if (!isOn && !(wish === 'OFF' && args.length === 3)) return reply.error('ERR syntax error');
  if (isOn && connection.protocol !== 3) return reply.error('ERR maintenance notifications need RESP3: HELLO 3 first');
  if (isOn && endpoint !== 'NONE')
    return reply.error(
      `LVUNSUPPORTED moving-endpoint-type ${shown(args, 4)}: this door names no other address, ask for moving-endpoint-type none`,
    );
  connection.context.isToldOfEnd = isOn;
  reply.ok();
}

/** All, or those of a type, or those with these ids. */
function list({ context, args, reply }: Omit<PlainCall, 'connection'>): void {
  let chosen = [...context.connections()];
  if (args.length > 2) {
    const option = word(args, 2);
    const values = args.slice(3).map((arg) => arg.toString('latin1', 0, 32).toLowerCase());
    if (option === 'ID' && values.length > 0) {
      const ids = new Set(values);
      if (values.some((id) => !/^\d{1,16}$/.test(id))) return reply.error('ERR Invalid client ID');
      chosen = chosen.filter(({ id }) => ids.has(String(id)));
    } else if (option === 'TYPE' && values.length === 1) {
      if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(values[0] as string))
        return reply.error(`ERR Unknown client type '${shown(args, 3)}'`);
      if (values[0] !== 'normal') chosen = [];
    } else return reply.error('ERR syntax error');
  }
  writeClients({ reply }, chosen, context.clock.monotonicMs());
}

function writeClients({ reply }: Pick<PlainCall, 'reply'>, all: readonly DoorConnection[], nowMs: number): void {
  const lines = all.map((each) => `${describe(each, nowMs)}\n`).join('');
  reply.write((w) => w.verbatim('txt', lines), reply.protocol, lines.length + 64);
}

/**
 * The fields of Redis 7.4 in their order, and no others: some libraries take a line with a field that they do not know
 * for an error. `fd` is not known here; buffers are one sum.
 */
function describe(connection: DoorConnection, nowMs: number): string {
  // One that was refused a namespace has none.
  const user = connection.context.namespaceName === '' ? '' : connection.context.user;
  const { context: session, pendingBytes, bufferedInputBytes, holdBytes } = connection;
  const ageSec = Math.floor((nowMs - session.connectedAtMs) / 1000);
  const idleSec = Math.max(0, Math.floor((nowMs - connection.lastActiveMs) / 1000));
  return (
    `id=${connection.id} addr=${connection.remoteAddress} laddr=${connection.localAddress} fd=-1 ` +
    `name=${connection.name} age=${ageSec} idle=${idleSec} flags=${session.multi ? 'x' : 'N'} db=0 sub=0 psub=0 ssub=0 ` +
    `multi=${session.multi ? connection.deferredCommands : -1} watch=0 ` +
    `qbuf=${bufferedInputBytes} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=${pendingBytes} ` +
    `tot-mem=${holdBytes} events=r cmd=${session.lastCommand.toLowerCase()} user=${user} redir=-1 ` +
    `resp=${connection.protocol} lib-name=${session.libraryName} lib-ver=${session.libraryVersion}`
  );
}
