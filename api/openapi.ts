/** The OpenAPI 3.1 document, generated from the declarations that serve: it cannot say anything else than the API does. */
import {
  OpenAPIRegistry,
  OpenApiGeneratorV31,
  type ResponseConfig,
  type RouteConfig,
} from '@asteasolutions/zod-to-openapi';
import type { UploadSpec } from './body-file.ts';
import { type ProblemCode, problemKinds } from './problem.ts';
import { needsKey, type OpenRoute, type Reasons, type ResponseSpec, type Route } from './route.ts';
import { problemSchema } from './schemas.ts';

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

export function openApiDocument({
  routes,
  openRoutes,
  publicUrl,
}: {
  routes: readonly Route[];
  openRoutes: readonly OpenRoute[];
  publicUrl: string;
}): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  const { name } = registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key: `pk_<key id>.<secret>`.',
  });
  for (const route of routes) registry.registerPath(describe(route, name));
  for (const route of openRoutes) registry.registerPath(describeOpen(route));
  const tags = new Set([...routes, ...openRoutes].map(({ tag }) => tag));
  return new OpenApiGeneratorV31(registry.definitions, { sortComponents: 'alphabetically' }).generateDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Perennial',
        version: '1.0.0',
        description: introduction,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: publicUrl }],
      tags: [...tags].map((tag) => ({ name: tag })),
    },
  );
}

const introduction = `Business processes of a small SaaS company as durable workflows.

- **Keys.** Every call under \`/v1\` carries an API key as bearer token; \`x-scope\` names the scope an operation needs. Another tenant's object is 404.
- **Repeating.** Every POST and PUT carries an \`Idempotency-Key\`. The same key with the same request gives the same answer (header \`Idempotency-Replayed: true\`), so any call may be repeated after a lost answer or a 503.
- **Problems** are \`application/problem+json\` (RFC 9457); programs branch on \`code\`.
- **Money** is a whole number of minor units and an ISO 4217 code.
- **Lists** are pages: send \`nextCursor\` as \`cursor\`.`;

function describe(route: Route, securityScheme: string): RouteConfig {
  const keyed = needsKey(route);
  const headers = keyed ? [idempotencyKey] : [];
  return {
    method: route.method,
    path: route.path,
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description !== undefined && { description: route.description }),
    security: [{ [securityScheme]: [] }],
    'x-scope': route.scope,
    'x-effect': route.effect,
    request: {
      ...(route.params !== undefined && { params: route.params as never }),
      ...(route.query !== undefined && { query: route.query as never }),
      ...(route.body !== undefined && {
        body: {
          // Where an empty object will do, no body at all will.
          required: !route.body.safeParse({}).success,
          content: {
            [route.takesFile ? 'multipart/form-data' : 'application/json']: {
              schema: route.body,
              ...(route.example !== undefined && { example: route.example }),
            },
          },
        },
      }),
      ...(route.upload !== undefined && { body: { required: true, content: filesOf(route.upload) } }),
    },
    ...(headers.length > 0 && { parameters: headers }),
    responses: { ...successes(route.responses, keyed), ...problems(codesOf(route), route.reasons) },
  };
}

function filesOf({ mediaTypes, maxBytes }: UploadSpec): NonNullable<ResponseConfig['content']> {
  const schema = { type: 'string', format: 'binary', maxLength: maxBytes } as const;
  return Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema }]));
}

function describeOpen(route: OpenRoute): RouteConfig {
  const headers = Object.entries(route.request?.headers ?? {}).map(([header, described]) => ({
    name: header,
    in: 'header' as const,
    required: true,
    schema: { type: 'string' as const },
    ...described,
  }));
  return {
    method: route.method,
    path: route.path,
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description !== undefined && { description: route.description }),
    security: [],
    request: {
      ...(route.request !== undefined && {
        body: { required: true, content: { [route.request.mediaType]: { schema: route.request.schema } } },
      }),
    },
    ...(headers.length > 0 && { parameters: headers }),
    responses: { ...successes(route.responses, false), ...problems(route.problems ?? []) },
  };
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: true,
  description: 'A value of your own (a UUID, say); the same one again when the request is repeated.',
  schema: { type: 'string' as const, pattern: '^[\\x21-\\x7e]{1,255}$', minLength: 1, maxLength: 255 },
  example: '4f1c0a52-6d0b-4c3e-9a57-0d7f5f2b8e11',
};

function successes(responses: Record<number, ResponseSpec>, keyed: boolean): RouteConfig['responses'] {
  return Object.fromEntries(
    Object.entries(responses).map(([status, spec]) => [
      status,
      {
        description: spec.description,
        content: contentOf(spec),
        ...(keyed && {
          headers: {
            'Idempotency-Replayed': {
              description: '`true` where the request was answered before and this is the stored answer.',
              schema: { type: 'string' as const, enum: ['true'] },
            },
          },
        }),
        ...('links' in spec && spec.links !== undefined && { links: spec.links }),
      },
    ]),
  );
}

function contentOf(spec: ResponseSpec): NonNullable<ResponseConfig['content']> {
  if ('mediaType' in spec) {
    return { [spec.mediaType]: { schema: { type: 'string', format: 'binary' } } };
  }
  const { schema, example, csv } = spec;
  return {
    'application/json': { schema, ...(example !== undefined && { example }) },
    ...(csv !== undefined && { 'text/csv': { schema: { type: 'string' } } }),
  };
}

/** What any operation of this form can answer, and what this one adds. */
function codesOf(route: Route): ProblemCode[] {
  return [
    'invalid_request',
    'unauthenticated',
    'api_key_expired',
    'api_key_revoked',
    'insufficient_scope',
    ...(route.params !== undefined || route.body !== undefined ? (['not_found'] as const) : []),
    ...(needsKey(route) ? (['idempotency_key_required', 'idempotency_key_reused'] as const) : []),
    ...(route.body !== undefined && !route.takesFile ? (['malformed_json'] as const) : []),
    ...(route.body !== undefined || route.upload !== undefined
      ? (['payload_too_large', 'unsupported_media_type'] as const)
      : []),
    ...(route.takesFile ? (['file_unusable', 'too_many_uploads'] as const) : []),
    ...(route.query !== undefined || route.body !== undefined ? (['value_unusable'] as const) : []),
    ...(route.effect === 'act' ? (['temporal_unavailable'] as const) : []),
    'database_unavailable',
    'internal_error',
    ...(route.problems ?? []),
  ];
}

/** One response per status; its description lists the codes it can carry, and the reasons that come with them. */
function problems(codes: readonly ProblemCode[], reasons: Reasons = {}): RouteConfig['responses'] {
  const byStatus = Map.groupBy(new Set(codes), (code) => problemKinds[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => inWords(code, reasons[code])).join(' '),
        content: {
          'application/problem+json': {
            schema: problemSchema,
            example: exampleProblem(group[0] ?? 'internal_error'),
          },
        },
        ...(status === 503 && {
          headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } } },
        }),
      },
    ]),
  );
}

function inWords(code: ProblemCode, reasons: readonly string[] = []): string {
  const { title } = problemKinds[code];
  const named = reasons.map((reason) => `\`${reason}\``).join(', ');
  return named === '' ? `\`${code}\`: ${title}.` : `\`${code}\`: ${title}; \`reason\` is one of ${named}.`;
}

function exampleProblem(code: ProblemCode) {
  const { status, title } = problemKinds[code];
  return { type: `urn:perennial:problem:${code}`, title, status, detail: `${title}.`, code };
}
