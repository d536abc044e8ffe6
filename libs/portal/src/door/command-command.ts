import type { ReplyWriter } from '@levee/wire';
import { compatibleRedisVersion } from './connection-commands';
import { plainCommand, word, type DoorCommand, type PlainCall } from './door-command';

type Commands = ReadonlyMap<string, DoorCommand>;

/** COMMAND, about these and itself. */
export function commandCommand(all: () => Commands): DoorCommand {
  return plainCommand({
    name: 'COMMAND',
    access: 'user',
    arity: -1,
    flags: ['fast'],
    summary: 'COUNT | LIST | DOCS | INFO: the commands of this door',
    run: (call) => describeCommands(call, all()),
  });
}

function describeCommands({ args, reply }: PlainCall, all: Commands): void {
  const named = args.slice(2).map((_, i) => all.get(word(args, i + 2)));
  switch (word(args, 1)) {
    case 'COUNT':
      return reply.integer(all.size);
    case 'LIST':
      return reply.write((w) => {
        w.array(all.size);
        for (const name of all.keys()) w.text(name.toLowerCase());
      });
    case 'DOCS': {
      const chosen = named.length > 0 ? named.filter((each) => each !== undefined) : [...all.values()];
      return reply.write((w) => {
        w.map(chosen.length);
        for (const each of chosen) writeDocs(w, each);
      });
    }
    case '':
    case 'INFO':
      return reply.write((w) => {
        const chosen = named.length > 0 ? named : [...all.values()];
        w.array(chosen.length);
        for (const each of chosen)
          if (each) writeInfo(w, each);
          else w.nullArray();
      });
    default:
      return reply.error('LVUNSUPPORTED COMMAND: there are COUNT, LIST, DOCS, INFO');
  }
}

function writeDocs(w: ReplyWriter, { name, summary, kind }: DoorCommand): void {
  w.text(name.toLowerCase()).map(3).text('summary').text(summary).text('since').text(compatibleRedisVersion);
  w.text('group').text(kind === 'data' ? 'string' : 'connection');
}

/** The ten elements of Redis 7; there are no tips, key specifications and subcommands. */
function writeInfo(w: ReplyWriter, command: DoorCommand): void {
  const { name, arity, flags, keys } = command;
  w.array(10).text(name.toLowerCase()).integer(arity).set(flags.length);
  for (const flag of flags) w.simple(flag);
  for (const place of keys) w.integer(place);
  const categories = categoriesOf(command);
  w.set(categories.length);
  for (const category of categories) w.simple(category);
  w.array(0).array(0).array(0);
}

/** As Redis derives those of its ACL from flags. */
function categoriesOf({ flags, kind }: DoorCommand): string[] {
  const speed = flags.includes('fast') ? '@fast' : '@slow';
  const doing = flags.includes('write') ? ['@write'] : flags.includes('readonly') ? ['@read'] : [];
  const about = flags.includes('admin') ? ['@admin', '@dangerous'] : kind === 'data' ? ['@string'] : ['@connection'];
  return [...doing, ...about, speed];
}
