/** The dunning policy as callers send and get it. */
import { z } from 'zod';
import { type DunningTemplate, defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { codeName, instant } from '../schemas.ts';

const templates = {
  payment_failed_1: true,
  payment_failed_2: true,
  payment_failed_final: true,
  update_payment_method: true,
  suspension_warning: true,
  account_restricted: true,
  account_suspended: true,
  subscription_cancelled_unpaid: true,
  subscription_downgraded: true,
} satisfies Record<DunningTemplate, true>;

const stepFields = {
  day: z
    .number()
    .positive()
    .max(365)
    .meta({ description: 'Days after the first failed charge.', example: 3 }),
  retry: z.boolean().meta({ description: 'Charge again before anything else.' }),
  template: z
    .enum(Object.keys(templates) as [DunningTemplate, ...DunningTemplate[]])
    .meta({ description: 'The mail of this step, sent when the charge did not succeed.' }),
  restrict: z
    .enum(['restricted', 'suspended'])
    .optional()
    .meta({ description: 'Access taken by this step.' }),
  end: z
    .enum(['cancel', 'downgrade'])
    .optional()
    .meta({ description: 'Ends the ladder; only on the last step.' }),
};

const policyFields = {
  graceDays: z.int().min(0).max(90).meta({ description: 'No access is taken before.' }),
  technicalRetryMinutes: z
    .array(z.int().min(1).max(10_080))
    .min(1)
    .max(10)
    .meta({ description: 'Delays after a technical failure; these tries are no steps.' }),
};

export const dunningPolicy = z
  .object({
    name: codeName,
    version: z
      .int()
      .meta({ description: 'Raised by every edit. A running case keeps the version it began with.' }),
    ...policyFields,
    steps: z.array(z.object(stepFields)),
    createdAt: instant,
  })
  .meta({ id: 'DunningPolicy' });

export type DunningPolicyBody = z.infer<typeof dunningPolicy>;

export const newDunningPolicy = z
  .strictObject({
    graceDays: policyFields.graceDays.default(3),
    technicalRetryMinutes: policyFields.technicalRetryMinutes.default([15, 60, 240]),
    steps: z.array(z.strictObject(stepFields)).min(1).max(30),
  })
  .meta({ id: 'NewDunningPolicy' });

export const dunningPolicyParams = z.strictObject({ policyName: codeName.meta({ example: 'standard_30' }) });

export const dunningPolicyCursor = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const [standard30] = defaultDunningPolicies;

export const exampleDunningPolicy = {
  name: 'standard_30',
  version: 1,
  graceDays: standard30?.graceDays ?? 3,
  technicalRetryMinutes: standard30?.technicalRetryMinutes ?? [],
  steps: standard30?.steps ?? [],
  createdAt: '2026-11-21T09:00:00.000Z',
};
