import type { OpenAPIObject } from '@nestjs/swagger';
import { portalRoutes } from './routes';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type Responses = Operation['responses'];
type Response = NonNullable<Responses[string]>;
type Schema = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

const methods = ['get', 'put', 'post', 'patch', 'delete'] as const;

const failure = 'Failure';
const body = { 'application/json': { schema: { $ref: `#/components/schemas/${failure}` } } };
/** What any operation may answer in place of its result; 500 is a mistake of ours. */
const others: Readonly<Record<string, string>> = {
  '4XX': 'refused: code and message say why, docs/errors.md what to do',
  '500': 'INTERNAL: a mistake of this process, which its log has',
  '501': 'LVUNSUPPORTED: the namespace does not allow it, or there is no such thing here',
  '502': 'LVINDEFINITE, OUTCOME_UNKNOWN: it may have been done',
  '503': 'it was not done, and may be later',
  '504': 'DEADLINE: it may still be done',
  '507': 'LVFULL: the disks of its nodes are full',
};

/**
 * The document with what every operation has in common: how failures look, and who has to say who he is. `authenticates`:
 * this door asks.
 */
export function described(document: OpenAPIObject, authenticates: boolean): OpenAPIObject {
  const paths = Object.entries(document.paths).map(([path, item]) => [path, itemWithFailures(path, item)] as const);
  const schemas = { ...document.components?.schemas, [failure]: failureSchema };
  const components = { ...document.components, schemas, securitySchemes };
  return { ...document, paths: Object.fromEntries(paths), components, security: authenticates ? proofs : [] };
}

function itemWithFailures(path: string, item: PathItem): PathItem {
  const found: PathItem = { ...item };
  for (const method of methods) {
    const operation = item[method];
    if (operation === undefined) continue;
    const route = `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
    const open = portalRoutes[route] === 'open' ? { security: [] } : {};
    found[method] = { ...operation, ...open, responses: withFailures(path, operation.responses) };
  }
  return found;
}

function withFailures(path: string, given: Responses): Responses {
  const responses: Responses = {};
  for (const [status, response] of Object.entries(given)) if (response) responses[status] = withBody(status, response);
  // Readiness says what is missing, in a form of its own.
  if (path.startsWith('/health/')) return { ...responses, '503': { description: 'not ready: the reasons' } };
  for (const [status, description] of Object.entries(others)) responses[status] ??= { description, content: body };
  return responses;
}

function withBody(status: string, response: Response): Response {
  if (!/^[45]/.test(status) || '$ref' in response || response.content !== undefined) return response;
  return { ...response, content: body };
}

const failureSchema: Schema = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', description: 'stable: docs/errors.md lists them' },
    message: { type: 'string', description: 'for people; may change' },
    details: { type: 'object', additionalProperties: true },
  },
  additionalProperties: false,
};

const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: 'a token of a user, or of the OpenID provider' },
  password: { type: 'http', scheme: 'basic', description: 'a user, and its password or a token' },
} as const;
const proofs = [{ token: [] }, { password: [] }];
