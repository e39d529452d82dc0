/** Plans: create, list, read, archive. A price never changes in place: archive the plan and create another. */
import { z } from 'zod';
import { hasPolicy } from '../../db/queries/billing/dunning-policies.ts';
import { archivePlan, createPlan, findPlan, listPlans } from '../../db/queries/billing/plans.ts';
import type { PlanRow } from '../../db/queries/billing/subscriptions.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { defaultSubscriptionPolicy, subscriptionPolicyMistakes } from '../../domain/billing/plan.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import {
  archivedFilter,
  examplePlan,
  newPlan,
  type PlanBody,
  plan,
  planCursor,
  planParams,
} from './plans.schemas.ts';
import { unusablePolicy } from './policy-mistakes.ts';

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/plans',
  operationId: 'createPlan',
  tag: 'Plans',
  scope: 'billing:write',
  summary: 'Create a plan',
  body: newPlan,
  example: {
    code: 'pro-monthly',
    name: 'Pro monthly',
    family: 'books',
    rank: 2,
    priceMinor: 2900,
    currency: 'USD',
    interval: { unit: 'month', count: 1 },
    policy: { trialDays: 14 },
  },
  responses: {
    201: {
      description: 'The new plan.',
      schema: plan,
      example: examplePlan,
      links: {
        GetPlan: { operationId: 'getPlan', parameters: { planId: '$response.body#/id' } },
        ArchivePlan: { operationId: 'archivePlan', parameters: { planId: '$response.body#/id' } },
      },
    },
  },
  problems: ['already_exists', 'policy_unusable'],
  handler: async ({ tx, caller, now, body }) => {
    const policy = { ...defaultSubscriptionPolicy, ...definedOf(body.policy ?? {}) };
    const mistakes = subscriptionPolicyMistakes(policy);
    if (!(await hasPolicy(tx, policy.dunningPolicy))) {
      mistakes.push(`dunningPolicy: there is no dunning policy ${policy.dunningPolicy}`);
    }
    if (mistakes.length > 0) throw unusablePolicy('policy', mistakes);

    const { tenantId, actor } = caller;
    const row = await createPlan(tx, { ...body, tenantId, policy });
    if (row === null) {
      throw new Problem({
        code: 'already_exists',
        detail: `There is already a plan with the code ${body.code}; a code is never used again.`,
        reason: 'plan_code_taken',
      });
    }
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'plan.created',
      entityType: 'plan',
      entityId: row.id,
      at: now,
    });
    return { status: 201, body: toPlan(row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/plans',
  operationId: 'listPlans',
  tag: 'Plans',
  scope: 'billing:read',
  summary: 'List plans, newest first',
  query: z.strictObject({ ...pageQuery(planCursor), archived: archivedFilter }),
  responses: {
    200: {
      description: 'A page of plans.',
      schema: pageOf(plan),
      links: { GetPlan: { operationId: 'getPlan', parameters: { planId: '$response.body#/data/0/id' } } },
    },
  },
  handler: async ({ tx, query: { limit, cursor, archived } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listPlans(tx, { archived: archived === 'true', cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toPlan,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/plans/{planId}',
  operationId: 'getPlan',
  tag: 'Plans',
  scope: 'billing:read',
  summary: 'Read a plan',
  params: planParams,
  responses: { 200: { description: 'The plan.', schema: plan, example: examplePlan } },
  handler: async ({ tx, params: { planId } }) => {
    const row = await findPlan(tx, { id: planId });
    if (row === null) throw notFound('plan', planId);
    return { status: 200, body: toPlan(row) };
  },
});

const archive = route({
  effect: 'write',
  method: 'post',
  path: '/v1/plans/{planId}/archive',
  operationId: 'archivePlan',
  tag: 'Plans',
  scope: 'billing:write',
  summary: 'Sell a plan no longer',
  description: 'Running subscriptions keep it.',
  params: planParams,
  body: emptyBody,
  responses: { 200: { description: 'The archived plan.', schema: plan } },
  handler: async ({ tx, caller: { tenantId, actor }, now, params: { planId } }) => {
    const row = await archivePlan(tx, { id: planId, at: now });
    if (row === null) throw notFound('plan', planId);
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'plan.archived',
      entityType: 'plan',
      entityId: planId,
      at: now,
    });
    return { status: 200, body: toPlan(row) };
  },
});

export const planRoutes: readonly Route[] = [create, list, read, archive];

function toPlan(row: PlanRow): PlanBody {
  const { id, code, name, family, rank, priceMinor, currency, interval, policy, taxCode } = row;
  return {
    id,
    code,
    name,
    family,
    rank,
    priceMinor,
    currency,
    interval,
    policy,
    taxCode,
    archivedAt: row.archivedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function definedOf<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
