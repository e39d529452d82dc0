/** Dunning policies: list, read, and edit by adding a version. */
import { z } from 'zod';
import {
  addPolicyVersion,
  type DunningPolicyRow,
  findLatestPolicy,
  listLatestPolicies,
} from '../../db/queries/billing/dunning-policies.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { type DunningStep, policyMistakes } from '../../domain/billing/dunning.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  type DunningPolicyBody,
  dunningPolicy,
  dunningPolicyCursor,
  dunningPolicyParams,
  exampleDunningPolicy,
  newDunningPolicy,
} from './dunning-policies.schemas.ts';
import { unusablePolicy } from './policy-mistakes.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/dunning_policies',
  operationId: 'listDunningPolicies',
  tag: 'Dunning policies',
  scope: 'billing:read',
  summary: 'List the current version of every dunning policy, by name',
  query: z.strictObject(pageQuery(dunningPolicyCursor)),
  responses: {
    200: {
      description: 'A page of policies.',
      schema: pageOf(dunningPolicy),
      links: {
        GetDunningPolicy: {
          operationId: 'getDunningPolicy',
          parameters: { policyName: '$response.body#/data/0/name' },
        },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listLatestPolicies(tx, { cursor, limit: count }),
      cursorOf: ({ name }) => name,
      toItem: toDunningPolicy,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/dunning_policies/{policyName}',
  operationId: 'getDunningPolicy',
  tag: 'Dunning policies',
  scope: 'billing:read',
  summary: 'Read the current version of a dunning policy',
  params: dunningPolicyParams,
  responses: { 200: { description: 'The policy.', schema: dunningPolicy, example: exampleDunningPolicy } },
  handler: async ({ tx, params: { policyName } }) => {
    const row = await findLatestPolicy(tx, policyName);
    if (row === null) throw notFound('dunning policy', policyName);
    return { status: 200, body: toDunningPolicy(row) };
  },
});

const put = route({
  effect: 'write',
  method: 'put',
  path: '/v1/dunning_policies/{policyName}',
  operationId: 'putDunningPolicy',
  tag: 'Dunning policies',
  scope: 'billing:write',
  summary: 'Create a dunning policy or add a version to it',
  description: 'Cases that run keep the version they began with.',
  params: dunningPolicyParams,
  body: newDunningPolicy,
  example: {
    graceDays: exampleDunningPolicy.graceDays,
    technicalRetryMinutes: exampleDunningPolicy.technicalRetryMinutes,
    steps: exampleDunningPolicy.steps,
  },
  responses: {
    200: {
      description: 'The new version.',
      schema: dunningPolicy,
      example: exampleDunningPolicy,
      links: {
        GetDunningPolicy: {
          operationId: 'getDunningPolicy',
          parameters: { policyName: '$response.body#/name' },
        },
      },
    },
  },
  problems: ['policy_unusable'],
  handler: async ({ tx, caller: { tenantId, actor }, now, params: { policyName }, body }) => {
    const { graceDays, technicalRetryMinutes } = body;
    const steps = body.steps.map(toStep);
    const mistakes = policyMistakes({ graceDays, steps });
    if (mistakes.length > 0) throw unusablePolicy('', mistakes);

    const row = await addPolicyVersion(tx, {
      tenantId,
      name: policyName,
      graceDays,
      steps,
      technicalRetryMinutes,
    });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'dunning_policy.changed',
      entityType: 'dunning_policy',
      entityId: row.id,
      details: { name: policyName, version: row.version },
      at: now,
    });
    return { status: 200, body: toDunningPolicy(row) };
  },
});

export const dunningPolicyRoutes: readonly Route[] = [list, read, put];

function toStep({ restrict, end, ...step }: z.infer<typeof newDunningPolicy>['steps'][number]): DunningStep {
  return { ...step, ...(restrict !== undefined && { restrict }), ...(end !== undefined && { end }) };
}

function toDunningPolicy(row: DunningPolicyRow): DunningPolicyBody {
  const { name, version, graceDays, steps, technicalRetryMinutes, createdAt } = row;
  return { name, version, graceDays, steps, technicalRetryMinutes, createdAt: createdAt.toISOString() };
}
