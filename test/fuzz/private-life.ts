/**
 * A life full of private things: a customer with a name and an address pays by card, is declined, has to confirm,
 * pays a part by bank transfer and the rest by cheque with a note, leaves with harsh words and is erased; operators are told in their chat. On the way everything
 * that can fail fails once.
 */
import { scopes } from '../../api/scopes.ts';
import { withTenant } from '../../db/client.ts';
import { addPolicyVersion } from '../../db/queries/billing/dunning-policies.ts';
import { enqueueOperatorNotice } from '../../db/queries/messaging/operator-notices.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { createPlans, createTenant } from '../../db/seed/tenant.ts';
import { eventually } from '../../scripts/processes.ts';
import { picture } from '../support/proof-files.ts';
import { usd } from '../support/receiving-accounts.ts';
import { asOwner } from './owner.ts';
import type { Json, Product } from './product.ts';
import { sendStatement } from './statements.ts';

/** What the customer tells us. */
export const person = {
  email: 'Zenobia.Sentinel@Private-Mail.Test',
  name: 'Zenobia Sentinelsdottir',
  externalRef: 'sentinel-account-4711',
} as const;

export const words = {
  comment: 'sentinel words nobody else shall read',
  note: 'sentinel note from the bank counter',
  chequeNumber: 'sentinel-cheque-000417',
  earlierConfirmation: 'SENTINEL0304FED7788',
  confirmation: 'SENTINEL0305MMQF0001',
  statementText: 'sentinel words of the payer',
} as const;

export type PrivateLife = {
  /** Cards by which was paid or tried to be. */
  cards: string[];
  /** The secrets of the API keys it was lived with. */
  keySecrets: string[];
  /** What opens the connection to a bank, and what it was exchanged for. */
  bankTokens: string[];
  /** Bodies of all answers that were no success. */
  refusals: string[];
  /** Goes on to the end: the period ends and the data is erased. */
  live(): Promise<void>;
};

/** Lives to where the customer has cancelled and everything is still there. */
export async function beginPrivateLife(
  product: Product,
  { chatSecret }: { chatSecret: string },
): Promise<PrivateLife> {
  const { stack, db } = product;
  const refusals: string[] = [];
  const tenantId = await createFastTenant(product);
  const first = await withTenant(db, tenantId, (tx) =>
    createApiKey(tx, { tenantId, name: 'first', scopes: [...scopes], expiresAt: null }),
  );
  const made = await product.ok(first.token, 'POST', '/v1/api_keys', { name: 'second', scopes: [...scopes] });
  const key: string = made.token;

  const call = async (method: string, path: string, body?: unknown, usedKey = key): Promise<Json> => {
    const answer = await product.call(usedKey, method, path, body);
    if (answer.status >= 400) refusals.push(JSON.stringify(answer.body));
    return answer;
  };
  const refused = async (status: number, ...request: [string, string, unknown?, string?]) => {
    const answer = await call(...request);
    if (answer.status !== status) throw new Error(`${request[0]} ${request[1]}: ${JSON.stringify(answer)}`);
  };
  const ok = (method: string, path: string, body?: unknown) => product.ok(key, method, path, body);
  const newCard = async (...outcomes: string[]): Promise<string> => {
    const init = { method: 'POST', body: JSON.stringify({ outcomes }) };
    return (
      (await (await fetch(`${stack.urls.stripeSandbox}/_sandbox/cards`, init)).json()) as { id: string }
    ).id;
  };
  const cards = [
    await newCard('succeeded', 'insufficient_funds', 'generic_decline'),
    await newCard('authentication_required'),
  ];

  // Queries that fail, in the API and in the relay of the workers: their errors know the values they were sent with.
  const newPerson = { ...person, currency: 'USD' };
  await withoutRight(product, ['INSERT', 'customers'], () =>
    refused(500, 'POST', '/v1/customers', newPerson),
  );
  const { id: customerId } = await ok('POST', '/v1/customers', newPerson);
  await refused(409, 'POST', '/v1/customers', newPerson);
  await refused(400, 'POST', '/v1/customers', { ...newPerson, email: `${person.email} ${person.name}` });
  await refused(401, 'GET', `/v1/customers/${customerId}`, undefined, `${key}x`);

  const subscriptionId: string = await withoutRight(product, ['UPDATE', 'notifications'], async () => {
    const { id } = await ok('POST', '/v1/subscriptions', { customerId, planCode: 'pro' });
    await until('a mail fails', async () => (await failedDeliveries(product)) > 0);
    return id;
  });
  const path = `/v1/subscriptions/${subscriptionId}`;
  // An incoming webhook is its own password.
  const chatPath = `/services/T0/B0/${chatSecret}`;
  await refused(422, 'PUT', '/v1/report_settings', {
    recipient: null,
    chatUrl: `https://evil.test${chatPath}`,
  });
  await ok('PUT', '/v1/report_settings', { recipient: null, chatUrl: `${stack.urls.chat}${chatPath}` });
  const failingOnce = { next: [{ fault: 'drop_answer' }] };
  await fetch(`${stack.urls.chat}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(failingOnce) });
  await withTenant(db, tenantId, (tx) => {
    const notice = { subject: 'It needs a look', text: 'Somebody should look at it.' };
    return enqueueOperatorNotice(tx, { tenantId, key: 'private', at: new Date(), ...notice });
  });
  await until('the notice is posted', async () => {
    const posted = (await ok('GET', '/v1/notifications?channel=chat')).data;
    return posted[0]?.status === 'sent' && posted[0].attempts === 2;
  });
  // The same mailbox, by the rules for trials.
  const twin = { email: person.email.replace('@', '+again@'), name: 'Twin', currency: 'USD' };
  const { id: twinId } = await ok('POST', '/v1/customers', twin);
  await refused(409, 'POST', '/v1/subscriptions', { customerId: twinId, planCode: 'pro' });

  await refused(422, 'PUT', `${path}/payment_method`, { paymentMethodId: 'pm_of_nobody' });
  await ok('PUT', `${path}/payment_method`, { paymentMethodId: cards[0] });
  await ok('POST', `${path}/convert`, {});
  await until('the renewal fails', async () => (await ok('GET', path)).status === 'past_due');
  await call('PUT', `${path}/payment_method`, { paymentMethodId: cards[1] });
  const invoice = (await ok('GET', `/v1/invoices?subscriptionId=${subscriptionId}&status=open`)).data[0];
  const partMinor = await payPartByTransfer(product, { key, ok, refused, invoiceId: invoice.id });
  const cheque = {
    amountMinor: invoice.totalMinor - partMinor,
    currency: 'USD',
    method: 'cheque',
    chequeNumber: words.chequeNumber,
    reason: 'handed in',
    reference: 'cheque 1',
    note: words.note,
  };
  await ok('POST', `/v1/invoices/${invoice.id}/payments`, cheque);
  await until('it has recovered', async () => (await ok('GET', path)).status === 'active');
  const bankTokens = await connectBank(product, { ok, refused });
  await ok('POST', `${path}/cancel`, {
    mode: 'at_period_end',
    reason: 'too_expensive',
    comment: words.comment,
  });
  // What a mail carries is kept only until it has left.
  await until('every mail has left', async () => {
    const mails: { status: string }[] = (await ok('GET', '/v1/notifications?limit=100')).data;
    return mails.every(({ status }) => status !== 'queued' && status !== 'sending');
  });

  return {
    cards,
    keySecrets: [first.token, key].map((token) => token.split('.')[1] ?? ''),
    bankTokens,
    refusals,
    live: () => until('all is erased', async () => (await ok('GET', path)).closedAt !== null),
  };
}

type Calls = {
  ok(method: string, path: string, body?: unknown): Promise<Json>;
  refused(status: number, ...request: [string, string, unknown?, string?]): Promise<void>;
};

/**
 * The customer tells the number of a confirmation, and another one with a proof that is not accepted. What comes names nothing,
 * and somebody matches it. Returns how much it was, in cents.
 */
async function payPartByTransfer(
  product: Product,
  { key, ok, refused, invoiceId }: Calls & { key: string; invoiceId: string },
): Promise<number> {
  await ok('PUT', '/v1/bank_details', { expectedVersion: 0, accounts: [usd] });
  const { id } = await ok('POST', `/v1/invoices/${invoiceId}/bank_transfer`, { country: 'US' });
  const path = `/v1/bank_transfers/${id}`;
  await withoutRight(product, ['UPDATE', 'bank_transfers'], () =>
    refused(500, 'POST', `${path}/confirmation`, { number: words.earlierConfirmation }),
  );
  await ok('POST', `${path}/confirmation`, { number: words.earlierConfirmation });
  const form = new FormData();
  form.append('confirmationNumber', words.confirmation);
  form.append('file', new Blob([Uint8Array.from(await picture())]), `${person.name}.png`);
  const proof = await ok('POST', `${path}/proofs`, form);
  await ok('POST', `/v1/bank_proofs/${proof.id}/reject`, { reason: 'It cannot be read' });

  const csvMapping = {
    columns: {
      date: 'Date',
      amount: { kind: 'signed', column: 'Amount' },
      texts: ['Text'],
      payerName: 'Name',
      reference: 'Number',
    },
    dateFormat: 'YYYY-MM-DD',
  };
  const own = await ok('POST', '/v1/bank_accounts', { name: 'Current', currency: 'USD', csvMapping });
  const today = new Date().toISOString().slice(0, 10);
  const line = [today, '1.00', words.statementText, person.name, words.confirmation].join(';');
  await sendStatement({
    url: product.stack.urls.api,
    apiKey: key,
    accountId: own.id,
    file: `Date;Amount;Text;Name;Number\n${line}\n`,
  });
  const movement = async () => (await ok('GET', '/v1/bank_transactions')).data[0];
  await until('the movement is suggested', async () => (await movement()).status === 'suggested');
  await ok('POST', `/v1/bank_transactions/${(await movement()).id}/match`, { invoices: [{ invoiceId }] });
  return 100;
}

/** The company's own bank is connected, read, closed to us and asked all the same. */
async function connectBank({ stack: { urls } }: Product, { ok, refused }: Calls): Promise<string[]> {
  const atBank = async (path: string): Promise<Json> =>
    (await fetch(`${urls.plaidSandbox}/_sandbox/items${path}`, { method: 'POST', body: '{}' })).json();
  const { itemId, accessToken, publicToken } = await atBank('');
  const { id } = await ok('POST', '/v1/bank_connections', { publicToken });
  const path = `/v1/bank_connections/${id}`;
  await until('the bank is read', async () => (await ok('GET', path)).lastSyncedAt !== null);
  await refused(409, 'POST', '/v1/bank_connections', { publicToken: 'public-sandbox-of-nobody' });
  await atBank(`/${itemId}/revoke-access`);
  await ok('POST', `${path}/sync`, {});
  await until('access is known to be gone', async () => (await ok('GET', path)).status === 'revoked');
  await refused(409, 'POST', '/v1/bank_link_tokens', { bankConnectionId: id });
  await ok('POST', `${path}/test`, {});
  return [accessToken, publicToken];
}

/** A day lasts a second; nobody is dunned to the end. */
async function createFastTenant({ db }: Product): Promise<string> {
  const tenantId = await createTenant(db, { name: 'Acme Books', demoDaySeconds: 1 });
  await withTenant(db, tenantId, (tx) =>
    addPolicyVersion(tx, {
      tenantId,
      name: 'patient',
      graceDays: 3,
      technicalRetryMinutes: [1_440],
      steps: [
        { day: 2, retry: true, template: 'payment_failed_1' },
        { day: 300, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
      ],
    }),
  );
  const policy = {
    trialDays: 300,
    trialMessages: [],
    winBack: [{ template: 'win_back_1' as const, daysAfterEnd: 1 }],
    retentionDays: 3,
    dunningPolicy: 'patient',
  };
  const interval = { unit: 'week', count: 3 } as const;
  const plan = { code: 'pro', name: 'Pro', family: 'books', rank: 1, priceMinor: 2900, currency: 'USD' };
  await createPlans(db, tenantId, [{ ...plan, interval, policy }]);
  return tenantId;
}

/** Does something while the processes lack a right, so that every statement which needs it fails. */
async function withoutRight<T>(
  { stack }: Product,
  [right, table]: readonly [string, string],
  work: () => Promise<T>,
): Promise<T> {
  const { adminUrl } = stack.config.database;
  await asOwner(adminUrl, `REVOKE ${right} ON ${table} FROM perennial_app`);
  try {
    return await work();
  } finally {
    await asOwner(adminUrl, `GRANT ${right} ON ${table} TO perennial_app`);
  }
}

async function failedDeliveries({ stack }: Product): Promise<number> {
  const { adminUrl } = stack.config.database;
  return (await asOwner(adminUrl, 'SELECT id FROM outbox WHERE last_error IS NOT NULL')).length;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  if (!(await eventually(condition, PATIENCE_MS))) throw new Error(`Waited in vain until ${what}`);
}

const PATIENCE_MS = 120_000;
