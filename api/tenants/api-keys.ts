/** API keys: create (the token is shown this one time), list, revoke. A key never gives away more than it has. */
import { z } from 'zod';
import {
  type ApiKeyRow,
  createApiKey,
  listApiKeys,
  revokeApiKey,
} from '../../db/queries/tenants/api-keys.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { emptyBody, id, idPattern, instant, instantInput, text } from '../schemas.ts';
import { scopes } from '../scopes.ts';

const scope = z.enum(scopes).meta({ id: 'Scope' });

const apiKeyFields = {
  id: id('key', 'API key'),
  name: z.string(),
  scopes: z.array(z.string()),
  expiresAt: instant.nullable(),
  revokedAt: instant.nullable(),
  createdAt: instant,
};

const apiKey = z.object(apiKeyFields).meta({ id: 'ApiKey' });

const createdApiKey = z
  .object({
    ...apiKeyFields,
    token: z.string().nullable().meta({
      description:
        'What to send as bearer token. Shown this one time; null in the answer to a repeated request.',
    }),
  })
  .meta({ id: 'CreatedApiKey' });

const newApiKey = z
  .strictObject({
    name: text(100).meta({ example: 'Billing service' }),
    scopes: z
      .array(scope)
      .min(1)
      .max(scopes.length)
      .meta({ example: ['billing:read', 'billing:write'] }),
    expiresAt: instantInput
      .optional()
      .meta({ description: 'In the future; without it the key stays.', example: '2036-01-01T00:00:00Z' }),
  })
  .meta({ id: 'NewApiKey' });

const exampleKey = {
  id: 'key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  name: 'Billing service',
  scopes: ['billing:read', 'billing:write'],
  expiresAt: null,
  revokedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/api_keys',
  operationId: 'createApiKey',
  tag: 'API keys',
  scope: 'tenants:write',
  summary: 'Create an API key',
  description: 'It may have the scopes of the key that creates it, or fewer.',
  body: newApiKey,
  example: { name: 'Billing service', scopes: ['billing:read', 'billing:write'] },
  responses: {
    201: {
      description: 'The key with its token.',
      schema: createdApiKey,
      example: { ...exampleKey, token: 'pk_key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b.<secret>' },
      links: { Revoke: { operationId: 'revokeApiKey', parameters: { apiKeyId: '$response.body#/id' } } },
    },
  },
  problems: ['date_out_of_range'],
  handler: async ({ tx, caller, now, body }) => {
    const missing = body.scopes.filter((each) => !caller.scopes.includes(each));
    if (missing.length > 0) {
      throw new Problem({
        code: 'insufficient_scope',
        detail: `A key cannot give what it does not have: ${missing.join(', ')}.`,
      });
    }
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    if (expiresAt !== null && expiresAt.getTime() <= Date.now()) {
      throw new Problem({
        code: 'date_out_of_range',
        detail: 'expiresAt is in the past.',
        errors: [{ path: 'body.expiresAt', message: 'must be in the future' }],
      });
    }
    const { tenantId, actor } = caller;
    const unique = [...new Set(body.scopes)];
    const { apiKey: row, token } = await createApiKey(tx, {
      tenantId,
      name: body.name,
      scopes: unique,
      expiresAt,
    });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'api_key.created',
      entityType: 'api_key',
      entityId: row.id,
      details: { scopes: unique },
      at: now,
    });
    return { status: 201, body: { ...toApiKey(row), token } };
  },
  replay: {
    keep: (body: z.infer<typeof createdApiKey>) => ({ ...body, token: null }),
    restore: async (_context, kept: unknown) => kept,
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/api_keys',
  operationId: 'listApiKeys',
  tag: 'API keys',
  scope: 'tenants:read',
  summary: 'List API keys, oldest first',
  query: z.strictObject(pageQuery(idPattern('key'))),
  responses: { 200: { description: 'A page of keys, without their tokens.', schema: pageOf(apiKey) } },
  handler: async ({ tx, query: { limit, cursor } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listApiKeys(tx, { cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toApiKey,
    }),
  }),
});

const revoke = route({
  effect: 'write',
  method: 'post',
  path: '/v1/api_keys/{apiKeyId}/revoke',
  operationId: 'revokeApiKey',
  tag: 'API keys',
  scope: 'tenants:write',
  summary: 'Revoke an API key, at once and for good',
  params: z.strictObject({ apiKeyId: id('key', 'API key') }),
  body: emptyBody,
  responses: {
    200: {
      description: 'The revoked key.',
      schema: apiKey,
      example: { ...exampleKey, revokedAt: exampleKey.createdAt },
    },
  },
  handler: async ({ tx, caller: { tenantId, actor }, now, params: { apiKeyId } }) => {
    const row = await revokeApiKey(tx, { id: apiKeyId, at: now });
    if (row === null) throw notFound('API key', apiKeyId);
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'api_key.revoked',
      entityType: 'api_key',
      entityId: apiKeyId,
      at: now,
    });
    return { status: 200, body: toApiKey(row) };
  },
});

export const apiKeyRoutes: readonly Route[] = [create, list, revoke];

function toApiKey(row: ApiKeyRow): z.infer<typeof apiKey> {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
