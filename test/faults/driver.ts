/** What the callers of the API do in these tests: create customers, start subscriptions, give cards, many at once. */
import type { ApiClient } from './api-client.ts';
import type { FaultStack } from './fault-stack.ts';
import type { FastTenant } from './tenant.ts';

export type Driven = { tenant: FastTenant; client: ApiClient };

/** A new customer's trial of one of the tenant's plans. `name` makes the keys of the requests. */
export async function startSubscription(
  { client, tenant }: Driven,
  name: string,
  index: number,
): Promise<string> {
  const plan = tenant.plans[index % tenant.plans.length];
  if (plan === undefined) throw new Error('The tenant has no plans');
  const customerId = await created(client, '/v1/customers', `customer-${name}-${index}`, {
    email: `${name}-${index}@example.com`,
    name: `Customer ${index}`,
    currency: plan.currency,
  });
  return created(client, '/v1/subscriptions', `subscription-${name}-${index}`, {
    customerId,
    planCode: plan.code,
  });
}

/** A card that behaves as the script says, one outcome for each attempt. */
export async function giveCard(
  { client, control }: Pick<Driven, 'client'> & Pick<FaultStack, 'control'>,
  subscriptionId: string,
  outcomes: readonly string[],
): Promise<void> {
  const card = await control<{ id: string }>('stripe', 'cards', { outcomes });
  const { status, body } = await client.write({
    method: 'PUT',
    path: `/v1/subscriptions/${subscriptionId}/payment_method`,
    key: `card-${subscriptionId}`,
    body: { paymentMethodId: card.id },
  });
  if (status !== 200) throw new Error(`The card was refused: ${JSON.stringify(body)}`);
}

/** `act` for 0 … count-1, a few at a time. */
export async function inLanes(count: number, act: (index: number) => Promise<void>): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const lane = async () => {
    for (const index of indexes) await act(index);
  };
  await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane));
}

const LANES = 10;

async function created(client: ApiClient, path: string, key: string, body: unknown): Promise<string> {
  const answer = await client.write({ method: 'POST', path, key, body });
  const { id } = answer.body;
  if (typeof id !== 'string')
    throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return id;
}
