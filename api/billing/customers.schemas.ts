/** The customer as callers send and get it. */
import { z } from 'zod';
import { amount, currency, email, id, idPattern, instant, text } from '../schemas.ts';
import { address, addressInput, taxId } from './tax.schemas.ts';

const externalRef = text(200).meta({ description: 'Your own id of this customer.', example: 'account-4711' });

export const customer = z
  .object({
    id: id('cus', 'customer'),
    email: z.string().nullable().meta({ description: 'Null once the personal data was erased.' }),
    name: z.string().nullable(),
    externalRef: z.string().nullable(),
    address: z.union([address, z.null()]).meta({ description: 'Without one nothing is taxed.' }),
    taxId: z.string().nullable(),
    taxExemption: z.union([z.object({ reason: z.string() }), z.null()]),
    currency,
    referralCode: z.string().nullable().meta({ description: 'Null until it is asked for.' }),
    referredBy: id('cus', 'customer').nullable().meta({ description: 'Who has brought this customer.' }),
    creditMinor: amount.meta({ description: 'Money held for the customer, in minor units.', example: 0 }),
    defaultPaymentMethodId: z
      .string()
      .nullable()
      .meta({ description: 'The card, or bank account, that is charged.' }),
    erasedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Customer' });

export type Customer = z.infer<typeof customer>;

const taxExemption = z.strictObject({
  reason: text(200).meta({ description: 'Stands on the invoices.', example: 'Charity, certificate 4711' }),
});

export const newCustomer = z
  .strictObject({
    email,
    name: text(200).meta({ example: 'Ada Lovelace' }),
    externalRef: externalRef.optional(),
    address: addressInput.optional(),
    taxId: taxId.optional(),
    taxExemption: taxExemption.optional(),
    currency: currency.meta({ description: 'In which the customer is billed, for good.' }),
  })
  .meta({ id: 'NewCustomer' });

export const customerChange = z
  .strictObject({
    email: email.optional(),
    name: text(200).optional(),
    externalRef: externalRef.nullable().optional(),
    address: addressInput.nullable().optional(),
    taxId: taxId.nullable().optional(),
    taxExemption: taxExemption.nullable().optional(),
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
  address: { country: 'FR', region: null, postalCode: '75002', lines: ['1 rue de la Paix', 'Paris'] },
  taxId: 'FR12345678901',
  taxExemption: null,
  currency: 'USD',
  referralCode: null,
  referredBy: null,
  creditMinor: 0,
  defaultPaymentMethodId: null,
  erasedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};
