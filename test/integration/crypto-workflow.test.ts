/** The process of an invoice in coins on a real server: started with the offer, ended with it, and what each of its runs costs. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { costOf } from '../../scripts/bench/count-actions.ts';
import { eventually } from '../../scripts/processes.ts';
import { cryptoInvoiceWorkflowId } from '../../workflows/payments/crypto-invoice.contract.ts';
import { openTemporal, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { type Processes, startProcesses } from './api-processes.ts';
import { addAccount, booksOf, offer, pay, readTo, rowOf, setChain, setPrices } from './crypto-scene.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;

const PATIENCE_MS = 30_000;
const QUOTE_MS = 15 * 60_000;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  tenant = await api.tenant();
  await addAccount(api, tenant.tenantId);
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

describe('the process of an invoice in coins', () => {
  it('costs four actions where it is paid before the quote has run out: start, timer, signal, and what it carries out', async () => {
    const coins = await offered(now);
    await delivered();
    await pay(api, coins, { units: coins.dueUnits, at: now(), height: 101 });
    await readTo(api, coins, { height: 103, at: now() });
    await delivered();
    await ended(coins);
    expect(await rowOf(api, coins)).toMatchObject({ status: 'settled', bookedUnits: coins.dueUnits });
    expect(await booksOf(api, coins)).toMatchObject({
      invoice: 'paid 2900/2900',
      subscription: 'active',
      payments: ['2900 (2900)'],
      sumMinor: 0,
    });
    expect(await costs(coins, 1)).toEqual([4]);
  });

  it('costs five where it is confirmed later, and tells the customer meanwhile', async () => {
    const coins = await offered(nearlyOver);
    // In time whatever the clock says by now.
    await pay(api, coins, { units: coins.dueUnits, at: coins.quotedAt.toISOString(), height: 101 });
    await delivered();
    const mailed = async () => (await booksOf(api, coins)).mails.includes('crypto_payment_seen');
    expect(await eventually(mailed, PATIENCE_MS)).toBe(true);
    expect(await rowOf(api, coins)).toMatchObject({ status: 'processing' });
    await readTo(api, coins, { height: 103, at: later() });
    await delivered();
    await ended(coins);
    expect(await rowOf(api, coins)).toMatchObject({ status: 'settled' });
    expect(await costs(coins, 1)).toEqual([5]);
  });

  it('expires by its own timer, costs three then, and begins again with what comes late', async () => {
    const coins = await offered(nearlyOver);
    await delivered();
    await ended(coins);
    expect(await rowOf(api, coins)).toMatchObject({ status: 'expired' });
    expect(await costs(coins, 1)).toEqual([3]);
    await pay(api, coins, { units: coins.dueUnits, at: later(), height: 105 });
    await delivered();
    await ended(coins);
    expect((await booksOf(api, coins)).mails).toContain('crypto_payment_late');
    expect(await rowOf(api, coins)).toMatchObject({ status: 'expired', flags: ['late', 'review'] });
    expect(await costs(coins, 2)).toEqual([3, 2]);
  });
});

const now = () => new Date().toISOString();
/** The chain is read beyond the expiry. */
const later = () => new Date(Date.now() + 60_000).toISOString();
/** A quote made at this instant has five seconds left: its process has begun by then. */
const nearlyOver = () => new Date(Date.now() - QUOTE_MS + 5_000).toISOString();

/** `when`: asked once everything else is there, which may take longer than a quote has left. */
async function offered(when: () => string): Promise<CryptoInvoiceRow> {
  const invoiceId = await invoice();
  await setChain(api, { height: 100, at: later() });
  const at = when();
  await setPrices(api, { at });
  return offer(api, { tenantId: tenant.tenantId, invoiceId }, { at });
}

async function invoice(): Promise<string> {
  const { token, tenantId } = tenant;
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const customer = await api.request('POST', '/v1/customers', { token, body: person });
  const body = { customerId: customer.body.id, planCode: 'pro-monthly' };
  const { id } = (await api.request('POST', '/v1/subscriptions', { token, body })).body;
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  return withTenant(api.db, tenantId, async (tx) => {
    const context = await lockSubscription(tx, id);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
  });
}

async function delivered(): Promise<void> {
  while ((await processes.deliver()) > 0);
}

async function ended({ id }: CryptoInvoiceRow): Promise<void> {
  await temporal.workflow.getHandle(cryptoInvoiceWorkflowId(id)).result();
}

/** Of each of so many runs, the first one first. */
async function costs({ id }: CryptoInvoiceRow, runs: number): Promise<number[]> {
  const query = `WorkflowId = '${cryptoInvoiceWorkflowId(id)}'`;
  // What was started a moment ago is listed a moment later.
  const isListed = async () => (await temporal.workflow.count(query)).count === runs;
  expect(await eventually(isListed, PATIENCE_MS)).toBe(true);
  const found: { startTime: Date; actions: number }[] = [];
  for await (const { workflowId, runId, startTime } of temporal.workflow.list({ query })) {
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    found.push({ startTime, actions: costOf([history]).actions });
  }
  return found.sort((a, b) => a.startTime.getTime() - b.startTime.getTime()).map(({ actions }) => actions);
}
