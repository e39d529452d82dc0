/** The payment method as callers get it. */
import { z } from 'zod';
import type { PaymentMethodType } from '../../domain/payments/card-payment.ts';
import { instant } from '../schemas.ts';

const types = { card: true, us_bank_account: true } satisfies Record<PaymentMethodType, true>;

export const paymentMethod = z
  .object({
    id: z
      .string()
      .meta({ description: 'The id at the card vendor.', example: 'pm_1SVq2RLkdIwHu7ixk3YvZQb1' }),
    type: z.enum(Object.keys(types) as [PaymentMethodType, ...PaymentMethodType[]]),
    name: z.string().meta({ description: 'The brand of a card, or the bank. Empty after the erasure.' }),
    last4: z.string(),
    expires: z
      .union([z.object({ month: z.int(), year: z.int() }), z.null()])
      .meta({ description: 'Cards only.' }),
    mandate: z
      .union([z.object({ id: z.string(), endedAt: instant.nullable() }), z.null()])
      .meta({ description: "The customer's authorisation to debit a bank account." }),
    isDefault: z.boolean().meta({ description: 'It is the one that is charged.' }),
    refusedAt: instant.nullable().meta({ description: 'Refused for good: it is not charged any more.' }),
    attachedAt: instant,
  })
  .meta({ id: 'PaymentMethod' });

export type PaymentMethodBody = z.infer<typeof paymentMethod>;

export const examplePaymentMethod: PaymentMethodBody = {
  id: 'pm_1SVq2RLkdIwHu7ixk3YvZQb1',
  type: 'us_bank_account',
  name: 'STRIPE TEST BANK',
  last4: '6789',
  expires: null,
  mandate: { id: 'mandate_1SVq2RLkdIwHu7ixGZ0bWq2h', endedAt: null },
  isDefault: true,
  refusedAt: null,
  attachedAt: '2026-11-21T09:00:00.000Z',
};
