import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Failure } from '@levee/kernel';
import type { FastifyRequest } from 'fastify';

/** Where `@ApiQuery` notes the parameters of a method. */
const noted = 'swagger/apiParameters';

/** Refuses a query parameter that the method does not describe: a misspelt one would be taken for none. */
export class KnownQuery implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { originalUrl } = context.switchToHttp().getRequest<FastifyRequest>();
    const at = originalUrl.indexOf('?');
    if (at < 0 || !originalUrl.startsWith('/v1/')) return true;
    const all = (Reflect.getMetadata(noted, context.getHandler()) ?? []) as readonly { in: string; name: string }[];
    const known = all.filter(({ in: where }) => where === 'query').map(({ name }) => name);
    for (const pair of originalUrl.slice(at + 1).split('&')) {
      const name = pair.split('=')[0] ?? '';
      if (name === '' || known.includes(name)) continue;
      const there = known.length === 0 ? 'it takes none' : `there are ${known.join(', ')}`;
      throw new Failure('BAD_REQUEST', `there is no query parameter '${name.slice(0, 80)}' here: ${there}`);
    }
    return true;
  }
}
