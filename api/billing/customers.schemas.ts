/** The customer as callers send and get it. */
import { z } from 'zod';
import { amount, currency, email, id, idPattern, instant, text } from '../schemas.ts';

const externalRef = text(200).meta({ description: 'Your own id of this customer.', example: 'account-4711' });

export const customer = z
  .object({
    id: id('cus', 'customer'),
    email: z.string().nullable().meta({ description: 'Null once the personal data was erased.' }),
    name: z.string().nullable(),
    externalRef: z.string().nullable(),
    currency,
    creditMinor: amount.meta({ description: 'Money held for the customer, in minor units.', example: 0 }),
    defaultPaymentMethodId: z.string().nullable().meta({ description: 'The card that is charged.' }),
    erasedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Customer' });

export type Customer = z.infer<typeof customer>;

export const newCustomer = z
  .strictObject({
    email,
    name: text(200).meta({ example: 'Ada Lovelace' }),
    externalRef: externalRef.optional(),
    currency: currency.meta({ description: 'In which the customer is billed, for good.' }),
  })
  .meta({ id: 'NewCustomer' });

export const customerChange = z
  .strictObject({
    email: email.optional(),
    name: text(200).optional(),
    externalRef: externalRef.nullable().optional(),
  })
  .meta({ id: 'CustomerChange' });

export const customerParams = z.strictObject({ customerId: id('cus', 'customer') });

export const customerCursor = idPattern('cus');

export const customerRefFilter = externalRef.optional();

export const exampleCustomer: Customer = {
  id: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  email: 'ada@example.com',
  name: 'Ada Lovelace',
  externalRef: 'account-4711',
  currency: 'USD',
  creditMinor: 0,
  defaultPaymentMethodId: null,
  erasedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};
