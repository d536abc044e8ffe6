import { plainCommand, word } from './door-command';

/** ACL. */
export const aclCommand = plainCommand({
  name: 'ACL',
  access: 'user',
  arity: -2,
  flags: ['fast'],
  summary: 'WHOAMI: the user of this connection',
  run: ({ args, reply, connection }) => {
    if (word(args, 1) === 'WHOAMI' && args.length === 2) return reply.text(connection.context.user);
    reply.error(`LVUNSUPPORTED ACL ${word(args, 1)}: there is WHOAMI; users and their rights are kept with levee user`);
  },
});
