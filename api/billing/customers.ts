/** Customers: create, find, read, change. */
import { z } from 'zod';
import {
  changeCustomer,
  createCustomer,
  findCustomer,
  findCustomerByRef,
  listCustomers,
} from '../../db/queries/billing/customers.ts';
import { type CustomerRow, lockCustomer } from '../../db/queries/billing/subscriptions.ts';
import { releaseTaxHolds } from '../../db/queries/billing/tax-hold.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { normalisedTaxId } from '../../domain/billing/tax-id.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type ReadContext, type Route, route } from '../route.ts';
import { id } from '../schemas.ts';
import {
  type Customer,
  customer,
  customerChange,
  customerCursor,
  customerParams,
  customerRefFilter,
  exampleCustomer,
  newCustomer,
} from './customers.schemas.ts';
import { personKeyOf } from './person-key.ts';
import { checkCustomerTax } from './tax-mistakes.ts';

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/customers',
  operationId: 'createCustomer',
  tag: 'Customers',
  scope: 'billing:write',
  summary: 'Create a customer',
  body: newCustomer,
  example: { email: 'ada@example.com', name: 'Ada Lovelace', externalRef: 'account-4711', currency: 'USD' },
  responses: {
    201: {
      description: 'The new customer.',
      schema: customer,
      example: exampleCustomer,
      links: {
        GetCustomer: { operationId: 'getCustomer', parameters: { customerId: '$response.body#/id' } },
        ChangeCustomer: { operationId: 'changeCustomer', parameters: { customerId: '$response.body#/id' } },
        CreateSubscription: {
          operationId: 'createSubscription',
          requestBody: { customerId: '$response.body#/id', planCode: 'pro-monthly' },
        },
      },
    },
  },
  problems: ['already_exists', 'tax_details_unusable'],
  handler: async ({ tx, caller, deps, now, body }) => {
    const taxDetails = taxDetailsOf(body);
    const row = await createCustomer(tx, {
      tenantId: caller.tenantId,
      email: body.email,
      name: body.name,
      externalRef: body.externalRef ?? null,
      ...taxDetails,
      currency: body.currency,
      personKey: personKeyOf(deps.config.personKeySecret, body.email),
    });
    if (row === null) throw externalRefTaken(body.externalRef);
    await audit({ tx, caller, now }, row.id, 'customer.created', Object.keys(body));
    return { status: 201, body: toCustomer(row) };
  },
  // The answer holds personal data, which the erasure must reach: only the id is kept.
  replay: {
    keep: ({ id }: Customer) => ({ id }),
    restore: async ({ tx }, { id }: { id: string }) => readCustomer(tx, id),
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/customers',
  operationId: 'listCustomers',
  tag: 'Customers',
  scope: 'billing:read',
  summary: 'List customers, newest first',
  query: z.strictObject({
    ...pageQuery(customerCursor),
    externalRef: customerRefFilter,
    referredBy: id('cus', 'customer').optional(),
  }),
  responses: {
    200: {
      description: 'A page of customers.',
      schema: pageOf(customer),
      links: {
        GetCustomer: { operationId: 'getCustomer', parameters: { customerId: '$response.body#/data/0/id' } },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, externalRef, referredBy } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listCustomers(tx, { externalRef, referredBy, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toCustomer,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/customers/{customerId}',
  operationId: 'getCustomer',
  tag: 'Customers',
  scope: 'billing:read',
  summary: 'Read a customer',
  params: customerParams,
  responses: { 200: { description: 'The customer.', schema: customer, example: exampleCustomer } },
  handler: async ({ tx, params }) => ({ status: 200, body: await readCustomer(tx, params.customerId) }),
});

const change = route({
  effect: 'write',
  method: 'patch',
  path: '/v1/customers/{customerId}',
  operationId: 'changeCustomer',
  tag: 'Customers',
  scope: 'billing:write',
  summary: 'Change who a customer is',
  description:
    'Fields that are not sent stay. The currency never changes. Address, tax id and exemption count from the next invoice on.',
  params: customerParams,
  body: customerChange,
  example: { name: 'Ada King' },
  responses: {
    200: { description: 'The customer as it is now.', schema: customer, example: exampleCustomer },
  },
  problems: ['already_exists', 'customer_erased', 'tax_details_unusable'],
  handler: async ({ tx, caller, deps, now, params: { customerId }, body }) => {
    const before = await findCustomer(tx, customerId);
    if (before === null) throw notFound('customer', customerId);
    const locked = await lockCustomer(tx, customerId);
    if (locked.erasedAt !== null) {
      throw new Problem({
        code: 'customer_erased',
        detail: `The data of customer ${customerId} was erased; create a new customer.`,
      });
    }
    const fields = Object.keys(body);
    if (fields.length === 0) return { status: 200, body: toCustomer(before) };
    if (typeof body.externalRef === 'string') {
      const holder = await findCustomerByRef(tx, body.externalRef);
      if (holder !== null && holder.id !== customerId) throw externalRefTaken(body.externalRef);
    }
    const { email, name, externalRef } = body;
    const row = await changeCustomer(tx, customerId, {
      ...(email !== undefined && { email, personKey: personKeyOf(deps.config.personKeySecret, email) }),
      ...(name !== undefined && { name }),
      ...(externalRef !== undefined && { externalRef }),
      ...taxDetailsOf(body, locked),
    });
    if (fields.some((field) => taxFields.has(field))) await releaseTaxHolds(tx, customerId, now);
    await audit({ tx, caller, now }, customerId, 'customer.changed', fields);
    return { status: 200, body: toCustomer(row) };
  },
});

export const customerRoutes: readonly Route[] = [create, list, read, change];

const taxFields: ReadonlySet<string> = new Set(['address', 'taxId', 'taxExemption']);

type TaxDetails = Pick<CustomerRow, 'address' | 'taxId' | 'taxExemptReason'>;

/** With what stays of `before`: an id that fits the old address may not fit the new one. */
function taxDetailsOf(
  { address, taxId, taxExemption }: z.infer<typeof customerChange>,
  before: TaxDetails = { address: null, taxId: null, taxExemptReason: null },
): TaxDetails {
  const details = {
    address: address === undefined ? before.address : address,
    taxId: typeof taxId === 'string' ? normalisedTaxId(taxId) : taxId === null ? null : before.taxId,
    taxExemptReason: taxExemption === undefined ? before.taxExemptReason : (taxExemption?.reason ?? null),
  };
  checkCustomerTax(details);
  return details;
}

async function readCustomer(tx: ReadContext['tx'], customerId: string): Promise<Customer> {
  const row = await findCustomer(tx, customerId);
  if (row === null) throw notFound('customer', customerId);
  return toCustomer(row);
}

function toCustomer(row: CustomerRow): Customer {
  const { id, email, name, externalRef, address, taxId, currency, creditMinor, defaultPaymentMethodId } = row;
  return {
    id,
    email,
    name,
    externalRef,
    address: address && { ...address, lines: [...address.lines] },
    taxId,
    taxExemption: row.taxExemptReason === null ? null : { reason: row.taxExemptReason },
    currency,
    referralCode: row.referralCode,
    referredBy: row.referredBy,
    creditMinor,
    defaultPaymentMethodId,
    erasedAt: row.erasedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

/** Names the fields, never their values. */
function audit(
  { tx, caller, now }: Pick<ReadContext, 'tx' | 'caller' | 'now'>,
  entityId: string,
  action: string,
  fields: string[],
): Promise<void> {
  const { tenantId, actor } = caller;
  return writeAudit(tx, {
    tenantId,
    actor,
    action,
    entityType: 'customer',
    entityId,
    details: { fields },
    at: now,
  });
}

function externalRefTaken(externalRef: string | undefined): Problem {
  return new Problem({
    code: 'already_exists',
    detail: `Another customer has the externalRef ${externalRef}.`,
    reason: 'external_ref_taken',
  });
}
