/** Payment methods: attaching decides whether a card may be kept; a detached one may not be used again. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { copyMagicAccount, isBankAccount } from './bank-accounts.ts';
import { requireCustomer, type StripeContext } from './context.ts';
import { cardDecline, cardError, invalidRequest, noSuch } from './errors.ts';
import { emit } from './events.ts';
import { expand, operation, type StripeOperation, text } from './params.ts';
import { isVerifiedAccount, setUp } from './setup-intents.ts';
import { copyMagicCard, magicCardAttachment } from './test-cards.ts';

export function paymentMethodOperations(context: StripeContext): StripeOperation[] {
  const { paymentMethods } = context;
  return [
    operation({
      op: 'payment_methods.retrieve',
      method: 'GET',
      path: '/v1/payment_methods/:id',
      params: z.strictObject({ expand }),
      run: ({ pathParams: { id = '' } }) => ({
        body: copyOf(context, id) ?? requireMethod(context, id),
      }),
    }),
    operation({
      op: 'payment_methods.attach',
      method: 'POST',
      path: '/v1/payment_methods/:id/attach',
      params: z.strictObject({ customer: text, expand }),
      run: ({ params, pathParams: { id = '' }, ...origin }) => {
        const customer = requireCustomer(context, params.customer, 'customer');
        const note = { businessRef: customer.metadata['customerId'], objectId: id };
        const verdict = magicCardAttachment(id) ?? 'succeeded';
        if (verdict !== 'succeeded') {
          const decline = cardDecline(verdict);
          throw cardError(decline, { note: { ...note, outcome: 'refused', detail: decline.decline_code } });
        }
        const method = copyOf(context, id) ?? requireMethod(context, id, 'payment_method');
        if (method.customer !== null) {
          throw invalidRequest('The payment method you provided has already been attached to a customer.');
        }
        if (context.cardScripts.get(method.id)?.detached) {
          throw invalidRequest(
            'This PaymentMethod was previously used without being attached to a Customer or was detached ' +
              'from a Customer, and may not be used again.',
          );
        }
        if (isBankAccount(method) && !isVerifiedAccount(context, method.id)) {
          throw invalidRequest('The bank account must be verified before it is attached to a customer.');
        }
        const attached = { ...method, customer: customer.id };
        paymentMethods.put(attached.id, attached);
        emit(context, 'payment_method.attached', attached, origin);
        return { body: attached, note: { ...note, outcome: 'effect', objectId: attached.id } };
      },
    }),
    operation({
      op: 'payment_methods.detach',
      method: 'POST',
      path: '/v1/payment_methods/:id/detach',
      params: z.strictObject({ expand }),
      run: ({ pathParams: { id = '' }, ...origin }) => {
        const method = requireMethod(context, id);
        if (method.customer === null) {
          throw invalidRequest('The payment method you provided is not attached to a customer.');
        }
        const detached = detach(context, method);
        emit(context, 'payment_method.detached', detached, origin);
        return { body: detached, note: { outcome: 'effect', objectId: id } };
      },
    }),
  ];
}

/** One of Stripe's test ids; a bank account is verified already, as if the tenant's page had done that. */
function copyOf(context: StripeContext, id: string): Stripe.PaymentMethod | null {
  const account = copyMagicAccount(context, id);
  if (account !== null) setUp(context, account, { isVerified: true });
  return account ?? copyMagicCard(context, id);
}

/** Takes the card from its customer for good. */
export function detach(
  { paymentMethods, cardScripts }: StripeContext,
  method: Stripe.PaymentMethod,
): Stripe.PaymentMethod {
  const detached = { ...method, customer: null };
  paymentMethods.put(method.id, detached);
  const script = cardScripts.get(method.id) ?? { outcomes: ['succeeded'], used: 0 };
  cardScripts.put(method.id, { ...script, detached: true });
  return detached;
}

function requireMethod({ paymentMethods }: StripeContext, id: string, param = 'id'): Stripe.PaymentMethod {
  const method = paymentMethods.get(id);
  if (!method) throw noSuch('PaymentMethod', id, param);
  return method;
}
