/** The plan as callers send and get it. */
import { z } from 'zod';
import {
  defaultSubscriptionPolicy,
  type TrialTemplate,
  type WinBackTemplate,
} from '../../domain/billing/plan.ts';
import { AMOUNT_MAX, amount, codeName, currency, id, idPattern, instant, text } from '../schemas.ts';

const trialTemplates = { trial_halfway: true, trial_ending: true, trial_last_chance: true } satisfies Record<
  TrialTemplate,
  true
>;
const winBackTemplates = { win_back_1: true, win_back_2: true } satisfies Record<WinBackTemplate, true>;

const keysOf = <K extends string>(record: Record<K, true>) => Object.keys(record) as [K, ...K[]];

const interval = z
  .strictObject({
    unit: z.enum(['day', 'week', 'month', 'year']),
    count: z.int().min(1).max(366).default(1),
  })
  .meta({ id: 'BillingInterval', example: { unit: 'month', count: 1 } });

const days = z.int().min(0).max(3650);

const policyFields = {
  trialDays: z.int().min(0).max(730).meta({ description: '0: no trial.' }),
  trialMessages: z
    .array(
      z.strictObject({ template: z.enum(keysOf(trialTemplates)), daysBeforeEnd: z.int().min(1).max(730) }),
    )
    .max(3),
  trialWindowDays: days.meta({ description: 'How long an ended trial can still be taken up.' }),
  incompleteHours: z.int().min(1).max(720).meta({ description: 'How long a first payment is waited for.' }),
  winBack: z
    .array(
      z.strictObject({ template: z.enum(keysOf(winBackTemplates)), daysAfterEnd: z.int().min(1).max(3650) }),
    )
    .max(2),
  retentionDays: days.min(1).meta({ description: 'Personal data is erased this long after the end.' }),
  openInvoiceOnCancel: z.enum(['void', 'keep']),
  technicalRetryMinutes: z.array(z.int().min(1).max(10_080)).min(1).max(10),
  dunningPolicy: codeName.meta({ example: 'standard_30' }),
};

const policy = z.object(policyFields).meta({ id: 'SubscriptionPolicy' });

export const plan = z
  .object({
    id: id('plan', 'plan'),
    code: codeName,
    name: z.string(),
    family: codeName.meta({ description: 'One trial per person and family.', example: 'books' }),
    rank: z.int(),
    priceMinor: amount,
    currency,
    interval,
    policy,
    taxCode: z.string().nullable(),
    archivedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Plan' });

export type PlanBody = z.infer<typeof plan>;

export const newPlan = z
  .strictObject({
    code: codeName,
    name: text(100).meta({ example: 'Pro monthly' }),
    family: codeName.meta({ example: 'books' }),
    rank: z
      .int()
      .min(0)
      .max(1000)
      .default(0)
      .meta({ description: 'Order within the family, the free plan lowest.' }),
    priceMinor: amount
      .max(AMOUNT_MAX)
      .meta({ description: 'Per interval, in minor units; 0 is a free plan.', example: 2900 }),
    currency,
    interval,
    taxCode: z
      .string()
      .regex(/^[A-Za-z0-9_]{2,32}$/, 'must be 2 to 32 letters, digits and _')
      .nullable()
      .default(null)
      .meta({
        description: "What is sold, in the tax office's words: HSN or SAC in India.",
        example: '998314',
      }),
    policy: z
      .strictObject(policyFields)
      .partial()
      .optional()
      .meta({ description: 'What is not given is as usual.' }),
  })
  .meta({ id: 'NewPlan' });

export const planParams = z.strictObject({ planId: id('plan', 'plan') });

export const planCursor = idPattern('plan');

export const archivedFilter = z
  .enum(['true', 'false'])
  .default('false')
  .meta({ description: 'With archived ones.' });

export const examplePlan: PlanBody = {
  id: 'plan_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  code: 'pro-monthly',
  name: 'Pro monthly',
  family: 'books',
  rank: 2,
  priceMinor: 2900,
  currency: 'USD',
  interval: { unit: 'month', count: 1 },
  policy: defaultSubscriptionPolicy,
  taxCode: '998314',
  archivedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};
