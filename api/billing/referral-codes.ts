/** The code with which a customer brings others. */
import { z } from 'zod';
import { giveReferralCode } from '../../db/queries/billing/referrals.ts';
import { type Route, route } from '../route.ts';
import { emptyBody, id } from '../schemas.ts';
import { customerParams } from './customers.schemas.ts';

export const referralCode = z
  .string()
  .regex(/^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{10}$/, 'must be a referral code')
  .meta({ example: '7K3MZQ04XD' });

const give = route({
  effect: 'write',
  method: 'post',
  path: '/v1/customers/{customerId}/referral_code',
  operationId: 'giveReferralCode',
  tag: 'Customers',
  scope: 'billing:write',
  summary: 'Get the code with which a customer brings others',
  description:
    'The same one every time. Who begins a first subscription with it brings its owner a fifth of the first payment as credit.',
  params: customerParams,
  body: emptyBody,
  responses: {
    200: {
      description: 'The code.',
      schema: z
        .object({ customerId: id('cus', 'customer'), code: referralCode })
        .meta({ id: 'ReferralCode' }),
    },
  },
  problems: ['customer_erased'],
  handler: async ({ tx, params: { customerId } }) => ({
    status: 200,
    body: { customerId, code: await giveReferralCode(tx, customerId) },
  }),
});

export const referralCodeRoutes: readonly Route[] = [give];
