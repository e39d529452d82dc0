/** Coupons: create, list, read, archive. Their terms never change: archive one and create another. */
import { z } from 'zod';
import {
  archiveCoupon,
  type CouponRow,
  createCoupon,
  findCoupon,
  listCoupons,
} from '../../db/queries/billing/coupons.ts';
import { findCustomer } from '../../db/queries/billing/customers.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route, type WriteContext } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import {
  type CouponBody,
  coupon,
  couponCode,
  couponCursor,
  couponParams,
  exampleCoupon,
  newCoupon,
} from './coupons.schemas.ts';
import { archivedFilter } from './plans.schemas.ts';

const fromId = { couponId: '$response.body#/id' };

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/coupons',
  operationId: 'createCoupon',
  tag: 'Coupons',
  scope: 'billing:write',
  summary: 'Create a coupon',
  body: newCoupon,
  example: { code: 'SPRING-20', percent: 20, periods: 3, maxRedemptions: 500 },
  responses: {
    201: {
      description: 'The new coupon.',
      schema: coupon,
      example: exampleCoupon,
      links: {
        GetCoupon: { operationId: 'getCoupon', parameters: fromId },
        ArchiveCoupon: { operationId: 'archiveCoupon', parameters: fromId },
      },
    },
  },
  problems: ['already_exists'],
  handler: async (context) => {
    const { tx, caller, body } = context;
    const { customerId, expiresAt, ...terms } = body;
    const customer = customerId === undefined ? null : await findCustomer(tx, customerId);
    if (customerId !== undefined && customer === null) throw notFound('customer', customerId);
    const row = await createCoupon(tx, {
      ...terms,
      tenantId: caller.tenantId,
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
      personKey: customer?.personKey ?? null,
    });
    if (row === null) {
      throw new Problem({
        code: 'already_exists',
        detail: `There is already a coupon with the code ${body.code}; a code is never used again.`,
        reason: 'coupon_code_taken',
      });
    }
    await audit(context, row, 'coupon.created');
    return { status: 201, body: toCoupon(row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/coupons',
  operationId: 'listCoupons',
  tag: 'Coupons',
  scope: 'billing:read',
  summary: 'List coupons, newest first',
  query: z.strictObject({
    ...pageQuery(couponCursor),
    code: couponCode.optional(),
    archived: archivedFilter,
  }),
  responses: {
    200: {
      description: 'A page of coupons.',
      schema: pageOf(coupon),
      links: {
        GetCoupon: { operationId: 'getCoupon', parameters: { couponId: '$response.body#/data/0/id' } },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, code, archived } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listCoupons(tx, { archived: archived === 'true', code, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toCoupon,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/coupons/{couponId}',
  operationId: 'getCoupon',
  tag: 'Coupons',
  scope: 'billing:read',
  summary: 'Read a coupon',
  params: couponParams,
  responses: { 200: { description: 'The coupon.', schema: coupon, example: exampleCoupon } },
  handler: async ({ tx, params: { couponId } }) => {
    const row = await findCoupon(tx, couponId);
    if (row === null) throw notFound('coupon', couponId);
    return { status: 200, body: toCoupon(row) };
  },
});

const archive = route({
  effect: 'write',
  method: 'post',
  path: '/v1/coupons/{couponId}/archive',
  operationId: 'archiveCoupon',
  tag: 'Coupons',
  scope: 'billing:write',
  summary: 'Offer a coupon no longer',
  description: 'Subscriptions that have it keep it.',
  params: couponParams,
  body: emptyBody,
  responses: { 200: { description: 'The archived coupon.', schema: coupon, example: exampleCoupon } },
  handler: async (context) => {
    const { tx, now, params } = context;
    const row = await archiveCoupon(tx, { id: params.couponId, at: now });
    if (row === null) throw notFound('coupon', params.couponId);
    await audit(context, row, 'coupon.archived');
    return { status: 200, body: toCoupon(row) };
  },
});

export const couponRoutes: readonly Route[] = [create, list, read, archive];

function audit(
  { tx, caller: { tenantId, actor }, now }: WriteContext,
  { id, code }: CouponRow,
  action: string,
): Promise<void> {
  return writeAudit(tx, {
    tenantId,
    actor,
    action,
    entityType: 'coupon',
    entityId: id,
    details: { code },
    at: now,
  });
}

function toCoupon(row: CouponRow): CouponBody {
  const { id, code, percent, reductionMinor, currency, periods, maxRedemptions, wonBackFrom } = row;
  return {
    id,
    code,
    percent,
    reductionMinor,
    currency,
    periods,
    maxRedemptions,
    timesRedeemed: row.redemptions,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    isForOnePerson: row.personKey !== null,
    wonBackFrom,
    archivedAt: row.archivedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
