/** Customers. A deleted one leaves a stub behind, and its payment methods with it. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { vendorId } from '../../sandbox/random.ts';
import { requireCustomer, type StripeContext } from './context.ts';
import { noSuch } from './errors.ts';
import { emit } from './events.ts';
import { isWithin, listOf } from './lists.ts';
import { created, expand, metadata, operation, pagination, type StripeOperation, text } from './params.ts';
import { detach } from './payment-methods.ts';

const details = {
  email: z.string().max(512).optional(),
  name: z.string().max(256).optional(),
  description: z.string().optional(),
  phone: z.string().max(20).optional(),
  metadata,
  expand,
};

export function customerOperations(context: StripeContext): StripeOperation[] {
  const { customers, paymentMethods } = context;
  return [
    operation({
      op: 'customers.create',
      method: 'POST',
      path: '/v1/customers',
      params: z.strictObject(details),
      run: ({ params, ...origin }) => {
        const customer = newCustomer(params, context.clock.seconds());
        customers.put(customer.id, customer);
        emit(context, 'customer.created', customer, origin);
        return { body: customer, note: noteOf(customer) };
      },
    }),
    operation({
      op: 'customers.retrieve',
      method: 'GET',
      path: '/v1/customers/:id',
      params: z.strictObject({ expand }),
      run: ({ pathParams: { id = '' } }) => {
        const customer = customers.get(id);
        if (!customer) throw noSuch('customer', id);
        return { body: customer };
      },
    }),
    operation({
      op: 'customers.update',
      method: 'POST',
      path: '/v1/customers/:id',
      params: z.strictObject({
        ...details,
        invoice_settings: z.strictObject({ default_payment_method: text.optional() }).optional(),
      }),
      run: ({ params, pathParams: { id = '' }, ...origin }) => {
        const customer = requireCustomer(context, id);
        const defaultMethod = params.invoice_settings?.default_payment_method;
        if (defaultMethod !== undefined) {
          if (paymentMethods.get(defaultMethod)?.customer !== id) {
            throw noSuch('PaymentMethod', defaultMethod, 'invoice_settings[default_payment_method]');
          }
          customer.invoice_settings.default_payment_method = defaultMethod;
        }
        customer.email = params.email ?? customer.email;
        customer.name = params.name ?? customer.name ?? null;
        customer.description = params.description ?? customer.description;
        customer.metadata = { ...customer.metadata, ...params.metadata };
        customers.put(id, customer);
        emit(context, 'customer.updated', customer, origin);
        return { body: customer, note: noteOf(customer) };
      },
    }),
    operation({
      op: 'customers.delete',
      method: 'DELETE',
      path: '/v1/customers/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' }, ...origin }) => {
        const customer = requireCustomer(context, id);
        for (const method of paymentMethods.values().filter((item) => item.customer === id)) {
          detach(context, method);
        }
        const stub: Stripe.DeletedCustomer = { id, object: 'customer', deleted: true };
        customers.put(id, stub);
        emit(context, 'customer.deleted', customer, origin);
        return { body: stub, note: { ...noteOf(customer), detail: 'deleted' } };
      },
    }),
    operation({
      op: 'customers.list',
      method: 'GET',
      path: '/v1/customers',
      params: z.strictObject({ ...pagination, created, email: z.string().optional() }),
      run: ({ params }) => {
        const living = customers
          .values()
          .filter((customer): customer is Stripe.Customer => !customer.deleted);
        const matching = living
          .filter((customer) => params.email === undefined || customer.email === params.email)
          .filter((customer) => isWithin(params.created, customer.created));
        return { body: listOf(matching, { url: '/v1/customers', page: params }) };
      },
    }),
    operation({
      op: 'customers.list_payment_methods',
      method: 'GET',
      path: '/v1/customers/:id/payment_methods',
      params: z.strictObject({ ...pagination, type: text.optional() }),
      run: ({ params, pathParams: { id = '' } }) => {
        requireCustomer(context, id);
        const attached = paymentMethods.values().filter((method) => method.customer === id);
        return { body: listOf(attached, { url: `/v1/customers/${id}/payment_methods`, page: params }) };
      },
    }),
  ];
}

function noteOf(customer: Stripe.Customer): EffectNote {
  return { outcome: 'effect', objectId: customer.id, businessRef: customer.metadata['customerId'] };
}

function newCustomer(
  params: {
    email?: string | undefined;
    name?: string | undefined;
    description?: string | undefined;
    phone?: string | undefined;
    metadata: Record<string, string>;
  },
  createdSeconds: number,
): Stripe.Customer {
  const id = vendorId('cus');
  return {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created: createdSeconds,
    currency: null,
    default_source: null,
    delinquent: false,
    description: params.description ?? null,
    discount: null,
    email: params.email ?? null,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: params.metadata,
    name: params.name ?? null,
    next_invoice_sequence: 1,
    phone: params.phone ?? null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}
