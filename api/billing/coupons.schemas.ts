/** The coupon as callers send and get it. */
import { z } from 'zod';
import {
  AMOUNT_MAX,
  amount,
  currency,
  id,
  idPattern,
  instant,
  instantInput,
  positiveAmount,
} from '../schemas.ts';

/** As customers type it; upper and lower case are the same. */
export const couponCode = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{1,39}$/, 'must be 2 to 40 letters, digits, - and _')
  .meta({ example: 'SPRING-20' });

const percent = z.int().min(1).max(100).meta({ description: 'Off the price, in percent.', example: 20 });
const reductionMinor = positiveAmount.max(AMOUNT_MAX).meta({
  description: 'Off the price, in minor units of `currency`; never more than the price.',
  example: 500,
});
const periods = z
  .int()
  .min(1)
  .max(1000)
  .meta({ description: 'Period invoices it reduces: 1 for once. Without it: for ever.', example: 3 });
const maxRedemptions = z.int().min(1).max(1_000_000);

export const coupon = z
  .object({
    id: id('cpn', 'coupon'),
    code: z.string(),
    percent: percent.nullable(),
    reductionMinor: amount.nullable(),
    currency: z.union([currency, z.null()]),
    periods: periods.nullable(),
    maxRedemptions: maxRedemptions.nullable(),
    timesRedeemed: z.int(),
    expiresAt: instant.nullable(),
    isForOnePerson: z.boolean(),
    wonBackFrom: id('sub', 'subscription')
      .nullable()
      .meta({ description: 'The subscription whose last mail offered it.' }),
    archivedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Coupon' });

export type CouponBody = z.infer<typeof coupon>;

export const newCoupon = z
  .strictObject({
    code: couponCode,
    percent: percent.optional(),
    reductionMinor: reductionMinor.optional(),
    currency: currency.optional(),
    periods: periods.nullable().default(null),
    maxRedemptions: maxRedemptions.nullable().default(null),
    expiresAt: instantInput.nullable().default(null),
    customerId: id('cus', 'customer').optional().meta({ description: 'Only this person may redeem it.' }),
  })
  .refine((body) => (body.percent === undefined) !== (body.reductionMinor === undefined), {
    path: ['percent'],
    message: 'take off a percent or a reductionMinor, one of the two',
  })
  .refine((body) => (body.reductionMinor === undefined) === (body.currency === undefined), {
    path: ['currency'],
    message: 'name the currency of a reductionMinor, and only of that',
  })
  .meta({
    id: 'NewCoupon',
    oneOf: [
      {
        required: ['percent'],
        not: { anyOf: [{ required: ['reductionMinor'] }, { required: ['currency'] }] },
      },
      { required: ['reductionMinor', 'currency'], not: { required: ['percent'] } },
    ],
  });

export const couponParams = z.strictObject({ couponId: id('cpn', 'coupon') });

export const couponCursor = idPattern('cpn');

export const couponApplication = z.strictObject({ couponCode }).meta({ id: 'CouponApplication' });

export const exampleCoupon: CouponBody = {
  id: 'cpn_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  code: 'SPRING-20',
  percent: 20,
  reductionMinor: null,
  currency: null,
  periods: 3,
  maxRedemptions: 500,
  timesRedeemed: 17,
  expiresAt: '2027-06-01T00:00:00.000Z',
  isForOnePerson: false,
  wonBackFrom: null,
  archivedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};
