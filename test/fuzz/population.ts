/** A tenant with something of everything, so that generated requests meet subscriptions, invoices and payments. */
import { scopes } from '../../api/scopes.ts';
import { withTenant } from '../../db/client.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { createPlans, createTenant, type SeedPlan } from '../../db/seed/tenant.ts';
import { eventually } from '../../scripts/processes.ts';
import type { Product } from './product.ts';

export type Population = {
  /** May do everything. */
  apiKey: string;
  /** What requests may name, by the names that `schemathesis.toml` binds to parameters. */
  ids: Record<string, string[]>;
  /** Ids of what must not be revoked or archived. */
  kept: string[];
};

/** Everything is made through the API, but for the tenant, its plans and its first key. */
export async function populate({ stack, db, ok }: Product): Promise<Population> {
  const tenantId = await createTenant(db, { name: 'Acme Books' });
  const planRows = await createPlans(db, tenantId, plans);
  const newKey = (name: string) =>
    withTenant(db, tenantId, (tx) =>
      createApiKey(tx, { tenantId, name, scopes: [...scopes], expiresAt: null }),
    );
  const {
    token: apiKey,
    apiKey: { id: apiKeyId },
  } = await newKey('fuzz');
  const revocable = await Promise.all([newKey('to be revoked'), newKey('another')]);

  const customers: string[] = [];
  const subscriptions: string[] = [];
  const trials: string[] = [];
  const active: string[] = [];
  const paused: string[] = [];
  const changing: string[] = [];
  for (const [index, { plan, start, card, acts = [] }] of people.entries()) {
    const person = { email: `person-${index}@example.test`, name: `Person ${index}`, currency: 'USD' };
    const { id: customerId } = await ok(apiKey, 'POST', '/v1/customers', person);
    customers.push(customerId);
    if (plan === undefined) continue;
    const body = { customerId, planCode: plan, ...(start !== undefined && { start }) };
    const { id } = await ok(apiKey, 'POST', '/v1/subscriptions', body);
    subscriptions.push(id);
    if (card !== undefined && acts.length === 0) trials.push(id);
    const change = { paymentMethodId: card };
    if (card !== undefined) await ok(apiKey, 'PUT', `/v1/subscriptions/${id}/payment_method`, change);
    for (const act of acts) await ok(apiKey, 'POST', `/v1/subscriptions/${id}/${act}`, bodies[act] ?? {});
    if (acts.join() === 'convert') active.push(id);
    if (acts.includes('pause')) paused.push(id);
    if (acts.includes('change_plan')) changing.push(id);
  }
  const listed = async (path: string) =>
    ((await ok(apiKey, 'GET', `${path}?limit=100`)).data as { id: string }[]).map(({ id }) => id);
  const invoiced = people.filter(
    ({ start, acts }) => start === 'payment' || acts?.includes('convert'),
  ).length;
  const allInvoiced = async () => (await listed('/v1/invoices')).length >= invoiced;
  if (!(await eventually(allInvoiced, PATIENCE_MS))) throw new Error('Not all first payments were invoiced');
  const { data: paid } = await ok(apiKey, 'GET', '/v1/payments?limit=100');
  const [given, disputed] = paid as { id: string; externalId: string }[];
  if (given === undefined || disputed === undefined) throw new Error('Not two payments came in');
  await ok(apiKey, 'POST', `/v1/payments/${given.id}/refunds`, { amountMinor: 100 });
  await openDispute(stack, disputed.externalId);
  const allGivenBack = async () =>
    (await listed('/v1/credit_notes')).length > 0 && (await listed('/v1/disputes')).length > 0;
  if (!(await eventually(allGivenBack, PATIENCE_MS))) throw new Error('Refund or dispute was not booked');
  return {
    apiKey,
    kept: [apiKeyId, ...planRows.filter(({ family }) => family === 'books').map(({ id }) => id)],
    ids: {
      customers,
      subscriptions,
      trials,
      active,
      paused,
      changing,
      plans: planRows.map(({ id }) => id),
      planCodes: planRows.map(({ code }) => code),
      newCodes: Array.from({ length: 100 }, (_, index) => `plan-${index}`),
      invoices: await listed('/v1/invoices'),
      payments: await listed('/v1/payments'),
      refunds: await listed('/v1/refunds'),
      creditNotes: await listed('/v1/credit_notes'),
      disputes: await listed('/v1/disputes'),
      notifications: await listed('/v1/notifications'),
      apiKeys: revocable.map(({ apiKey: { id } }) => id),
      currencies: ['USD', 'JPY'],
      policies: ['standard_30', 'short_10', 'my_own'],
      cards: [
        'pm_card_visa',
        'pm_card_mastercard',
        'pm_card_chargeDeclined',
        'pm_card_chargeCustomerFail',
        'pm_card_authenticationRequired',
        'pm_unknown',
      ],
    },
  };
}

const PATIENCE_MS = 60_000;

/** The customer's bank wants the payment back. */
async function openDispute({ urls }: Product['stack'], paymentIntent: string): Promise<void> {
  const response = await fetch(`${urls.stripeSandbox}/_sandbox/disputes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ paymentIntent }),
  });
  if (!response.ok) throw new Error(`The sandbox opened no dispute: ${response.status}`);
}

/** A downgrade waits for the end of the period. */
const bodies: Record<string, object> = { change_plan: { planCode: 'pro-monthly' } };

type Person = { plan?: string; start?: 'trial' | 'payment'; card?: string; acts?: string[] };

/** Several in each state that a subscription can be brought into within the day, for requests change it. */
const people: readonly Person[] = [
  ...times(8, {}),
  ...times(4, { plan: 'pro-monthly' }),
  ...times(6, { plan: 'team-monthly', card: 'pm_card_visa' }),
  ...times(6, { plan: 'pro-monthly', card: 'pm_card_visa', acts: ['convert'] }),
  ...times(2, { plan: 'pro-monthly', card: 'pm_card_mastercard', acts: ['convert', 'cancel'] }),
  ...times(4, { plan: 'pro-monthly', card: 'pm_card_visa', acts: ['convert', 'pause'] }),
  ...times(4, { plan: 'team-monthly', card: 'pm_card_visa', acts: ['convert', 'change_plan'] }),
  ...times(4, { plan: 'team-monthly', start: 'payment' }),
  { plan: 'free' },
];

function times(count: number, person: Person): Person[] {
  return Array.from({ length: count }, () => person);
}

const monthly = { family: 'books', currency: 'USD', interval: { unit: 'month', count: 1 } } as const;

const plans: readonly SeedPlan[] = [
  { ...monthly, code: 'free', name: 'Free', rank: 0, priceMinor: 0, policy: { trialDays: 0 } },
  { ...monthly, code: 'pro-monthly', name: 'Pro monthly', rank: 1, priceMinor: 2900 },
  { ...monthly, code: 'team-monthly', name: 'Team monthly', rank: 2, priceMinor: 9900 },
  { ...monthly, code: 'pro-yen', name: 'Pro in yen', rank: 1, priceMinor: 3200, currency: 'JPY' },
  { ...monthly, code: 'old-1', name: 'Old', rank: 1, priceMinor: 1900, family: 'old' },
  { ...monthly, code: 'old-2', name: 'Older', rank: 1, priceMinor: 900, family: 'old' },
];
