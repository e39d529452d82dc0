/** Payment methods: the cards and bank accounts of a customer. They are named with a subscription, so they are only read here. */
import { z } from 'zod';
import { findCustomer } from '../../db/queries/billing/customers.ts';
import { listPaymentMethods, type PaymentMethodRow } from '../../db/queries/payments/read-payment-methods.ts';
import { customerParams } from '../billing/customers.schemas.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { examplePaymentMethod, type PaymentMethodBody, paymentMethod } from './payment-methods.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/customers/{customerId}/payment_methods',
  operationId: 'listPaymentMethods',
  tag: 'Payments',
  scope: 'billing:read',
  summary: "List a customer's cards and bank accounts, the latest first",
  description: 'All that were ever named, those that were refused too.',
  params: customerParams,
  responses: {
    200: {
      description: 'All payment methods.',
      schema: z.object({ data: z.array(paymentMethod), nextCursor: z.null() }),
      example: { data: [examplePaymentMethod], nextCursor: null },
    },
  },
  handler: async ({ tx, params: { customerId } }) => {
    const customer = await findCustomer(tx, customerId);
    if (customer === null) throw notFound('customer', customerId);
    const rows = await listPaymentMethods(tx, customerId);
    const data = rows.map((row) => toPaymentMethod(row, customer.defaultPaymentMethodId));
    return { status: 200, body: { data, nextCursor: null } };
  },
});

export const paymentMethodRoutes: readonly Route[] = [list];

function toPaymentMethod(row: PaymentMethodRow, defaultId: string | null): PaymentMethodBody {
  const { id, type, brand, last4, expMonth, expYear, mandateId, mandateEndedAt } = row;
  return {
    id,
    type,
    name: brand,
    last4,
    expires: type === 'card' ? { month: expMonth, year: expYear } : null,
    mandate: mandateId === null ? null : { id: mandateId, endedAt: mandateEndedAt?.toISOString() ?? null },
    isDefault: id === defaultId,
    refusedAt: row.refusedAt?.toISOString() ?? null,
    attachedAt: row.attachedAt.toISOString(),
  };
}
