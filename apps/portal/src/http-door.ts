import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { HttpAppOptions } from '@levee/service-kit';
import { KnownQuery } from './known-query';
import { routedUrl } from './raw-url';
import { tooLarge } from './too-large';

export const httpLimits = {
  /** Above the 1 MiB a value may have, so that a value that is a little too large is refused by name. */
  bodyBytesMax: 2 * 1024 * 1024,
} as const;

/** How the portal's HTTP door differs from other ones: bodies are bytes, keys are bytes, and it describes itself. */
export const httpDoor: Pick<HttpAppOptions, 'bodyBytesMax' | 'fastify' | 'configure'> = {
  bodyBytesMax: httpLimits.bodyBytesMax,
  fastify: { rewriteUrl: (request) => routedUrl(request.url ?? '/') },
  configure(app) {
    takeBytes(app);
    describe(app);
    app.useGlobalGuards(new KnownQuery());
    // Who opens the door in a browser wants to know what is there.
    app
      .getHttpAdapter()
      .getInstance()
      .get('/', (_request, reply) => reply.redirect('/docs'));
  },
};

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
function describe(app: NestFastifyApplication): void {
  const config = new DocumentBuilder()
    .setTitle('Levee')
    .setDescription('A distributed key-value store whose only truth is a log. Errors are {code, message, details}.')
    .setVersion('1')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, config));
}
