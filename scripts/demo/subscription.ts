/**
 * A subscription's whole life: trial, conversion, renewal, failure, dunning, recovery, cancellation, erasure. Only the
 * length of a day differs from real life; everything goes through the API, as an engineer would drive it.
 */
import type { Stack } from '../stack.ts';
import { progress } from '../terminal.ts';
import { createDemoApi, type DemoApi } from './demo-api.ts';
import { createNarrator } from './narrator.ts';

export async function playSubscription(stack: Stack): Promise<object> {
  const api = createDemoApi(stack);
  progress('Ann tries Acme Books for 14 days. A day lasts one second here.\n');
  const customer = await api.post('/v1/customers', {
    email: 'ann@example.test',
    name: 'Ann Example',
    currency: 'USD',
  });
  const subscription = await api.post('/v1/subscriptions', {
    customerId: customer['id'],
    planCode: 'pro-monthly',
  });
  const id = String(subscription['id']);
  const narrator = createNarrator({
    api,
    subscriptionId: id,
    startedAt: String(subscription['startedAt']),
    dayMs: stack.config.demoDaySeconds * 1000,
  });
  progress(`  ${subscription['links']['temporal']}\n`);

  const card = await api.card(['succeeded', 'insufficient_funds']);
  await api.put(`/v1/subscriptions/${id}/payment_method`, { paymentMethodId: card });
  await narrator.until('trial_message');
  narrator.say('Her card is on file, so the trial will convert by itself on day 14.');
  await narrator.until('activated');
  narrator.say('She is a paying customer. In a month the card will have run dry …');
  await narrator.until('past_due');
  narrator.say(
    'The renewal failed. The ladder begins: charges and mails on days 1, 3 and 5, then access is restricted.',
  );
  await narrator.until('access_restricted');
  narrator.say('Ann notices, and adds another card. It is charged at once.');
  await api.put(`/v1/subscriptions/${id}/payment_method`, { paymentMethodId: await api.card(['succeeded']) });
  await narrator.until('recovered');
  narrator.say('Full access again. A little later she leaves after all, and says why.');
  await api.post(`/v1/subscriptions/${id}/cancel`, {
    mode: 'now',
    reason: 'too_expensive',
    comment: 'I only need it in spring.',
  });
  await narrator.until('data_erased');
  narrator.say('Thirty days after the end nothing personal is left; the invoices stay under a pseudonym.\n');

  return {
    process: 'subscription',
    subscriptionId: id,
    ...(await account(api, id)),
    timeline: narrator.told(),
  };
}

/** What it came to, by the vendor's own books and by ours. */
async function account(api: DemoApi, subscriptionId: string) {
  const { status, access, closedAt } = await api.get(`/v1/subscriptions/${subscriptionId}`);
  const invoices = await api.list(`/v1/invoices?subscriptionId=${subscriptionId}`);
  const mails = await api.list(`/v1/notifications?subscriptionId=${subscriptionId}`);
  const charges = await api.vendorCharges();
  return {
    status,
    access,
    erased: closedAt !== null,
    invoicesPaid: invoices.filter((invoice) => invoice['status'] === 'paid').length,
    vendorCharges: charges.length,
    invoicesChargedTwice: charges.length - new Set(charges.map((charge) => charge['businessRef'])).size,
    mailsSent: mails.filter((mail) => mail['status'] === 'sent').length,
  };
}
