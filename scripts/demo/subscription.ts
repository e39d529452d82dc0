/**
 * A subscription's whole life: trial, conversion, a renewal that is paid and one that fails, dunning, recovery,
 * cancellation, erasure. Only the length of a day differs from real life; everything goes through the API, as an
 * engineer would drive it.
 */
import type { Stack } from '../stack.ts';
import { progress } from '../terminal.ts';
import { brokenPromises, takeAccount } from './account.ts';
import { createDemoApi } from './demo-api.ts';
import { createNarrator } from './narrator.ts';

export async function playSubscription(stack: Stack): Promise<Ending> {
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

  const card = await api.card(['succeeded', 'succeeded', 'insufficient_funds']);
  await api.put(`/v1/subscriptions/${id}/payment_method`, { paymentMethodId: card });
  await narrator.until('trial_message');
  narrator.say('Her card is on file, so the trial will convert by itself on day 14.');
  await narrator.until('activated');
  narrator.say('She is a paying customer. In a month her subscription renews.');
  await narrator.until('renewed');
  await narrator.until('payment_received');
  narrator.say('The renewal is paid. In another month the card will have run dry …');
  await narrator.until('past_due');
  narrator.say(
    'This renewal failed. The ladder begins: charges and mails on days 1, 3 and 5, then access is restricted.',
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

  const account = await takeAccount(api, id);
  return {
    outcome: { process: 'subscription', subscriptionId: id, ...account, timeline: narrator.told() },
    broken: brokenPromises(account),
  };
}

/** What a demo came to, and what of it is not as it was to be. */
export type Ending = { outcome: object; broken: string[] };
