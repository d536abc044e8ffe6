import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { HttpAppOptions } from '@levee/service-kit';
import { described } from './api-description';
import { KnownQuery } from './known-query';
import { routedUrl } from './raw-url';
import { tooLarge } from './too-large';

export const httpLimits = {
  /** Above the 1 MiB a value may have, so that a value that is a little too large is refused by name. */
  bodyBytesMax: 2 * 1024 * 1024,
} as const;

/**
 * How the portal's HTTP door differs from other ones: bodies are bytes, keys are bytes, and it describes itself.
 * `authenticates`: it asks who somebody is.
 */
export function httpDoor(authenticates: boolean): Pick<HttpAppOptions, 'bodyBytesMax' | 'fastify' | 'configure'> {
  return {
    bodyBytesMax: httpLimits.bodyBytesMax,
    fastify: { rewriteUrl: (request) => routedUrl(request.url ?? '/') },
    configure(app) {
      takeBytes(app);
      describe(app, authenticates);
      app.useGlobalGuards(new KnownQuery());
      // Who opens the door in a browser wants to know what is there.
      app
        .getHttpAdapter()
        .getInstance()
        .get('/', (_request, reply) => reply.redirect('/docs'));
    },
  };
}

function takeBytes(app: NestFastifyApplication): void {
  const { bodyBytesMax } = httpLimits;
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  app.useBodyParser('*', { bodyLimit: bodyBytesMax }, (_request, body, done) => done(null, body));
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    const bytes = Number(request.headers['content-length'] ?? 0);
    if (bytes <= bodyBytesMax) return done(null, payload);
    const text = `a body of ${bytes} bytes: values have at most 1048576 bytes, commands at most ${bodyBytesMax}`;
    done(tooLarge(text));
  });
}

/** OpenAPI at /docs (JSON at /docs-json), made when it is first asked for. */
function describe(app: NestFastifyApplication, authenticates: boolean): void {
  const config = new DocumentBuilder()
    .setTitle('Levee')
    .setDescription('A distributed key-value store whose only truth is a log. Errors are {code, message, details}.')
    .setVersion('1')
    .build();
  SwaggerModule.setup('docs', app, () => described(SwaggerModule.createDocument(app, config), authenticates));
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', ({ url }, { raw }, done) => {
    if (/^\/docs(\/|$)/.test(url)) raw.setHeader('content-security-policy', pagePolicy);
    done();
  });
}

/** The page of Swagger loads scripts and pictures of its own, has styles in its text, and asks this door alone. */
const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
