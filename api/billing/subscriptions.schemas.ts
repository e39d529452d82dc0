/** The subscription as callers send and get it. */
import { z } from 'zod';
import { QUANTITY_MAX } from '../../domain/billing/recurring-price.ts';
import type { Access, SubscriptionStatus } from '../../domain/billing/subscription.ts';
import {
  amount,
  codeName,
  currency,
  emptyBody,
  id,
  idPattern,
  instant,
  instantInput,
  links,
  longText,
} from '../schemas.ts';
import { couponCode } from './coupons.schemas.ts';
import { referralCode } from './referral-codes.ts';

const statuses = {
  trialing: true,
  incomplete: true,
  active: true,
  past_due: true,
  paused: true,
  suspended: true,
  cancelled: true,
  expired: true,
} satisfies Record<SubscriptionStatus, true>;

const accesses = { full: true, grace: true, restricted: true, suspended: true, none: true } satisfies Record<
  Access,
  true
>;

const status = z
  .enum(Object.keys(statuses) as [SubscriptionStatus, ...SubscriptionStatus[]])
  .meta({ id: 'SubscriptionStatus' });

const access = z
  .enum(Object.keys(accesses) as [Access, ...Access[]])
  .meta({ id: 'Access', description: 'What the product may give the customer now.' });

const planOfSubscription = z.object({
  id: id('plan', 'plan'),
  code: codeName,
  name: z.string(),
  priceMinor: amount,
  currency,
  interval: z.object({ unit: z.enum(['day', 'week', 'month', 'year']), count: z.int() }),
});

export const quantity = z
  .int('must be a whole number of seats')
  .min(1, 'must be at least one seat')
  .max(QUANTITY_MAX, `must not be more than ${QUANTITY_MAX} seats`)
  .meta({ example: 1 });

const pendingChange = z
  .object({
    kind: z.enum(['upgrade', 'downgrade']),
    planId: id('plan', 'plan'),
    planName: z.string(),
    quantity,
    at: instant.meta({ description: 'A downgrade takes effect then; an upgrade lapses then, unless paid.' }),
    invoiceId: id('inv', 'invoice').nullable().meta({ description: 'What an upgrade waits for.' }),
  })
  .meta({ id: 'PendingChange' });

const dunning = z
  .object({
    caseId: id('dcase', 'dunning case'),
    policy: codeName.meta({ example: 'standard_30' }),
    policyVersion: z.int(),
    invoiceId: id('inv', 'invoice').meta({
      description: 'The earliest unpaid invoice: its first failure is the clock.',
    }),
    firstFailedAt: instant,
    waitingFor: z
      .string()
      .meta({ example: 'Waiting for payment; step 2 of 6 (charge again, then mail) on …' }),
    links,
  })
  .meta({ id: 'Dunning' });

export const subscription = z
  .object({
    id: id('sub', 'subscription'),
    customerId: id('cus', 'customer'),
    plan: planOfSubscription,
    quantity: quantity.meta({ description: 'Seats; the price of the plan is for one.' }),
    pendingChange: z
      .union([pendingChange, z.null()])
      .meta({ description: 'A change of plan or seats that waits for its day or its payment.' }),
    status,
    statusSince: instant,
    access,
    waitingFor: z
      .string()
      .meta({ description: 'What it waits for, in one sentence; the Web UI shows the same.' }),
    startedAt: instant,
    trialEndsAt: instant.nullable(),
    trialMessagesSent: z.array(z.string()),
    convertedAt: instant.nullable(),
    currentPeriod: z.union([z.object({ index: z.int(), startsAt: instant, endsAt: instant }), z.null()]),
    coupon: z
      .union([
        z.object({
          code: z.string(),
          reduction: z.string().meta({ example: '20 % off the next 3 periods' }),
          periodsLeft: z.int().nullable().meta({ description: 'Null: for ever.' }),
        }),
        z.null(),
      ])
      .meta({ description: 'What reduces the price of the periods to come.' }),
    resumesAt: instant.nullable().meta({ description: 'When a paused subscription goes on by itself.' }),
    hasPaymentMethod: z.boolean(),
    cancelAtPeriodEnd: z.boolean(),
    cancellation: z.union([
      z.object({ requestedAt: instant, reason: z.string().nullable(), comment: z.string().nullable() }),
      z.null(),
    ]),
    endedAt: instant.nullable(),
    closedAt: instant
      .nullable()
      .meta({ description: 'When nothing more was left to do, the erasure included.' }),
    dunning: z
      .union([dunning, z.null()])
      .meta({ description: 'While an invoice of the customer is unpaid.' }),
    version: z.int().meta({ description: 'Rises with every change.' }),
    links,
  })
  .meta({ id: 'Subscription' });

export type SubscriptionBody = z.infer<typeof subscription>;

export const newSubscription = z
  .strictObject({
    customerId: id('cus', 'customer'),
    planCode: codeName.optional(),
    planId: id('plan', 'plan').optional(),
    quantity: quantity.default(1),
    start: z
      .enum(['trial', 'payment'])
      .optional()
      .meta({ description: 'As usual: a trial where the plan has one, else a payment.' }),
    couponCode: couponCode.optional(),
    referralCode: referralCode
      .optional()
      .meta({ description: 'Of who has brought this customer; with the first subscription.' }),
  })
  .refine(({ planCode, planId }) => (planCode === undefined) !== (planId === undefined), {
    path: ['planCode'],
    message: 'name the plan by planCode or by planId, one of the two',
  })
  .meta({ id: 'NewSubscription', oneOf: [{ required: ['planCode'] }, { required: ['planId'] }] });

export const subscriptionParams = z.strictObject({ subscriptionId: id('sub', 'subscription') });

export const subscriptionCursor = idPattern('sub');

export const subscriptionFilters = {
  customerId: id('cus', 'customer').optional(),
  status: status.optional(),
};

export const timelineEntry = z
  .object({
    id: id('evt', 'timeline entry'),
    at: instant,
    kind: z.string().meta({ example: 'payment_received' }),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'TimelineEntry' });

export const timelineCursor = idPattern('evt');

/** Goes into the audit log, so it is a code and not a text. */
const reason = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be a lower-case code such as too_expensive')
  .meta({ example: 'too_expensive' });

export const cancellation = z
  .strictObject({
    mode: z
      .enum(['at_period_end', 'now'])
      .default('at_period_end')
      .meta({ description: 'At the end of the period (or trial), with access until then; or at once.' }),
    reason: reason.default('not_given'),
    comment: longText(2000)
      .optional()
      .meta({ description: 'In the words of the customer. Erased with the customer.' }),
  })
  .meta({ id: 'Cancellation' });

export const trialExtension = z
  .strictObject({ days: z.int().min(1).max(365), reason: reason.optional() })
  .meta({ id: 'TrialExtension' });

export const pause = z
  .strictObject({
    resumesAt: instantInput
      .optional()
      .meta({ description: 'When it goes on by itself; as usual: when it is resumed.' }),
  })
  .meta({ id: 'Pause' });

export const paymentMethodChange = z
  .strictObject({
    paymentMethodId: z
      .string()
      .regex(/^pm_[A-Za-z0-9_]{1,250}$/, 'must be the id of a payment method of the card vendor (pm_…)')
      .meta({ example: 'pm_card_visa' }),
  })
  .meta({ id: 'PaymentMethodChange' });

export const noBody = emptyBody;

/** How a collection ended that an act caused. */
export const collection = z
  .object({
    outcome: z.enum(['paid', 'processing', 'nothing_due', 'requires_action']),
    actionUrl: z
      .string()
      .optional()
      .meta({ description: 'Where the customer confirms, with requires_action.' }),
    subscription,
  })
  .meta({ id: 'Collection' });

export const exampleSubscription: SubscriptionBody = {
  id: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  plan: {
    id: 'plan_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
    code: 'pro-monthly',
    name: 'Pro monthly',
    priceMinor: 2900,
    currency: 'USD',
    interval: { unit: 'month', count: 1 },
  },
  quantity: 1,
  pendingChange: null,
  status: 'trialing',
  statusSince: '2026-11-21T09:00:00.000Z',
  access: 'full',
  waitingFor:
    'In trial until Sat 5 Dec 2026 09:00 UTC (no payment method yet); next: the trial_halfway mail on Sat 28 Nov 2026 09:00 UTC.',
  startedAt: '2026-11-21T09:00:00.000Z',
  trialEndsAt: '2026-12-05T09:00:00.000Z',
  trialMessagesSent: [],
  convertedAt: null,
  currentPeriod: null,
  coupon: null,
  resumesAt: null,
  hasPaymentMethod: false,
  cancelAtPeriodEnd: false,
  cancellation: null,
  endedAt: null,
  closedAt: null,
  dunning: null,
  version: 1,
  links: {
    temporal:
      'http://127.0.0.1:8233/namespaces/perennial/workflows/subscription%2Fsub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  },
};
