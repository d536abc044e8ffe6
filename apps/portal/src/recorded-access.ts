import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AccessTrail } from '@levee/portal';
import { principalOf } from '@levee/service-kit';
import { portalRoutes } from './routes';

/** What destroys something, or lets it go, and is no decision of a master. */
const destructive: ReadonlySet<string> = new Set([
  'POST /v1/namespaces/:name/flush',
  'POST /v1/log/repair',
  'POST /v1/log/accept-loss',
]);

/** Asked again and again by whoever reads on, each time from another place: it stays one question. */
const pagedRoutes: ReadonlySet<string> = new Set(['GET /v1/log/:topic/:partition']);

/** Puts into the trail whoever asks for what the right `audit` is needed for, or destroys something, before it is done. */
export class RecordedAccess implements CanActivate {
  constructor(private readonly trail: AccessTrail) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = `${method} ${request.routeOptions.url}`;
    if (portalRoutes[route] !== 'audit' && !destructive.has(route)) return true;
    const { name } = principalOf(request);
    const asked = `${method} ${request.originalUrl}`;
    if (destructive.has(route)) await this.trail.recordAct(name, asked);
    else await this.trail.record(name, asked, pagedRoutes.has(route) ? asked.split('?')[0] : asked);
    return true;
  }
}
