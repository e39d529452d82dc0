/** What people do in stories, through the API. */
import type { SentMail } from '../../integrations/resend/sandbox/emails.ts';
import type { Body, World } from './world.ts';

let population = 0;

/** A new customer; everybody has a name and an address of their own. */
export async function newCustomer(
  world: World,
  { email, currency = 'USD' }: { email?: string; currency?: string } = {},
): Promise<string> {
  population += 1;
  const person = {
    email: email ?? `person-${population}@example.test`,
    name: `Person ${population}`,
    currency,
  };
  return (await world.ok('POST', '/v1/customers', person)).id;
}

/** Starts a subscription, of a new customer unless one is named; returns its id. */
export async function subscribe(
  world: World,
  {
    plan = 'pro-monthly',
    start,
    customerId,
  }: { plan?: string; start?: 'trial' | 'payment'; customerId?: string } = {},
): Promise<string> {
  const owner = customerId ?? (await newCustomer(world));
  const body = { customerId: owner, planCode: plan, ...(start !== undefined && { start }) };
  return (await world.ok('POST', '/v1/subscriptions', body)).id;
}

/** Gives the subscription a new card whose issuer answers as the script says; returns the API's answer. */
export async function useCard(world: World, subscriptionId: string, ...outcomes: string[]): Promise<Body> {
  const paymentMethodId = world.stripe.createCard({ outcomes });
  return world.ok('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, { paymentMethodId });
}

/**
 * Gives the subscription a bank account, verified, with a mandate; returns the API's answer. What the bank answers to its
 * debits is told when they are settled, by the script where the story does not say.
 */
export async function useBankAccount(
  world: World,
  subscriptionId: string,
  ...answers: string[]
): Promise<Body> {
  const script = answers.length === 0 ? ['succeeded'] : answers;
  const paymentMethodId = world.stripe.createBankAccount({ answers: script });
  return world.ok('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, { paymentMethodId });
}

/**
 * A subscription that is paid for from now on, by a card whose issuer answers the charges after the first one as the
 * script says; returns its id.
 */
export async function subscribePaid(
  world: World,
  { outcomes, ...options }: { outcomes: string[]; plan?: string; customerId?: string },
): Promise<string> {
  const id = await subscribe(world, { ...options, start: 'trial' });
  await useCard(world, id, 'succeeded', ...outcomes);
  await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
  return id;
}

export function readSubscription(world: World, subscriptionId: string): Promise<Body> {
  return world.ok('GET', `/v1/subscriptions/${subscriptionId}`);
}

/** The mails that left about the subscription, oldest first, as they were read. */
export async function mailsOf(world: World, subscriptionId: string): Promise<SentMail[]> {
  const { data } = await world.ok('GET', `/v1/notifications?subscriptionId=${subscriptionId}&limit=100`);
  const ids = new Set(data.map((notification: Body) => notification.id));
  const idOf = ({ tags }: SentMail) => tags.find(({ name }) => name === 'notificationId')?.value;
  return world.resend.mails().filter((mail) => ids.has(idOf(mail)));
}

/** The subscription's invoices, oldest first. */
export async function invoicesOf(world: World, subscriptionId: string): Promise<Body[]> {
  const { data } = await world.ok('GET', `/v1/invoices?subscriptionId=${subscriptionId}&limit=100`);
  return data.reverse();
}
