/**
 * Three invoices to be paid by bank transfer, and a statement of the bank with what a bank tells besides. Two of them are found by
 * their reference; of the third, which was sent without one, an operator accepts the suggestion. Everything goes through the API.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '../stack.ts';
import { progress } from '../terminal.ts';
import { createDemoApi, type DemoApi } from './demo-api.ts';
import type { Ending } from './subscription.ts';

export async function playBankReconciliation(stack: Stack): Promise<Ending> {
  const api = createDemoApi(stack);
  progress('Acme Books is paid by bank transfer, into its account at the First Bank.\n');
  const customers = await Promise.all(['Cy Example', 'Dee Sample'].map((name) => subscribe(api, name)));
  const [cy = '', dee = ''] = customers;
  const exact = await ask(api, { subscriptionId: cy, unitMinor: 49_900 });
  const over = await ask(api, { subscriptionId: cy, unitMinor: 12_000 });
  const unnamed = await ask(api, { subscriptionId: dee, unitMinor: 7_700 });

  progress('\nThe next morning the bank sends its statement: noise, and three payments among it.\n');
  const accountId = await readStatement(api, [
    ['-89.00', 'OFFICE SUPPLIES 48213075'],
    ['499.00', `WT FED#01234 /ORG=CY EXAMPLE RFB# ${spaced(exact.reference)}`],
    ['0.42', 'INTEREST'],
    ['150.00', `ach credit ${over.reference.toLowerCase()}`],
    ['1830.11', 'STRIPE TRANSFER ST-K2M4'],
    ['77.00', 'INCOMING WIRE DEE SAMPLE'],
  ]);
  const movements = await onceDecided(api, accountId);
  for (const movement of movements) await tell(api, movement);

  const suggested = movements.filter(({ status }) => status === 'suggested');
  for (const { id } of suggested) {
    const { data } = await api.get(`/v1/bank_transactions/${id}/decisions`);
    const [best] = data.at(-1).suggestions;
    const { invoiceId, reference } = best.invoices[0];
    progress(`\nAn operator accepts the suggestion: it pays ${reference}.\n`);
    await api.post(`/v1/bank_transactions/${id}/match`, {
      invoices: [{ invoiceId }],
      reason: 'the name and the amount are those of the invoice',
    });
  }
  const account = await takeAccount(api, { accountId, invoices: [exact, over, unnamed] });
  return { outcome: { process: 'bank-reconciliation', ...account }, broken: broken(account) };
}

type Transfer = { invoiceId: string; customerId: string; reference: string };

/** Issues an invoice and asks for a bank transfer. */
async function ask(
  api: DemoApi,
  { subscriptionId, unitMinor }: { subscriptionId: string; unitMinor: number },
): Promise<Transfer> {
  const lines = [{ description: 'Printed catalogue', unitMinor }];
  const draft = await api.post('/v1/invoices', { subscriptionId, lines });
  const { id: invoiceId, number, customerId } = await api.post(`/v1/invoices/${draft['id']}/finalise`, {});
  const { reference, pageUrl } = await api.post(`/v1/invoices/${invoiceId}/bank_transfer`, { country: 'US' });
  progress(`Invoice ${number} is to be paid with the reference ${reference}\n  ${pageUrl}`);
  return { invoiceId, customerId, reference };
}

async function subscribe(api: DemoApi, name: string): Promise<string> {
  const email = `${name.toLowerCase().replace(' ', '.')}@example.test`;
  const customer = await api.post('/v1/customers', { email, name, currency: 'USD' });
  const body = { customerId: customer['id'], planCode: 'free' };
  return (await api.post('/v1/subscriptions', body))['id'];
}

/** Gives the bank's file, of today, to the account; returns the account. */
async function readStatement(api: DemoApi, rows: readonly (readonly [string, string])[]): Promise<string> {
  const { data } = await api.get('/v1/bank_accounts');
  const { id } = data[0];
  const today = new Date().toISOString().slice(0, 'YYYY-MM-DD'.length);
  const file = ['Date;Amount;Text', ...rows.map(([amount, text]) => `${today};${amount};${text}`)].join('\n');
  const { movements } = await api.send(`/v1/bank_accounts/${id}/statements`, file);
  progress(`  read  ${movements} movements`);
  return id;
}

const longestWaitMs = 30_000;

/** All movements of the account, once something is decided about each. */
async function onceDecided(api: DemoApi, accountId: string) {
  const deadline = Date.now() + longestWaitMs;
  for (;;) {
    const movements = await api.list(`/v1/bank_transactions?accountId=${accountId}`);
    if (movements.every(({ status }) => status !== 'new')) return movements.toReversed();
    if (Date.now() > deadline) throw new Error('Nobody decided about the movements within half a minute.');
    await delay(200);
  }
}

async function tell(api: DemoApi, { id, status }: Record<string, unknown>): Promise<void> {
  const { data } = await api.get(`/v1/bank_transactions/${id}/decisions`);
  progress(`  ${String(status).padEnd(10)} ${data.at(-1)?.sentence}`);
}

/** As some banks print a reference. */
function spaced(reference: string): string {
  return `${reference.slice(0, 3)} ${reference.slice(3, 7)} ${reference.slice(7)}`;
}

type Account = {
  invoicesPaid: number;
  /** By where they stand. */
  movements: Record<string, number>;
  /** What came beyond what was due. */
  creditMinor: number;
};

async function takeAccount(
  api: DemoApi,
  { accountId, invoices }: { accountId: string; invoices: readonly Transfer[] },
): Promise<Account> {
  const read = await Promise.all(invoices.map(({ invoiceId }) => api.get(`/v1/invoices/${invoiceId}`)));
  const movements = await api.list(`/v1/bank_transactions?accountId=${accountId}`);
  const counted = Map.groupBy(movements, ({ status }) => String(status));
  const payer = await api.get(`/v1/customers/${invoices[0]?.customerId}`);
  return {
    invoicesPaid: read.filter(({ status }) => status === 'paid').length,
    movements: Object.fromEntries([...counted].map(([status, each]) => [status, each.length])),
    creditMinor: payer['creditMinor'],
  };
}

const promised: Account = {
  invoicesPaid: 3,
  movements: { ignored: 1, matched: 3, payout: 1, unmatched: 1 },
  creditMinor: 3_000,
};

function broken(account: Account): string[] {
  const sorted = { ...account, movements: inOrder(account.movements) };
  const isKept = JSON.stringify(sorted) === JSON.stringify(promised);
  return isKept ? [] : [`It was to be ${JSON.stringify(promised)} and is ${JSON.stringify(sorted)}.`];
}

function inOrder(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => a.localeCompare(b)));
}
