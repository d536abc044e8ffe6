import type { Principal } from '@levee/auth';
import { defined, messageOf } from '@levee/kernel';
import { plainCommand, type PlainCall } from './door-command';

type Facts = Readonly<Record<string, string | number>>;

/** Sections of INFO in their order; told only when asked for, and of namespaces what the asker may know. */
export type InfoSections = Readonly<Record<string, (asker: Principal) => Facts>>;

/** INFO. */
export const infoCommand = plainCommand({
  name: 'INFO',
  access: 'user',
  arity: -1,
  flags: ['fast'],
  summary: '[section …]: facts about this portal, and in keyspace how many keys the namespace has',
  run: info,
});

const sectionsMax = 64;
const keyspace = 'Keyspace';

function info(call: PlainCall): void {
  const { context, args, reply, connection } = call;
  const asker = defined(connection.context.principal, 'who asks');
  if (args.length > sectionsMax) return reply.error(`LVLIMIT ${args.length - 1} sections: at most ${sectionsMax - 1}`);
  const wanted = new Set(args.slice(1).map((arg) => arg.toString('latin1', 0, 64).toLowerCase()));
  const all = wanted.size === 0 || ['all', 'default', 'everything'].some((name) => wanted.has(name));
  const isWanted = (section: string): boolean => all || wanted.has(section.toLowerCase());
  const texts = Object.entries(context.info).flatMap(([name, facts]) =>
    isWanted(name) ? [sectionText(name, facts(asker))] : [],
  );
  const answer = (): void => reply.write((w) => w.verbatim('txt', texts.join('\r\n')));
  if (!isWanted(keyspace)) return answer();
  keyspaceFacts(call).then(
    (facts) => {
      texts.push(sectionText(keyspace, facts));
      answer();
    },
    (error: unknown) => {
      texts.push(sectionText(keyspace, { levee_problem: messageOf(error) }));
      answer();
    },
  );
}

/** Of the namespace of this connection, by the name that the only database of a client has. */
async function keyspaceFacts({ context, connection }: PlainCall): Promise<Facts> {
  const { context: session } = connection;
  const place = session.current();
  if (!place || session.principal?.may('read', session.namespaceName) !== true) return {};
  const { keys, expiring } = await context.store.counts.of(place.namespace);
  // As Redis, which leaves out an empty database.
  return keys === 0 ? {} : { db0: `keys=${keys},expires=${expiring},avg_ttl=0` };
}

function sectionText(name: string, facts: Facts): string {
  const lines = Object.entries(facts).map(([fact, value]) => `${fact}:${String(value).replace(/[\r\n]+/g, ' ')}\r\n`);
  return `# ${name}\r\n${lines.join('')}`;
}
