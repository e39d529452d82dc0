/** A change of plan, seats or interval as callers ask for it, and what it would cost. */
import { z } from 'zod';
import { type ProrationMode, prorationModes } from '../../domain/billing/plan-change.ts';
import { amount, codeName, currency, id, instant, signedAmount } from '../schemas.ts';
import { quantity } from './subscriptions.schemas.ts';

export const planChange = z
  .strictObject({
    planCode: codeName.optional().meta({ description: 'As usual: the plan stays, only the seats change.' }),
    planId: id('plan', 'plan').optional(),
    quantity: quantity.optional().meta({ description: 'Seats; as usual as many as now.' }),
    proration: z
      .enum(prorationModes as [ProrationMode, ...ProrationMode[]])
      .default('invoice_now')
      .meta({
        description:
          'How an upgrade is billed. invoice_now: the unused rest of what was billed is credited and the rest of the period charged, to the second. next_invoice: the same, on the next invoice; the new terms count at once. reset: a full new period begins now. none: nothing until the next renewal. Another interval, or a plan after a free one, always begins a new period.',
      }),
  })
  .refine(({ planCode, planId }) => planCode === undefined || planId === undefined, {
    path: ['planCode'],
    message: 'name the plan by planCode or by planId, not by both',
  })
  .refine(({ planCode, planId, quantity }) => (planCode ?? planId ?? quantity) !== undefined, {
    path: ['planCode'],
    message: 'name a plan (planCode or planId) or a quantity of seats',
  })
  .meta({
    id: 'PlanChange',
    anyOf: [{ required: ['planCode'] }, { required: ['planId'] }, { required: ['quantity'] }],
    not: { required: ['planCode', 'planId'] },
  });

export const changePreview = z
  .object({
    kind: z.enum(['in_trial', 'upgrade', 'downgrade']).meta({
      description:
        'in_trial: at once and for nothing. upgrade: at once. downgrade: at the end of the period.',
    }),
    effectiveAt: instant,
    currency,
    lines: z.array(
      z.object({
        kind: z.enum(['change_credit', 'change_charge']),
        amountMinor: signedAmount,
        taxMinor: signedAmount.meta({ description: 'On top of the amount, or contained in it.' }),
        periodStartsAt: instant,
        periodEndsAt: instant,
      }),
    ),
    taxMinor: signedAmount.meta({ description: 'The tax of the change, as its invoice would bear it.' }),
    totalMinor: amount.meta({ description: 'What the invoice of the change is over.' }),
    toCreditMinor: amount.meta({ description: 'What the credits exceed the charges by: kept as credit.' }),
    fromCreditMinor: amount.meta({ description: 'What is paid with the credit of the customer.' }),
    dueMinor: amount.meta({ description: 'What the payment method is charged now.' }),
    nextInvoice: z.union([
      z.object({ at: instant, totalMinor: amount, taxMinor: amount }),
      z.null().meta({ description: 'Nothing will be billed, or not before a payment.' }),
    ]),
  })
  .meta({ id: 'PlanChangePreview' });

export type ChangePreviewBody = z.infer<typeof changePreview>;

export const examplePreview: ChangePreviewBody = {
  kind: 'upgrade',
  effectiveAt: '2026-12-20T21:00:00.000Z',
  currency: 'USD',
  lines: [
    {
      kind: 'change_credit',
      amountMinor: -1450,
      taxMinor: 0,
      periodStartsAt: '2026-12-20T21:00:00.000Z',
      periodEndsAt: '2027-01-05T09:00:00.000Z',
    },
    {
      kind: 'change_charge',
      amountMinor: 4950,
      taxMinor: 0,
      periodStartsAt: '2026-12-20T21:00:00.000Z',
      periodEndsAt: '2027-01-05T09:00:00.000Z',
    },
  ],
  taxMinor: 0,
  totalMinor: 3500,
  toCreditMinor: 0,
  fromCreditMinor: 0,
  dueMinor: 3500,
  nextInvoice: { at: '2027-01-05T09:00:00.000Z', totalMinor: 9900, taxMinor: 0 },
};
