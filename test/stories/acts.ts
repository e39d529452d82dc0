/** What the actors of stories do, each through the API. */
import type { Act, Actor } from './ensemble.ts';
import { invoicesOf, readSubscription, useCard } from './people.ts';
import type { Answer, Body } from './world.ts';

/** Another card, whose issuer answers as the script says. It is charged at once. */
export function newCard(...outcomes: string[]) {
  return ({ world, subscriptionId }: Subject) => useCard(world, subscriptionId, ...outcomes);
}

/** The outcomes of a card that has no money so many times. */
export function declines(times: number): string[] {
  return Array.from({ length: times }, () => 'insufficient_funds');
}

/** Money that came in beside the card vendor: what is due, unless an amount is given. */
export function payOutside(amountMinor?: number): Act {
  return async (actor) => {
    const { id, dueMinor, currency } = await invoiceNow(actor);
    const reference = `wire ${actor.subscriptionId} ${actor.world.now().toISOString()}`;
    const how = { method: 'wire', reason: 'on the statement' };
    const body = { amountMinor: amountMinor ?? dueMinor, currency, reference, ...how };
    return actor.world.ok('POST', `/v1/invoices/${id}/payments`, body);
  };
}

type Subject = Pick<Actor, 'world' | 'subscriptionId'>;

export function cancelNow({ world, subscriptionId }: Subject): Promise<Body> {
  return world.ok('POST', `/v1/subscriptions/${subscriptionId}/cancel`, { mode: 'now' });
}

export function cancelAtPeriodEnd({ world, subscriptionId }: Subject): Promise<Body> {
  return world.ok('POST', `/v1/subscriptions/${subscriptionId}/cancel`, {});
}

/** Asks for a cancellation, which may be refused. */
export function cancel({ world, subscriptionId }: Subject, body: Body = {}): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/cancel`, { body });
}

/** Asks to take a cancellation back, which may be refused. */
export function undo({ world, subscriptionId }: Subject): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/undo_cancel`);
}

/** Asks for another plan or other seats, which may be refused. */
export function changePlan({ world, subscriptionId }: Subject, body: Body): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/change_plan`, { body });
}

export function previewChange({ world, subscriptionId }: Subject, body: Body): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/preview_change`, { body });
}

/** Asks to take a change back that waits, which may be refused. */
export function undoChange({ world, subscriptionId }: Subject): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/undo_change`);
}

/** Asks to pause, which may be refused. */
export function pause({ world, subscriptionId }: Subject, body: Body = {}): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/pause`, { body });
}

/** Asks to resume, which may be refused. */
export function resume({ world, subscriptionId }: Subject): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/resume`);
}

/** Naming the card that is on file once more: a try that the customer asks for. */
export async function retryByHand(actor: Actor): Promise<Answer> {
  const { world, subscriptionId } = actor;
  const { defaultPaymentMethodId: paymentMethodId } = await customerOf(actor);
  return world.request('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, {
    body: { paymentMethodId },
  });
}

/** The invoice of the renewal, as it is now. */
export async function invoiceNow({ world, subscriptionId, invoice }: Actor): Promise<Body> {
  return (await invoicesOf(world, subscriptionId)).find(({ id }) => id === invoice.id);
}

export async function customerOf({ world, subscriptionId }: Subject): Promise<Body> {
  const { customerId } = await readSubscription(world, subscriptionId);
  return world.ok('GET', `/v1/customers/${customerId}`);
}

/** The vendor's id of the invoice's latest payment. */
export function paymentOf({ world, invoice }: Actor): string {
  const payment = world.stripe
    .effects()
    .findLast(({ businessRef, op }) => businessRef === invoice.id && op === 'payment_intents.create');
  if (payment?.objectId == null) throw new Error(`Nobody has charged invoice ${invoice.number}`);
  return payment.objectId;
}

/** The customer answers on the page of the bank. */
export function answerBank(answer: 'confirm' | 'fail'): Act {
  return async (actor) => actor.world.stripe.authenticate(paymentOf(actor), answer);
}

/** The bank is done with the charge it worked on: `succeeded`, or a decline code. */
export function bankDecides(outcome: string): Act {
  return async (actor) => actor.world.stripe.settle(paymentOf(actor), outcome);
}
