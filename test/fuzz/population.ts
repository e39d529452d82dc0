/** A tenant with something of everything, so that generated requests meet subscriptions, invoices and payments. */
import { scopes } from '../../api/scopes.ts';
import { withTenant } from '../../db/client.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { createPlans, createTenant, type SeedPlan } from '../../db/seed/tenant.ts';
import { eventually } from '../../scripts/processes.ts';
import { COIN_INVOICES, populateCoins } from './coins.ts';
import { populateMovements } from './movements.ts';
import type { Json, Product } from './product.ts';
import { populateStatements } from './statements.ts';
import { populateTransfers, TRANSFER_INVOICES } from './transfers.ts';

export type Population = {
  /** May do everything. */
  apiKey: string;
  /** What requests may name, by the names that `schemathesis.toml` binds to parameters. */
  ids: Record<string, string[]>;
  /** Ids of what must not be revoked or archived. */
  kept: string[];
  /** What Razorpay calls our orders and subscriptions. */
  razorpayIds: Record<string, string>;
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

  for (const [index, terms] of [
    { percent: 20 },
    { percent: 100, periods: 1 },
    { percent: 5, periods: 3 },
  ].entries())
    await ok(apiKey, 'POST', '/v1/coupons', { code: couponCodes[index], ...terms });
  const { data: redeemable } = await ok(apiKey, 'GET', '/v1/coupons');
  for (const code of ['OLD-1', 'OLD-2', 'OLD-3'])
    await ok(apiKey, 'POST', '/v1/coupons', { code, percent: 1 });

  const customers: string[] = [];
  const customerOf = new Map<string, string>();
  const pools: Record<Pool | 'subscriptions', string[]> = {
    subscriptions: [],
    trials: [],
    active: [],
    paused: [],
    changing: [],
    rupees: [],
    discountable: [],
    discounted: [],
  };
  for (const [index, person] of people.entries()) {
    const { plan, pool = 'subscriptions', start, card, couponCode, acts = [], currency = 'USD' } = person;
    const who = { email: `person-${index}@example.test`, name: `Person ${index}`, currency };
    const { id: customerId } = await ok(apiKey, 'POST', '/v1/customers', who);
    customers.push(customerId);
    if (plan === undefined) continue;
    const body = { customerId, planCode: plan, start, couponCode };
    const { id } = await ok(apiKey, 'POST', '/v1/subscriptions', body);
    customerOf.set(id, customerId);
    pools[pool].push(id);
    const change = { paymentMethodId: card };
    if (card !== undefined) await ok(apiKey, 'PUT', `/v1/subscriptions/${id}/payment_method`, change);
    for (const act of acts) await ok(apiKey, 'POST', `/v1/subscriptions/${id}/${act}`, bodies[act] ?? {});
  }
  await ok(apiKey, 'POST', '/v1/tax_rates', {
    country: 'DE',
    kind: 'vat',
    name: 'VAT',
    percent: '19',
    validFrom: '2021-01-01',
  });
  const listed = async (path: string) => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = cursor === '' ? 'limit=100' : `limit=100&cursor=${cursor}`;
      const { data, nextCursor } = await ok(apiKey, 'GET', `${path}?${query}`);
      ids.push(...(data as { id: string }[]).map(({ id }) => id));
      cursor = nextCursor;
    }
    return ids;
  };
  const invoiced = people.filter(
    ({ start, acts }) => start === 'payment' || acts?.includes('convert'),
  ).length;
  const allInvoiced = async () => (await listed('/v1/invoices')).length >= invoiced;
  if (!(await eventually(allInvoiced, PATIENCE_MS))) throw new Error('Not all first payments were invoiced');
  const drafts: string[] = [];
  for (const subscriptionId of [...customerOf.keys(), ...customerOf.keys()]) {
    const lines = [{ description: 'A workshop', unitMinor: 900 }];
    drafts.push((await ok(apiKey, 'POST', '/v1/invoices', { subscriptionId, lines })).id);
  }
  // Of a customer whom no request names, so that none erases what the others are about.
  const inCoins: string[] = [];
  const payer = { email: 'payer@example.test', name: 'Payer', currency: 'USD' };
  const { id: payerId } = await ok(apiKey, 'POST', '/v1/customers', payer);
  const { id: inCoinsId } = await ok(apiKey, 'POST', '/v1/subscriptions', {
    customerId: payerId,
    planCode: 'pro-monthly',
  });
  while (inCoins.length < COIN_INVOICES) {
    const lines = [{ description: 'A workshop', unitMinor: 900 }];
    const { id } = await ok(apiKey, 'POST', '/v1/invoices', { subscriptionId: inCoinsId, lines });
    await ok(apiKey, 'POST', `/v1/invoices/${id}/finalise`);
    inCoins.push(id);
  }
  const { token: operatorKey } = await newKey('operator');
  const coins = await populateCoins({
    db,
    tenantId,
    invoiceIds: inCoins,
    ok: (...request) => ok(apiKey, ...request),
    byAnother: (...request) => ok(operatorKey, ...request),
  });
  const byTransfer: string[] = [];
  while (byTransfer.length < TRANSFER_INVOICES) {
    const lines = [{ description: 'A workshop', unitMinor: 900 }];
    const { id } = await ok(apiKey, 'POST', '/v1/invoices', { subscriptionId: inCoinsId, lines });
    await ok(apiKey, 'POST', `/v1/invoices/${id}/finalise`);
    byTransfer.push(id);
  }
  const document = (await (await fetch(`${stack.urls.api}/openapi.json`)).json()) as Json;
  const { requestBody } = document.paths['/v1/bank_details'].put;
  const transfers = await populateTransfers({
    bankDetails: requestBody.content['application/json'].example,
    invoiceIds: byTransfer,
    ok: (...request) => ok(apiKey, ...request),
  });
  // Its money becomes credit, which would pay what is issued after it.
  const movements = await populateMovements({
    db,
    tenantId,
    customerId: payerId,
    subscriptionId: inCoinsId,
    ok: (...request) => ok(apiKey, ...request),
  });
  const issued = drafts.splice(0, 8 * ISSUED_EACH);
  for (const id of issued) await ok(apiKey, 'POST', `/v1/invoices/${id}/finalise`);
  const [
    voidable = [],
    uncollectible = [],
    payable = [],
    orderable = [],
    ordered = [],
    offerable = [],
    offered = [],
    almostPaid = [],
  ] = Array.from({ length: 8 }, (_, index) => issued.slice(index * ISSUED_EACH, (index + 1) * ISSUED_EACH));
  const debtors = [...customerOf.values()].slice(issued.length);
  for (const id of drafts.splice(0, debtors.length)) await ok(apiKey, 'POST', `/v1/invoices/${id}/finalise`);
  // Of another customer whom no request names.
  const owner = { email: 'owner@example.test', name: 'Owner', currency: 'USD' };
  const { id: ownerId } = await ok(apiKey, 'POST', '/v1/customers', owner);
  const owned = { customerId: ownerId, planCode: 'pro-monthly' };
  const { id: ownedId } = await ok(apiKey, 'POST', '/v1/subscriptions', owned);
  const lines = [{ description: 'A workshop', unitMinor: 900 }];
  const { id: ownInvoice } = await ok(apiKey, 'POST', '/v1/invoices', { subscriptionId: ownedId, lines });
  await ok(apiKey, 'POST', `/v1/invoices/${ownInvoice}/finalise`);
  const cheques: string[] = [];
  const approvals: string[] = [];
  for (let index = 0; index < 2 * ISSUED_EACH; index += 1) {
    const how = { currency: 'USD', method: 'cheque', reason: 'handed in' };
    const path = `/v1/invoices/${ownInvoice}/payments`;
    const cheque = { ...how, amountMinor: 1, reference: `cheque ${index}` };
    cheques.push((await ok(apiKey, 'POST', path, cheque)).paymentId);
    // Of another person than the one who decides.
    const large = { ...how, amountMinor: 100_000, reference: `large cheque ${index}` };
    approvals.push((await ok(operatorKey, 'POST', path, large)).id);
  }
  for (const [index, invoiceId] of almostPaid.entries()) {
    const part = { amountMinor: 850, currency: 'USD', method: 'cash', reason: 'at the counter' };
    const reference = `part ${index}`;
    await ok(apiKey, 'POST', `/v1/invoices/${invoiceId}/payments`, { ...part, reference });
  }
  const today = new Date().toISOString().slice(0, 10);
  const rate = { date: today, base: 'USD', quote: 'JPY', rate: '151.2', reason: 'no_source' };
  await ok(operatorKey, 'POST', '/v1/exchange_rates', rate);
  const { data: paid } = await ok(apiKey, 'GET', '/v1/payments?limit=100');
  const [given, disputed] = (paid as { id: string; externalId: string; rail: string }[]).filter(
    ({ rail }) => rail === 'stripe',
  );
  if (given === undefined || disputed === undefined) throw new Error('Not two payments by card came in');
  await ok(apiKey, 'POST', `/v1/payments/${given.id}/refunds`, { amountMinor: 100 });
  await openDispute(stack, disputed.externalId);
  const allGivenBack = async () =>
    (await listed('/v1/credit_notes')).length > 0 && (await listed('/v1/disputes')).length > 0;
  if (!(await eventually(allGivenBack, PATIENCE_MS))) throw new Error('Refund or dispute was not booked');
  const razorpayIds: Record<string, string> = {};
  const orders: string[] = [];
  for (const invoiceId of ordered) {
    const { id, checkout } = await ok(apiKey, 'POST', `/v1/invoices/${invoiceId}/razorpay_orders`);
    orders.push(id);
    razorpayIds[id] = checkout.order_id;
  }
  for (const id of pools.rupees) {
    const { externalId } = await ok(apiKey, 'POST', `/v1/subscriptions/${id}/razorpay_subscription`);
    razorpayIds[id] = externalId;
  }
  const checkouts: string[] = [];
  for (const invoiceId of offered) {
    checkouts.push((await ok(apiKey, 'POST', `/v1/invoices/${invoiceId}/coinbase_checkouts`)).id);
  }
  const banks = await connectBanks(stack, (method, path, body) => ok(apiKey, method, path, body));
  const statements = await populateStatements({
    url: stack.urls.api,
    apiKey,
    ok: (...request) => ok(apiKey, ...request),
  });
  return {
    apiKey,
    razorpayIds,
    kept: [
      apiKeyId,
      ...planRows.filter(({ family }) => family === 'books').map(({ id }) => id),
      ...(redeemable as { id: string }[]).map(({ id }) => id),
      ...(coins['account'] ?? []),
    ],
    ids: {
      ...coins,
      ...movements,
      ...transfers,
      bankProofs: [...(transfers['approvableProofs'] ?? []), ...(transfers['rejectableProofs'] ?? [])],
      ...statements,
      customers,
      ...pools,
      debtors,
      voidable,
      uncollectible,
      payable,
      almostPaid,
      cheques,
      approvals,
      approvablePayments: approvals.slice(0, ISSUED_EACH),
      rejectablePayments: approvals.slice(ISSUED_EACH),
      orderable,
      orders,
      offerable,
      checkouts,
      ...banks,
      plans: planRows.map(({ id }) => id),
      planCodes: planRows.map(({ code }) => code),
      newCodes: Array.from({ length: 100 }, (_, index) => `plan-${index}`),
      coupons: await listed('/v1/coupons'),
      couponCodes,
      taxRates: await listed('/v1/tax_rates'),
      drafts,
      invoices: (await listed('/v1/invoices')).filter(
        (id) => id !== ownInvoice && !inCoins.includes(id) && !byTransfer.includes(id),
      ),
      payments: await listed('/v1/payments'),
      refunds: await listed('/v1/refunds'),
      creditNotes: await listed('/v1/credit_notes'),
      disputes: await listed('/v1/disputes'),
      notifications: await listed('/v1/notifications'),
      apiKeys: revocable.map(({ apiKey: { id } }) => id),
      currencies: ['USD', 'JPY'],
      rateDays: [today],
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

/** Connections to banks, and what Link has given for more of them. */
async function connectBanks(
  { urls }: Product['stack'],
  ok: (method: string, path: string, body?: object) => Promise<Json>,
): Promise<Record<string, string[]>> {
  const atBank = async (path: string, body: object): Promise<Json> => {
    const url = `${urls.plaidSandbox}/_sandbox/items${path}`;
    return (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json();
  };
  const linked = async (): Promise<string> => (await atBank('', {})).publicToken;
  const connect = async (publicToken: string): Promise<string> =>
    (await ok('POST', '/v1/bank_connections', { publicToken })).id;
  const connected = async () => connect(await linked());
  const { itemId, publicToken } = await atBank('', {});
  const coin = { amount: '-1.00', description: 'COIN', date: '2026-03-04', unofficialCurrency: 'DOGE' };
  const { ids: unreadable } = await atBank(`/${itemId}/transactions`, { transactions: [coin] });
  const unreadableAt = await connect(publicToken);
  const isListed = async () =>
    (await ok('GET', `/v1/bank_connections/${unreadableAt}`)).unreadable.length > 0;
  if (!(await eventually(isListed, PATIENCE_MS))) throw new Error('An unreadable movement was not read');
  const times = <T>(count: number, make: () => Promise<T>) =>
    Promise.all(Array.from({ length: count }, make));
  return {
    connections: await times(4, connected),
    unlinkable: await times(6, connected),
    unreadableAt: [unreadableAt],
    unreadable,
    publicTokens: await times(40, linked),
  };
}

const PATIENCE_MS = 60_000;

/** So many open invoices are there for each operation that closes one. */
const ISSUED_EACH = 4;

/** The customer's bank wants the payment back. */
async function openDispute({ urls }: Product['stack'], paymentIntent: string): Promise<void> {
  const response = await fetch(`${urls.stripeSandbox}/_sandbox/disputes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ paymentIntent }),
  });
  if (!response.ok) throw new Error(`The sandbox opened no dispute: ${response.status}`);
}

const couponCodes = ['SPRING-20', 'FREE-ONCE', 'FIVE-THRICE'];

/** A downgrade waits for the end of the period. */
const bodies: Record<string, object> = { change_plan: { planCode: 'pro-monthly' } };

/** Subscriptions for the operations that take them out of the state they are in; the others leave them alone. */
type Pool = 'trials' | 'active' | 'paused' | 'changing' | 'rupees' | 'discountable' | 'discounted';

type Person = {
  plan?: string;
  pool?: Pool;
  start?: 'trial' | 'payment';
  card?: string;
  couponCode?: string;
  acts?: string[];
  currency?: string;
};

const converted = { plan: 'pro-monthly', card: 'pm_card_visa', acts: ['convert'] };

/** Several in each state that a subscription can be brought into within the day, for requests change it. */
const people: readonly Person[] = [
  ...times(8, {}),
  ...times(4, { plan: 'pro-monthly' }),
  ...times(4, { plan: 'team-monthly', card: 'pm_card_visa' }),
  ...times(6, converted),
  ...times(2, { plan: 'pro-monthly', card: 'pm_card_mastercard', acts: ['convert', 'cancel'] }),
  ...times(4, { plan: 'team-monthly', start: 'payment' }),
  ...times(6, { plan: 'team-monthly', card: 'pm_card_visa', pool: 'trials' }),
  ...times(6, { ...converted, pool: 'active' }),
  ...times(4, { ...converted, acts: ['convert', 'pause'], pool: 'paused' }),
  ...times(6, {
    plan: 'team-monthly',
    card: 'pm_card_visa',
    acts: ['convert', 'change_plan'],
    pool: 'changing',
  }),
  ...times(4, { ...converted, pool: 'discountable' }),
  ...times(4, { ...converted, couponCode: 'FIVE-THRICE', pool: 'discounted' }),
  ...times(5, { plan: 'pro-rupee', currency: 'INR', pool: 'rupees' }),
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
  { ...monthly, code: 'pro-rupee', name: 'Pro in rupees', rank: 1, priceMinor: 249_900, currency: 'INR' },
  { ...monthly, code: 'pro-yen', name: 'Pro in yen', rank: 1, priceMinor: 3200, currency: 'JPY' },
  { ...monthly, code: 'old-1', name: 'Old', rank: 1, priceMinor: 1900, family: 'old' },
  { ...monthly, code: 'old-2', name: 'Older', rank: 1, priceMinor: 900, family: 'old' },
];
