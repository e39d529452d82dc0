/**
 * Who may do what, over every operation of the OpenAPI document: no key, a malformed, unknown, expired or revoked one, a
 * key without the scope, a key of another tenant, and the right one. An operation that is added must say here what a
 * right request to it looks like, and a field what it names, or this file fails.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../api/scopes.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { readCryptoInvoice } from '../../db/queries/payments/crypto-invoices.ts';
import { storePublished } from '../../db/queries/payments/exchange-rates.ts';
import { disputes } from '../../db/schema/payments.ts';
import type { PlaidControl } from '../../integrations/plaid/sandbox/control.ts';
import { eventually } from '../../scripts/processes.ts';
import { reconcileSchedules } from '../../temporal/schedules.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';
import { startTestPlaid } from '../support/plaid.ts';
import { picture } from '../support/proof-files.ts';
import { usd } from '../support/receiving-accounts.ts';
import { camtSample, mt940Sample, sampleAccount } from '../support/statement-samples.ts';
import { type Processes, startProcesses } from './api-processes.ts';
import { unmatchedMovement } from './bank-movement.ts';
import { carryOut, freshKey, pay, setChain, setPrices } from './crypto-scene.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  temporal = await openTemporal();
  await reconcileSchedules(temporal);
  const { plaid } = await startTestPlaid();
  api = await startTestApi({ temporal, plaidUrl: plaid.url });
  processes = await startProcesses({ db: api.db, temporal, plaid });
  [tenant, other] = [await api.tenant(), await api.tenant()];
  const published = { day: '2026-03-04', base: 'EUR', source: 'ecb' };
  const rates = [
    { ...published, quote: 'USD', rate: '1.0866' },
    { ...published, quote: 'GBP', rate: '0.85559' },
  ];
  await withSystem(api.db, (tx) => storePublished(tx, { rates, fetchedAt: new Date() }));
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

type Call = { path: string; body?: unknown; headers?: Record<string, string> };

/**
 * A request that succeeds with a right key. `foreign`: what a key of another tenant gets. `not_found`: the object is
 * not there. `state_conflict`: it is taken. `own`: the operation concerns the caller's own tenant whatever it names.
 */
type Sample = {
  call: (things: Things) => Promise<Call> | Call;
  foreign: 'not_found' | 'own' | 'state_conflict';
};

/** Makes what a request names, in the tenant. */
type Things = {
  customer(): Promise<string>;
  plan(): Promise<string>;
  trial(): Promise<string>;
  invoice(): Promise<string>;
  /** An invoice that nobody has issued yet. */
  draft(): Promise<string>;
  /** A draft that was issued and is not paid. */
  oneOff(): Promise<string>;
  payment(): Promise<string>;
  /** A payment by cheque. */
  cheque(): Promise<string>;
  /** A payment that waits for a second person. */
  approval(): Promise<string>;
  /** An invoice of which a small rest is unpaid. */
  almostPaid(): Promise<string>;
  /** Of a recorded payment, so it is given back at once. */
  refund(): Promise<string>;
  creditNote(): Promise<string>;
  dispute(): Promise<string>;
  /** A line of the invoice of that payment. */
  lineOf(paymentId: string): Promise<string>;
  /** An order at Razorpay that can be paid, as the API answers it. */
  order(): Promise<Json>;
  /** A checkout at Coinbase that can be paid, as the API answers it. */
  checkout(): Promise<Json>;
  /** A trial of a plan in rupees. */
  rupeeTrial(): Promise<string>;
  /** A subscription at Razorpay that the customer can authorise, as the API answers it. */
  razorpaySubscription(): Promise<Json>;
  /** Pays all of an invoice, which activates its subscription. */
  paidInvoice(invoiceId: string): Promise<Json>;
  /** The tenant has no account for Ethereum any more. */
  noEvmAccount(): Promise<void>;
  /** An account for Ethereum that takes the place of the one before, and its key. */
  evmAccount(): Promise<{ id: string; publicKey: string }>;
  /** An invoice in coins that nobody has paid. */
  cryptoInvoice(): Promise<string>;
  /** One that a part was paid for, with the payment's key. */
  partlyPaid(): Promise<{ id: string; key: string }>;
  /** What waits for a second person. */
  cryptoAct(): Promise<string>;
  /** One that was paid half as much again, and settled; its account and the lot it has become. */
  settledCoins(): Promise<{ id: string; address: string; accountId: string; lotId: string }>;
  payout(): Promise<string>;
  /** A transfer that an open invoice waits for. */
  bankTransfer(): Promise<string>;
  /** What was sent to show that one is under way. */
  bankProof(): Promise<string>;
  /** That payout. */
  approve(payoutId: string): Promise<void>;
  disposal(): Promise<string>;
  /** Money on a bank account that waits for somebody; and some that has paid an invoice. */
  movement(): Promise<string>;
  matched(): Promise<string>;
  /** A connection to a bank that was read once, and the public token it was made of. */
  bank(
    transactions?: Parameters<PlaidControl['addTransactions']>[1],
  ): Promise<{ id: string; publicToken: string }>;
  bankConnection(): Promise<string>;
  /** In a currency that no amounts are kept in. */
  unreadableMovement(): Promise<{ bankConnectionId: string; externalId: string }>;
  bankAccount(): Promise<string>;
  /** A statement file that was read, of an account of its own. */
  statement(): Promise<string>;
  /** A movement that another file has told too, as it seems. */
  suspectedCopy(): Promise<string>;
  notification(): Promise<string>;
  taxRate(): Promise<string>;
  coupon(): Promise<string>;
  /** A trial with a coupon. */
  couponed(): Promise<string>;
  /** What others begin with whom a customer has brought. */
  referralCode(): Promise<string>;
  /** A customer who has brought another one. */
  referrer(): Promise<string>;
  /** The name of a dunning policy that no other tenant has, in its second version. */
  policy(): Promise<string>;
  /** A card that is a customer's payment method. */
  card(): Promise<string>;
};

const step = { day: 1, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' };
/** A rate that no tenant has yet: each begins on a day of its own. */
const newRate = () => {
  rateDay += 1;
  const validFrom = new Date(Date.UTC(2020, 0, rateDay)).toISOString().slice(0, 10);
  return { country: 'DE', kind: 'vat', name: 'VAT', percent: '19', validFrom };
};
let rateDay = 0;

const draftOf = (subscriptionId: string) => ({
  subscriptionId,
  lines: [{ description: 'A fee', unitMinor: 1 }],
});
const forced = { txid: '0'.repeat(64), force: true, reason: 'seen elsewhere' };
const why = { reason: 'agreed with the customer' };

const razorpayPathOf = ({ subscriptionId }: Json) =>
  `/v1/subscriptions/${subscriptionId}/razorpay_subscription`;

const randomTxid = () => randomUUID().replaceAll('-', '').repeat(2);
const soldFrom = ({ accountId }: { accountId: string }) => ({
  accountId,
  asset: 'BTC',
  amount: '0.00000001',
  proceedsMinor: 1,
  method: 'fifo',
  reference: randomUUID(),
});

const cash = () => ({
  amountMinor: 1,
  currency: 'USD',
  method: 'cash',
  reason: 'on the statement',
  reference: randomUUID(),
});

/** The same again is the same version, whoever has sent it before. */
const receiving = { expectedVersion: 0, accounts: [usd] };

async function withBankDetails(): Promise<void> {
  for (const { token } of [tenant, other])
    await api.request('PUT', '/v1/bank_details', { token, body: receiving });
}

/** A picture that was not sent before. */
async function proofForm(): Promise<FormData> {
  const form = new FormData();
  proofs += 1;
  form.append(
    'file',
    new Blob([Uint8Array.from(await picture('png', { seed: proofs, width: 20 + proofs }))]),
    'x.png',
  );
  return form;
}
let proofs = 0;

const samples: Record<string, Sample> = {
  createCustomer: {
    call: () => ({
      path: '/v1/customers',
      body: { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' },
    }),
    foreign: 'own',
  },
  listCustomers: { call: () => ({ path: '/v1/customers' }), foreign: 'own' },
  getCustomer: { call: async (a) => ({ path: `/v1/customers/${await a.customer()}` }), foreign: 'not_found' },
  changeCustomer: {
    call: async (a) => ({ path: `/v1/customers/${await a.customer()}`, body: { name: 'Ada King' } }),
    foreign: 'not_found',
  },
  listPaymentMethods: {
    call: async (a) => ({ path: `/v1/customers/${await a.customer()}/payment_methods` }),
    foreign: 'not_found',
  },
  createPlan: {
    call: () => ({
      path: '/v1/plans',
      body: {
        code: randomUUID(),
        name: 'New',
        family: 'new',
        priceMinor: 1,
        currency: 'USD',
        interval: { unit: 'month' },
      },
    }),
    foreign: 'own',
  },
  listPlans: { call: () => ({ path: '/v1/plans' }), foreign: 'own' },
  getPlan: { call: async (a) => ({ path: `/v1/plans/${await a.plan()}` }), foreign: 'not_found' },
  archivePlan: {
    call: async (a) => ({ path: `/v1/plans/${await a.plan()}/archive`, body: {} }),
    foreign: 'not_found',
  },
  createSubscription: {
    call: async (a) => ({
      path: '/v1/subscriptions',
      body: { customerId: await a.customer(), planCode: 'pro-monthly' },
    }),
    foreign: 'not_found',
  },
  listSubscriptions: { call: () => ({ path: '/v1/subscriptions' }), foreign: 'own' },
  getSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}` }),
    foreign: 'not_found',
  },
  getSubscriptionTimeline: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/timeline` }),
    foreign: 'not_found',
  },
  changePaymentMethod: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.trial()}/payment_method`,
      body: { paymentMethodId: 'pm_card_visa' },
    }),
    foreign: 'not_found',
  },
  convertSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await trialWithCard(a)}/convert`, body: {} }),
    foreign: 'not_found',
  },
  previewPlanChange: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.trial()}/preview_change`,
      body: { quantity: 2 },
    }),
    foreign: 'not_found',
  },
  changePlan: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/change_plan`, body: { quantity: 2 } }),
    foreign: 'not_found',
  },
  pauseSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await converted(a)}/pause`, body: {} }),
    foreign: 'not_found',
  },
  resumeSubscription: {
    call: async (a) => {
      const id = await converted(a);
      await api.request('POST', `/v1/subscriptions/${id}/pause`, { token: tenant.token, body: {} });
      return { path: `/v1/subscriptions/${id}/resume`, body: {} };
    },
    foreign: 'not_found',
  },
  undoPlanChange: {
    call: async (a) => {
      const id = await converted(a);
      const body = { planId: await a.plan() };
      await api.request('POST', `/v1/subscriptions/${id}/change_plan`, { token: tenant.token, body });
      return { path: `/v1/subscriptions/${id}/undo_change`, body: {} };
    },
    foreign: 'not_found',
  },
  cancelSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/cancel`, body: {} }),
    foreign: 'not_found',
  },
  undoCancelSubscription: {
    call: async (a) => {
      const id = await a.trial();
      await api.request('POST', `/v1/subscriptions/${id}/cancel`, { token: tenant.token, body: {} });
      return { path: `/v1/subscriptions/${id}/undo_cancel`, body: {} };
    },
    foreign: 'not_found',
  },
  extendTrial: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/extend_trial`, body: { days: 1 } }),
    foreign: 'not_found',
  },
  listInvoices: { call: () => ({ path: '/v1/invoices' }), foreign: 'own' },
  getInvoice: { call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}` }), foreign: 'not_found' },
  getInvoicePdf: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/pdf` }),
    foreign: 'not_found',
  },
  createInvoice: {
    call: async (a) => ({ path: '/v1/invoices', body: draftOf(await a.trial()) }),
    foreign: 'not_found',
  },
  changeInvoiceDraft: {
    call: async (a) => ({ path: `/v1/invoices/${await a.draft()}`, body: { daysUntilDue: 1 } }),
    foreign: 'not_found',
  },
  discardInvoiceDraft: {
    call: async (a) => ({ path: `/v1/invoices/${await a.draft()}/discard`, body: {} }),
    foreign: 'not_found',
  },
  finaliseInvoice: {
    call: async (a) => ({ path: `/v1/invoices/${await a.draft()}/finalise`, body: {} }),
    foreign: 'not_found',
  },
  voidInvoice: {
    call: async (a) => ({ path: `/v1/invoices/${await a.oneOff()}/void`, body: {} }),
    foreign: 'not_found',
  },
  markInvoiceUncollectible: {
    call: async (a) => ({ path: `/v1/invoices/${await a.oneOff()}/mark_uncollectible`, body: {} }),
    foreign: 'not_found',
  },
  getPaymentReceipt: {
    call: async (a) => ({ path: `/v1/payments/${await a.payment()}/receipt` }),
    foreign: 'not_found',
  },
  recordPayment: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/payments`, body: cash() }),
    foreign: 'not_found',
  },
  recordCustomerPayment: {
    call: async (a) => {
      const invoice = (await api.request('GET', `/v1/invoices/${await a.invoice()}`, { token: tenant.token }))
        .body;
      return { path: `/v1/customers/${invoice.customerId}/payments`, body: cash() };
    },
    foreign: 'not_found',
  },
  bouncePayment: {
    call: async (a) => ({ path: `/v1/payments/${await a.cheque()}/bounce`, body: why }),
    foreign: 'not_found',
  },
  listPaymentApprovals: { call: () => ({ path: '/v1/payment_approvals' }), foreign: 'own' },
  getPaymentApproval: {
    call: async (a) => ({ path: `/v1/payment_approvals/${await a.approval()}` }),
    foreign: 'not_found',
  },
  approvePaymentApproval: {
    call: async (a) => ({ path: `/v1/payment_approvals/${await a.approval()}/approve`, body: {} }),
    foreign: 'not_found',
  },
  rejectPaymentApproval: {
    call: async (a) => ({ path: `/v1/payment_approvals/${await a.approval()}/reject`, body: why }),
    foreign: 'not_found',
  },
  writeOffInvoiceRest: {
    call: async (a) => ({ path: `/v1/invoices/${await a.almostPaid()}/write_off`, body: why }),
    foreign: 'not_found',
  },
  getExchangeRate: {
    call: () => ({ path: '/v1/exchange_rates?date=2026-03-04&base=GBP&quote=USD' }),
    foreign: 'own',
  },
  enterExchangeRate: {
    call: () => ({
      path: '/v1/exchange_rates',
      body: { date: '2026-03-04', base: 'KWD', quote: 'USD', rate: '3.2541', reason: 'not_published' },
    }),
    foreign: 'own',
  },
  createCryptoAccount: {
    // A key is one tenant's for ever.
    call: async (a) => {
      const { publicKey } = await a.evmAccount();
      return { path: '/v1/crypto_accounts', body: { family: 'evm', publicKey } };
    },
    foreign: 'state_conflict',
  },
  listCryptoAccounts: { call: () => ({ path: '/v1/crypto_accounts' }), foreign: 'own' },
  retireCryptoAccount: {
    call: async (a) => ({ path: `/v1/crypto_accounts/${(await a.evmAccount()).id}/retire`, body: {} }),
    foreign: 'not_found',
  },
  createCryptoInvoice: {
    call: async (a) => {
      await a.cryptoInvoice();
      return { path: `/v1/invoices/${await a.invoice()}/crypto_invoices`, body: { asset: 'BTC' } };
    },
    foreign: 'not_found',
  },
  listCryptoInvoices: { call: () => ({ path: '/v1/crypto_invoices' }), foreign: 'own' },
  getCryptoInvoice: {
    call: async (a) => ({ path: `/v1/crypto_invoices/${await a.cryptoInvoice()}` }),
    foreign: 'not_found',
  },
  listCryptoInvoiceEvents: {
    call: async (a) => ({ path: `/v1/crypto_invoices/${(await a.partlyPaid()).id}/events` }),
    foreign: 'not_found',
  },
  acceptCryptoPayments: {
    call: async (a) => {
      const { id, key } = await a.partlyPaid();
      return { path: `/v1/crypto_invoices/${id}/accept`, body: { paymentKeys: [key], ...why } };
    },
    foreign: 'not_found',
  },
  dismissCryptoPayments: {
    call: async (a) => {
      const { id, key } = await a.partlyPaid();
      return { path: `/v1/crypto_invoices/${id}/dismiss`, body: { paymentKeys: [key], ...why } };
    },
    foreign: 'not_found',
  },
  cancelCryptoInvoice: {
    call: async (a) => ({ path: `/v1/crypto_invoices/${await a.cryptoInvoice()}/cancel`, body: why }),
    foreign: 'not_found',
  },
  extendCryptoInvoice: {
    call: async (a) => ({ path: `/v1/crypto_invoices/${await a.cryptoInvoice()}/extend`, body: why }),
    foreign: 'not_found',
  },
  markCryptoInvoiceSettled: {
    call: async (a) => ({
      path: `/v1/crypto_invoices/${await a.cryptoInvoice()}/mark_settled`,
      body: forced,
    }),
    foreign: 'not_found',
  },
  markCryptoInvoiceInvalid: {
    call: async (a) => ({ path: `/v1/crypto_invoices/${await a.cryptoInvoice()}/mark_invalid`, body: why }),
    foreign: 'not_found',
  },
  listCryptoActs: { call: () => ({ path: '/v1/crypto_acts' }), foreign: 'own' },
  approveCryptoAct: {
    call: async (a) => ({ path: `/v1/crypto_acts/${await a.cryptoAct()}/approve`, body: {} }),
    foreign: 'not_found',
  },
  rejectCryptoAct: {
    call: async (a) => ({ path: `/v1/crypto_acts/${await a.cryptoAct()}/reject`, body: {} }),
    foreign: 'not_found',
  },
  listBankDecisions: {
    call: async (a) => ({ path: `/v1/bank_transactions/${await a.movement()}/decisions` }),
    foreign: 'not_found',
  },
  matchBankTransaction: {
    call: async (a) => ({
      path: `/v1/bank_transactions/${await a.movement()}/match`,
      body: { invoices: [{ invoiceId: await a.oneOff() }] },
    }),
    foreign: 'not_found',
  },
  unmatchBankTransaction: {
    call: async (a) => ({ path: `/v1/bank_transactions/${await a.matched()}/unmatch`, body: why }),
    foreign: 'not_found',
  },
  ignoreBankTransaction: {
    call: async (a) => ({ path: `/v1/bank_transactions/${await a.movement()}/ignore`, body: why }),
    foreign: 'not_found',
  },
  reconcileBank: { call: () => ({ path: '/v1/bank/reconcile', body: {} }), foreign: 'own' },
  listCryptoLots: { call: () => ({ path: '/v1/crypto_lots' }), foreign: 'own' },
  recordCryptoDisposal: {
    call: async (a) => ({ path: '/v1/crypto_disposals', body: soldFrom(await a.settledCoins()) }),
    foreign: 'not_found',
  },
  listCryptoDisposals: { call: () => ({ path: '/v1/crypto_disposals' }), foreign: 'own' },
  requestCryptoPayout: {
    call: async (a) => {
      const { id, address } = await a.settledCoins();
      return { path: `/v1/crypto_invoices/${id}/payouts`, body: { address, ...why } };
    },
    foreign: 'not_found',
  },
  putBankDetails: {
    call: async () => {
      await withBankDetails();
      return { path: '/v1/bank_details', body: receiving };
    },
    foreign: 'own',
  },
  getBankDetails: {
    call: async () => {
      await withBankDetails();
      return { path: '/v1/bank_details' };
    },
    foreign: 'own',
  },
  getBankDetailsVersion: {
    call: async () => {
      await withBankDetails();
      return { path: '/v1/bank_details/versions/1' };
    },
    foreign: 'own',
  },
  createBankTransfer: {
    call: async (a) => {
      await withBankDetails();
      return { path: `/v1/invoices/${await a.invoice()}/bank_transfer`, body: { country: 'US' } };
    },
    foreign: 'not_found',
  },
  listBankTransfers: { call: () => ({ path: '/v1/bank_transfers' }), foreign: 'own' },
  getBankTransfer: {
    call: async (a) => ({ path: `/v1/bank_transfers/${await a.bankTransfer()}` }),
    foreign: 'not_found',
  },
  holdBankTransfer: {
    call: async (a) => ({ path: `/v1/bank_transfers/${await a.bankTransfer()}/hold`, body: why }),
    foreign: 'not_found',
  },
  resumeBankTransfer: {
    call: async (a) => ({ path: `/v1/bank_transfers/${await a.bankTransfer()}/resume`, body: {} }),
    foreign: 'not_found',
  },
  extendBankTransfer: {
    call: async (a) => ({
      path: `/v1/bank_transfers/${await a.bankTransfer()}/extend`,
      body: { days: 1, ...why },
    }),
    foreign: 'not_found',
  },
  confirmBankTransfer: {
    call: async (a) => ({
      path: `/v1/bank_transfers/${await a.bankTransfer()}/confirmation`,
      body: { number: 'MMQFMP0N000123' },
    }),
    foreign: 'not_found',
  },
  createBankProof: {
    call: async (a) => ({
      path: `/v1/bank_transfers/${await a.bankTransfer()}/proofs`,
      body: await proofForm(),
    }),
    foreign: 'not_found',
  },
  listBankProofs: { call: () => ({ path: '/v1/bank_proofs' }), foreign: 'own' },
  getBankProof: {
    call: async (a) => ({ path: `/v1/bank_proofs/${await a.bankProof()}` }),
    foreign: 'not_found',
  },
  getBankProofFile: {
    call: async (a) => ({ path: `/v1/bank_proofs/${await a.bankProof()}/file` }),
    foreign: 'not_found',
  },
  approveBankProof: {
    call: async (a) => ({ path: `/v1/bank_proofs/${await a.bankProof()}/approve`, body: {} }),
    foreign: 'not_found',
  },
  rejectBankProof: {
    call: async (a) => ({ path: `/v1/bank_proofs/${await a.bankProof()}/reject`, body: why }),
    foreign: 'not_found',
  },
  listCryptoPayouts: { call: () => ({ path: '/v1/crypto_payouts' }), foreign: 'own' },
  getCryptoPayout: {
    call: async (a) => ({ path: `/v1/crypto_payouts/${await a.payout()}` }),
    foreign: 'not_found',
  },
  approveCryptoPayout: {
    call: async (a) => ({ path: `/v1/crypto_payouts/${await a.payout()}/approve`, body: {} }),
    foreign: 'not_found',
  },
  rejectCryptoPayout: {
    call: async (a) => ({ path: `/v1/crypto_payouts/${await a.payout()}/reject`, body: why }),
    foreign: 'not_found',
  },
  broadcastCryptoPayout: {
    call: async (a) => {
      const id = await a.payout();
      await a.approve(id);
      return { path: `/v1/crypto_payouts/${id}/broadcast`, body: { txid: randomTxid() } };
    },
    foreign: 'not_found',
  },
  createRazorpayOrder: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/razorpay_orders`, body: {} }),
    foreign: 'not_found',
  },
  getRazorpayOrder: {
    call: async (a) => ({ path: `/v1/razorpay_orders/${(await a.order()).id}` }),
    foreign: 'not_found',
  },
  confirmRazorpayOrder: {
    call: async (a) => {
      const { id, checkout } = await a.order();
      return {
        path: `/v1/razorpay_orders/${id}/confirm`,
        // The look that follows finds nothing to book, so that it writes nothing while other operations are tested.
        body: processes.razorpay.pay({ orderId: checkout.order_id, outcome: 'created' }),
      };
    },
    foreign: 'not_found',
  },
  createCoinbaseCheckout: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/coinbase_checkouts`, body: {} }),
    foreign: 'not_found',
  },
  getCoinbaseCheckout: {
    call: async (a) => ({ path: `/v1/coinbase_checkouts/${(await a.checkout()).id}` }),
    foreign: 'not_found',
  },
  createRazorpaySubscription: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.rupeeTrial()}/razorpay_subscription`,
      body: {},
    }),
    foreign: 'not_found',
  },
  getRazorpaySubscription: {
    call: async (a) => ({ path: razorpayPathOf(await a.razorpaySubscription()) }),
    foreign: 'not_found',
  },
  cancelRazorpaySubscription: {
    call: async (a) => ({
      path: `${razorpayPathOf(await a.razorpaySubscription())}/cancel`,
      body: {},
    }),
    foreign: 'not_found',
  },
  confirmRazorpaySubscription: {
    call: async (a) => {
      const asked = await a.razorpaySubscription();
      // Signed by the checkout; Razorpay itself has heard of no authorisation, so that the look finds nothing to book.
      return {
        path: `${razorpayPathOf(asked)}/confirm`,
        body: processes.razorpay.signAuthorization(asked.externalId),
      };
    },
    foreign: 'not_found',
  },
  listPayments: { call: () => ({ path: '/v1/payments' }), foreign: 'own' },
  getPayment: { call: async (a) => ({ path: `/v1/payments/${await a.payment()}` }), foreign: 'not_found' },
  createRefund: {
    call: async (a) => ({ path: `/v1/payments/${await a.payment()}/refunds`, body: {} }),
    foreign: 'not_found',
  },
  listRefunds: { call: () => ({ path: '/v1/refunds' }), foreign: 'own' },
  getRefund: { call: async (a) => ({ path: `/v1/refunds/${await a.refund()}` }), foreign: 'not_found' },
  listCreditNotes: { call: () => ({ path: '/v1/credit_notes' }), foreign: 'own' },
  getCreditNote: {
    call: async (a) => ({ path: `/v1/credit_notes/${await a.creditNote()}` }),
    foreign: 'not_found',
  },
  listDisputes: { call: () => ({ path: '/v1/disputes' }), foreign: 'own' },
  getDispute: { call: async (a) => ({ path: `/v1/disputes/${await a.dispute()}` }), foreign: 'not_found' },
  createBankLinkToken: { call: () => ({ path: '/v1/bank_link_tokens', body: {} }), foreign: 'own' },
  createBankConnection: {
    // A public token is exchanged once; who repeats the request finds what it has made.
    call: async (a) => ({
      path: '/v1/bank_connections',
      body: { publicToken: (await a.bank()).publicToken },
    }),
    foreign: 'state_conflict',
  },
  listBankConnections: { call: () => ({ path: '/v1/bank_connections' }), foreign: 'own' },
  getBankConnection: {
    call: async (a) => ({ path: `/v1/bank_connections/${await a.bankConnection()}` }),
    foreign: 'not_found',
  },
  unlinkBankConnection: {
    call: async (a) => ({ path: `/v1/bank_connections/${await a.bankConnection()}/unlink`, body: {} }),
    foreign: 'not_found',
  },
  syncBankConnection: {
    call: async (a) => ({ path: `/v1/bank_connections/${await a.bankConnection()}/sync`, body: {} }),
    foreign: 'not_found',
  },
  dismissUnreadableMovements: {
    call: async (a) => {
      const { bankConnectionId, externalId } = await a.unreadableMovement();
      return {
        path: `/v1/bank_connections/${bankConnectionId}/dismiss_unreadable`,
        body: { externalIds: [externalId] },
      };
    },
    foreign: 'not_found',
  },
  testBankConnection: {
    call: async (a) => ({ path: `/v1/bank_connections/${await a.bankConnection()}/test`, body: {} }),
    foreign: 'not_found',
  },
  getBankHealth: { call: () => ({ path: '/v1/bank/health' }), foreign: 'own' },
  createBankAccount: {
    call: () => ({ path: '/v1/bank_accounts', body: { name: 'Current', currency: 'EUR' } }),
    foreign: 'own',
  },
  listBankAccounts: { call: () => ({ path: '/v1/bank_accounts' }), foreign: 'own' },
  getBankAccount: {
    call: async (a) => ({ path: `/v1/bank_accounts/${await a.bankAccount()}` }),
    foreign: 'not_found',
  },
  changeBankAccount: {
    call: async (a) => ({ path: `/v1/bank_accounts/${await a.bankAccount()}`, body: { name: 'Savings' } }),
    foreign: 'not_found',
  },
  addBankStatement: {
    call: async (a) => ({
      path: `/v1/bank_accounts/${await a.bankAccount()}/statements`,
      body: mt940Sample,
      headers: { 'content-type': 'text/plain' },
    }),
    foreign: 'not_found',
  },
  listBankStatements: { call: () => ({ path: '/v1/bank_statements' }), foreign: 'own' },
  getBankStatement: {
    call: async (a) => ({ path: `/v1/bank_statements/${await a.statement()}` }),
    foreign: 'not_found',
  },
  listBankTransactions: { call: () => ({ path: '/v1/bank_transactions' }), foreign: 'own' },
  getBankTransaction: {
    call: async (a) => ({ path: `/v1/bank_transactions/${await a.suspectedCopy()}` }),
    foreign: 'not_found',
  },
  judgeBankTransactionCopy: {
    call: async (a) => ({
      path: `/v1/bank_transactions/${await a.suspectedCopy()}/copy`,
      body: { isCopy: true },
    }),
    foreign: 'not_found',
  },
  getTaxSettings: { call: () => ({ path: '/v1/tax_settings' }), foreign: 'own' },
  putTaxSettings: {
    call: () => ({
      path: '/v1/tax_settings',
      body: { legalName: 'Acme Books GmbH', address: { country: 'DE' } },
    }),
    foreign: 'own',
  },
  createCoupon: { call: () => ({ path: '/v1/coupons', body: newCoupon() }), foreign: 'own' },
  listCoupons: { call: () => ({ path: '/v1/coupons' }), foreign: 'own' },
  getCoupon: { call: async (a) => ({ path: `/v1/coupons/${await a.coupon()}` }), foreign: 'not_found' },
  archiveCoupon: {
    call: async (a) => ({ path: `/v1/coupons/${await a.coupon()}/archive`, body: {} }),
    foreign: 'not_found',
  },
  applyCoupon: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.trial()}/apply_coupon`,
      body: { couponCode: await couponCodeOf(a) },
    }),
    foreign: 'not_found',
  },
  removeCoupon: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.couponed()}/remove_coupon`, body: {} }),
    foreign: 'not_found',
  },
  giveReferralCode: {
    call: async (a) => ({ path: `/v1/customers/${await a.customer()}/referral_code`, body: {} }),
    foreign: 'not_found',
  },
  createTaxRate: { call: () => ({ path: '/v1/tax_rates', body: newRate() }), foreign: 'own' },
  listTaxRates: { call: () => ({ path: '/v1/tax_rates' }), foreign: 'own' },
  archiveTaxRate: {
    call: async (a) => ({ path: `/v1/tax_rates/${await a.taxRate()}/archive`, body: {} }),
    foreign: 'not_found',
  },
  listDunningPolicies: { call: () => ({ path: '/v1/dunning_policies' }), foreign: 'own' },
  getDunningPolicy: {
    call: async (a) => ({ path: `/v1/dunning_policies/${await a.policy()}` }),
    foreign: 'not_found',
  },
  putDunningPolicy: {
    call: async (a) => ({
      path: `/v1/dunning_policies/${await a.policy()}`,
      body: { graceDays: 0, steps: [step] },
    }),
    foreign: 'own',
  },
  listNotifications: { call: () => ({ path: '/v1/notifications' }), foreign: 'own' },
  getNotification: {
    call: async (a) => ({ path: `/v1/notifications/${await a.notification()}` }),
    foreign: 'not_found',
  },
  getTrialStatistics: { call: () => ({ path: '/v1/trial_statistics' }), foreign: 'own' },
  getMrr: { call: () => ({ path: '/v1/reports/mrr' }), foreign: 'own' },
  listMrrMovements: { call: () => ({ path: '/v1/reports/mrr/movements' }), foreign: 'own' },
  getReportSummary: { call: () => ({ path: '/v1/reports/summary' }), foreign: 'own' },
  getCohorts: { call: () => ({ path: '/v1/reports/cohorts' }), foreign: 'own' },
  getRevenue: { call: () => ({ path: '/v1/reports/revenue' }), foreign: 'own' },
  listRevenueEntries: { call: () => ({ path: '/v1/reports/revenue/entries' }), foreign: 'own' },
  getReportSettings: { call: () => ({ path: '/v1/report_settings' }), foreign: 'own' },
  putReportSettings: {
    call: () => ({ path: '/v1/report_settings', body: { recipient: 'owner@example.com' } }),
    foreign: 'own',
  },
  listSchedules: { call: () => ({ path: '/v1/schedules' }), foreign: 'own' },
  triggerSchedule: { call: () => ({ path: '/v1/schedules/relay-sweep/trigger', body: {} }), foreign: 'own' },
  listCryptoChains: { call: () => ({ path: '/v1/crypto/chains' }), foreign: 'own' },
  checkCryptoHealth: { call: () => ({ path: '/v1/crypto/health', body: {} }), foreign: 'own' },
  rescanCryptoChain: {
    call: async () => ({ path: await watchedChain('rescan'), body: { fromHeight: 1, ...why } }),
    foreign: 'own',
  },
  pauseCryptoChain: {
    call: async () => ({ path: await watchedChain('pause'), body: why }),
    foreign: 'own',
  },
  resumeCryptoChain: {
    call: async () => ({ path: await watchedChain('resume'), body: why }),
    foreign: 'own',
  },
  lookUpCryptoTransaction: {
    call: async (a) => ({ path: '/v1/crypto/lookup', body: { txid: await txidOf(a) } }),
    foreign: 'own',
  },
  createApiKey: {
    call: () => ({ path: '/v1/api_keys', body: { name: 'x', scopes: ['tenants:write'] } }),
    foreign: 'own',
  },
  listApiKeys: { call: () => ({ path: '/v1/api_keys' }), foreign: 'own' },
  revokeApiKey: {
    call: async () => ({
      path: `/v1/api_keys/${(await api.key(tenant.tenantId, ['billing:read'])).id}/revoke`,
      body: {},
    }),
    foreign: 'not_found',
  },
  listAuditLog: { call: () => ({ path: '/v1/audit_log' }), foreign: 'own' },
};

/** An act on a chain on which nobody has offered anything. */
async function watchedChain(act: string): Promise<string> {
  await api.sql(
    "INSERT INTO chains (name, network, height) VALUES ('polygon', 'local', 100) ON CONFLICT DO NOTHING",
  );
  return `/v1/crypto/chains/polygon/${act}`;
}

/** Of a payment that was recorded; no node knows it. */
async function txidOf(a: Things): Promise<string> {
  const [row] = await api.sql('SELECT txid FROM crypto_payments WHERE key = $1', [
    (await a.partlyPaid()).key,
  ]);
  return row.txid;
}

async function trialWithCard(a: Things): Promise<string> {
  const id = await a.trial();
  await api.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
    token: tenant.token,
    body: { paymentMethodId: 'pm_card_visa' },
  });
  return id;
}

async function converted(a: Things): Promise<string> {
  const id = await trialWithCard(a);
  await api.request('POST', `/v1/subscriptions/${id}/convert`, { token: tenant.token, body: {} });
  return id;
}

function thingsOf({ tenantId, token }: TestTenant): Things {
  const post = async (path: string, body: unknown): Promise<Json> => {
    const answer = await api.request('POST', path, { token, body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const things: Things = {
    customer: async () =>
      (await post('/v1/customers', { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' }))
        .id,
    plan: async () =>
      (
        await post('/v1/plans', {
          code: randomUUID(),
          name: 'A plan',
          family: 'plans',
          priceMinor: 100,
          currency: 'USD',
          interval: { unit: 'month' },
        })
      ).id,
    trial: async () =>
      (await post('/v1/subscriptions', { customerId: await things.customer(), planCode: 'pro-monthly' })).id,
    async invoice() {
      const subscriptionId = await things.trial();
      const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
      return withTenant(api.db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
      });
    },
    draft: async () => (await post('/v1/invoices', draftOf(await things.trial()))).id,
    oneOff: async () => (await post(`/v1/invoices/${await things.draft()}/finalise`, {})).id,
    payment: async () => (await post(`/v1/invoices/${await things.invoice()}/payments`, cash())).paymentId,
    async cheque() {
      const body = { ...cash(), method: 'cheque', chequeNumber: '000417' };
      return (await post(`/v1/invoices/${await things.invoice()}/payments`, body)).paymentId;
    },
    async approval() {
      const body = { ...cash(), amountMinor: 100_000 };
      return (await post(`/v1/invoices/${await things.invoice()}/payments`, body)).id;
    },
    async almostPaid() {
      const id = await things.invoice();
      await post(`/v1/invoices/${id}/payments`, { ...cash(), amountMinor: 2800 });
      return id;
    },
    refund: async () => (await post(`/v1/payments/${await things.payment()}/refunds`, {})).id,
    async creditNote() {
      const { customerId } = (await api.request('GET', `/v1/refunds/${await things.refund()}`, { token }))
        .body;
      return (await api.request('GET', `/v1/credit_notes?customerId=${customerId}`, { token })).body.data[0]
        .id;
    },
    async dispute() {
      const { body } = await api.request('GET', `/v1/payments/${await things.payment()}`, { token });
      const { id: paymentId, customerId, invoiceId, currency } = body;
      const id = newId('dsp');
      const about = { tenantId, customerId, invoiceId, paymentId, externalId: id, amountMinor: 1, currency };
      const row = { id, ...about, reason: 'fraudulent', status: 'open', openedAt: new Date() } as const;
      await withTenant(api.db, tenantId, (tx) => tx.insert(disputes).values(row));
      return id;
    },
    async lineOf(paymentId) {
      const payment = (await api.request('GET', `/v1/payments/${paymentId}`, { token })).body;
      return (await api.request('GET', `/v1/invoices/${payment.invoiceId}`, { token })).body.lines[0].id;
    },
    async noEvmAccount() {
      const { data } = (await api.request('GET', '/v1/crypto_accounts', { token })).body;
      for (const { id, family, retiredAt } of data) {
        if (family === 'evm' && retiredAt === null) await post(`/v1/crypto_accounts/${id}/retire`, {});
      }
    },
    async evmAccount() {
      await things.noEvmAccount();
      const publicKey = freshKey('evm', 'local');
      return { id: (await post('/v1/crypto_accounts', { family: 'evm', publicKey })).id, publicKey };
    },
    async cryptoInvoice() {
      const at = new Date().toISOString();
      await setPrices(api, { at });
      await setChain(api, {
        network: 'local',
        height: 100,
        at: new Date(Date.now() + 3_600_000).toISOString(),
      });
      const accounts = (await api.request('GET', '/v1/crypto_accounts', { token })).body.data;
      if (!accounts.some(({ family }: Json) => family === 'bitcoin')) {
        await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey: freshKey('bitcoin', 'local') });
      }
      return (await post(`/v1/invoices/${await things.invoice()}/crypto_invoices`, { asset: 'BTC' })).id;
    },
    async partlyPaid() {
      const id = await things.cryptoInvoice();
      const row = await withTenant(api.db, tenantId, (tx) => readCryptoInvoice(tx, id));
      const key = await pay(api, row, { units: 40_000n, at: new Date().toISOString() });
      return { id, key };
    },
    movement: () => unmatchedMovement(api.db, tenantId),
    async matched() {
      const id = await things.movement();
      await post(`/v1/bank_transactions/${id}/match`, { invoices: [{ invoiceId: await things.oneOff() }] });
      return id;
    },
    cryptoAct: async () =>
      (await post(`/v1/crypto_invoices/${await things.cryptoInvoice()}/mark_settled`, forced)).id,
    async settledCoins() {
      const id = await things.cryptoInvoice();
      const row = await withTenant(api.db, tenantId, (tx) => readCryptoInvoice(tx, id));
      const { address, accountId } = row;
      const at = new Date().toISOString();
      await pay(api, row, { units: (row.dueUnits * 3n) / 2n, at, height: 101 });
      await setChain(api, { network: 'local', height: 103, at });
      await carryOut(api, row, at);
      const [lot] = await api.sql('SELECT id FROM crypto_lots WHERE crypto_invoice_id = $1', [id]);
      return { id, address, accountId, lotId: lot.id };
    },
    async payout() {
      const { id, address } = await things.settledCoins();
      return (await post(`/v1/crypto_invoices/${id}/payouts`, { address, ...why })).id;
    },
    async bankTransfer() {
      await withBankDetails();
      const path = `/v1/invoices/${await things.invoice()}/bank_transfer`;
      return (await post(path, { country: 'US' })).id;
    },
    bankProof: async () =>
      (await post(`/v1/bank_transfers/${await things.bankTransfer()}/proofs`, await proofForm())).id,
    approve: async (payoutId) => void (await post(`/v1/crypto_payouts/${payoutId}/approve`, {})),
    disposal: async () => (await post('/v1/crypto_disposals', soldFrom(await things.settledCoins()))).id,
    async bankAccount() {
      // Its number is that of one account in use, which the one before is not any more.
      const accounts = (await api.request('GET', '/v1/bank_accounts', { token })).body.data;
      for (const { id, statementAccount, closedAt } of accounts) {
        if (statementAccount !== sampleAccount.iban || closedAt !== null) continue;
        await api.request('PATCH', `/v1/bank_accounts/${id}`, { token, body: { isClosed: true } });
      }
      const statementAccount = sampleAccount.iban;
      return (await post('/v1/bank_accounts', { name: 'Current', currency: 'EUR', statementAccount })).id;
    },
    statement: async () => (await readFile(token, await things.bankAccount(), mt940Sample)).id,
    async suspectedCopy() {
      const accountId = await things.bankAccount();
      await readFile(token, accountId, mt940Sample);
      await readFile(token, accountId, camtSample);
      const path = `/v1/bank_transactions?accountId=${accountId}&status=copy_suspected`;
      return (await api.request('GET', path, { token })).body.data[0].id;
    },
    order: async () => post(`/v1/invoices/${await things.invoice()}/razorpay_orders`, {}),
    checkout: async () => post(`/v1/invoices/${await things.invoice()}/coinbase_checkouts`, {}),
    async rupeeTrial() {
      const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'INR' };
      const plan = {
        code: randomUUID(),
        name: 'Rupees',
        family: randomUUID(),
        priceMinor: 249_900,
        currency: 'INR',
        interval: { unit: 'month' },
      };
      const { code: planCode } = await post('/v1/plans', plan);
      const customerId = (await post('/v1/customers', person)).id;
      return (await post('/v1/subscriptions', { customerId, planCode })).id;
    },
    razorpaySubscription: async () =>
      post(`/v1/subscriptions/${await things.rupeeTrial()}/razorpay_subscription`, {}),
    async paidInvoice(invoiceId) {
      const path = `/v1/invoices/${invoiceId}`;
      const { dueMinor } = (await api.request('GET', path, { token })).body;
      await post(`${path}/payments`, { ...cash(), amountMinor: dueMinor });
      return (await api.request('GET', path, { token })).body;
    },
    async bank(transactions = []) {
      const { publicToken, itemId } = processes.plaid.createItem();
      processes.plaid.addTransactions(itemId, transactions);
      const { id } = await post('/v1/bank_connections', { publicToken });
      await processes.deliver();
      // Its process has looked, so that it writes nothing while other operations are tested.
      const path = `/v1/bank_connections/${id}`;
      const isRead = async () => (await api.request('GET', path, { token })).body.lastSyncedAt !== null;
      if (!(await eventually(isRead, 10_000))) throw new Error('The bank was not read');
      return { id, publicToken: publicToken ?? '' };
    },
    bankConnection: async () => (await things.bank()).id,
    async unreadableMovement() {
      const coin = { amount: '-1.00', description: 'COIN', date: '2026-03-04', unofficialCurrency: 'DOGE' };
      const { id: bankConnectionId } = await things.bank([coin]);
      const path = `/v1/bank_connections/${bankConnectionId}`;
      const [unreadable] = (await api.request('GET', path, { token })).body.unreadable;
      return { bankConnectionId, externalId: unreadable.externalId };
    },
    taxRate: async () => (await post('/v1/tax_rates', newRate())).id,
    coupon: async () => (await post('/v1/coupons', newCoupon())).id,
    async couponed() {
      const { code: couponCode } = await post('/v1/coupons', newCoupon());
      const customerId = await things.customer();
      return (await post('/v1/subscriptions', { customerId, planCode: 'pro-monthly', couponCode })).id;
    },
    async referrer() {
      const id = await things.customer();
      const { code: referralCode } = await post(`/v1/customers/${id}/referral_code`, {});
      const customerId = await things.customer();
      await post('/v1/subscriptions', { customerId, planCode: 'pro-monthly', referralCode });
      return id;
    },
    referralCode: async () => (await post(`/v1/customers/${await things.customer()}/referral_code`, {})).code,
    async notification() {
      const { body } = await api.request('GET', `/v1/notifications?subscriptionId=${await things.trial()}`, {
        token,
      });
      return body.data[0].id;
    },
    async policy() {
      const name = `policy-${randomUUID()}`;
      const put = () =>
        api.request('PUT', `/v1/dunning_policies/${name}`, { token, body: { graceDays: 0, steps: [step] } });
      await put();
      expect((await put()).body).toMatchObject({ name, version: 2 });
      return name;
    },
    async card() {
      const paymentMethodId = processes.stripe.createCard({ outcomes: ['succeeded'] });
      const path = `/v1/subscriptions/${await things.trial()}/payment_method`;
      const answer = await api.request('PUT', path, { token, body: { paymentMethodId } });
      expect(answer.status).toBe(200);
      return paymentMethodId;
    },
  };
  return things;
}

type Operation = { operationId: string; method: string; scope: string };

/** Read before the tests are collected, from an API of its own. */
const operations = await (async (): Promise<Operation[]> => {
  const reader = await startTestApi();
  const found = Object.values(reader.document.paths as Json).flatMap((methods: Json) =>
    Object.entries(methods).map(([method, operation]: [string, Json]) => ({
      operationId: operation.operationId,
      method: method.toUpperCase(),
      scope: operation['x-scope'],
    })),
  );
  await reader.close();
  return found.filter(({ scope }) => scope !== undefined);
})();

it('every operation with a scope has a sample, and every sample an operation', () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(samples).sort());
});

describe.each(operations)('$operationId', ({ operationId, method, scope }) => {
  const sample = samples[operationId] as Sample;
  const request = ({ path, body, headers = {} }: Call, token: string | null): Promise<TestAnswer> =>
    api.request(method, path, { token, headers, ...(body !== undefined && { body }) });
  let call: Call;
  let withoutScope: string;
  let withScope: string;
  let useless: [name: string, token: string | null, code: string][];

  beforeAll(async () => {
    call = await sample.call(thingsOf(tenant));
    const keyOf = (keyScopes: readonly string[], expiresAt?: Date) =>
      api.key(tenant.tenantId, keyScopes, expiresAt);
    withScope = (await keyOf([scope])).token;
    withoutScope = (await keyOf(scopes.filter((each) => each !== scope))).token;
    const expired = await keyOf([scope], new Date(Date.now() - 1000));
    const revoked = await keyOf([scope]);
    await api.request('POST', `/v1/api_keys/${revoked.id}/revoke`, { token: tenant.token, body: {} });
    const [id] = tenant.token.split('.');
    useless = [
      ['none', null, 'unauthenticated'],
      ['malformed', 'pk_secret', 'unauthenticated'],
      ['empty', '', 'unauthenticated'],
      ['unknown', `pk_key_${'0'.repeat(32)}.${'A'.repeat(43)}`, 'unauthenticated'],
      ['wrong secret', `${id}.${'A'.repeat(43)}`, 'unauthenticated'],
      ['expired', expired.token, 'api_key_expired'],
      ['revoked', revoked.token, 'api_key_revoked'],
    ];
  });

  it('without a right key is 401 and writes nothing', async () => {
    const before = await writtenBy();
    for (const [name, token, code] of useless) {
      const answer = await request(call, token);
      expect([name, answer.status, answer.body.code]).toEqual([name, 401, code]);
    }
    expect(await writtenBy()).toEqual(before);
  });

  it('with every scope but its own is 403 and writes nothing', async () => {
    const before = await writtenBy();
    const answer = await request(call, withoutScope);
    expect(answer).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
    expect(answer.body.detail).toContain(scope);
    expect(await writtenBy()).toEqual(before);
  });

  it('with a key of another tenant neither shows nor changes anything of this one', async () => {
    const before = await writtenBy(tenant.tenantId);
    const answer = await request(call, other.token);
    if (sample.foreign === 'not_found')
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    else if (sample.foreign === 'state_conflict')
      expect(answer).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
    else expect(answer.status).toBeLessThan(300);
    expect(JSON.stringify(answer.body)).not.toContain(tenant.tenantId);
    if (sample.foreign === 'own')
      for (const id of idsIn(answer.body)) expect(await ownerOf(id)).not.toBe(tenant.tenantId);
    expect(await writtenBy(tenant.tenantId)).toEqual(before);
  });

  it('with a right key that has its scope only, succeeds', async () => {
    const answer = await request(call, withScope);
    expect(answer).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
  });
});

/** What a field of a query or a body says without naming anything that exists. */
const plainFields: ReadonlySet<string> = new Set([
  'listBankDecisions cursor',
  'matchBankTransaction reason',
  'unmatchBankTransaction reason',
  'ignoreBankTransaction reason',
  'createCustomer email',
  'createCustomer name',
  'changeCustomer email',
  'changeCustomer name',
  'createCustomer address.region',
  'createCustomer address.postalCode',
  'createCustomer address.lines',
  'createCustomer taxId',
  'createCustomer taxExemption.reason',
  'changeCustomer address.region',
  'changeCustomer address.postalCode',
  'changeCustomer address.lines',
  'changeCustomer taxId',
  'changeCustomer taxExemption.reason',
  'putTaxSettings legalName',
  'putTaxSettings address.region',
  'putTaxSettings address.postalCode',
  'putTaxSettings address.lines',
  'putTaxSettings taxIds.value',
  'createCoupon expiresAt',
  'createTaxRate name',
  'createTaxRate percent',
  'createTaxRate validFrom',
  'createTaxRate region',
  'createInvoice lines.description',
  'createInvoice lines.taxCode',
  'createInvoice finalisesAt',
  'changeInvoiceDraft lines.description',
  'changeInvoiceDraft lines.taxCode',
  'changeInvoiceDraft finalisesAt',
  'voidInvoice reason',
  'markInvoiceUncollectible reason',
  'createPlan taxCode',
  'createPlan name',
  'createPlan family',
  'cancelSubscription reason',
  'cancelSubscription comment',
  'extendTrial reason',
  'pauseSubscription resumesAt',
  'createRefund reason',
  'bouncePayment reason',
  'rejectPaymentApproval reason',
  'writeOffInvoiceRest reason',
  'recordPayment reason',
  'recordPayment chequeNumber',
  'recordCustomerPayment reason',
  'recordCustomerPayment chequeNumber',
  'recordPayment receivedAt',
  'recordPayment note',
  'recordPayment exchangeRate',
  'recordPayment rateSource',
  'recordCustomerPayment receivedAt',
  'recordCustomerPayment note',
  'recordCustomerPayment exchangeRate',
  'recordCustomerPayment rateSource',
  'getExchangeRate date',
  'enterExchangeRate date',
  'enterExchangeRate rate',
  'enterExchangeRate reason',
  'getMrr from',
  'getMrr to',
  'listMrrMovements from',
  'listMrrMovements to',
  'listMrrMovements cohort',
  'getReportSummary date',
  'getRevenue from',
  'getRevenue to',
  'listRevenueEntries from',
  'listRevenueEntries to',
  'putReportSettings recipient',
  'putReportSettings sendAt',
  'putReportSettings chatUrl',
  'createApiKey name',
  'createBankLinkToken redirectUrl',
  // The file itself.
  'addBankStatement ',
  'confirmRazorpayOrder signature',
  'confirmRazorpaySubscription signature',
  'createApiKey expiresAt',
  'acceptCryptoPayments reason',
  'dismissCryptoPayments reason',
  'dismissUnreadableMovements externalIds',
  'cancelCryptoInvoice reason',
  'extendCryptoInvoice reason',
  'markCryptoInvoiceInvalid reason',
  'markCryptoInvoiceSettled reason',
  'markCryptoInvoiceSettled txid',
  'rescanCryptoChain reason',
  'pauseCryptoChain reason',
  'resumeCryptoChain reason',
  'recordCryptoDisposal amount',
  'recordCryptoDisposal disposedAt',
  'createBankAccount name',
  'createBankAccount mask',
  'createBankAccount csvMapping.delimiter',
  'createBankAccount csvMapping.encoding',
  'createBankAccount csvMapping.dateFormat',
  'createBankAccount csvMapping.columns.date',
  'createBankAccount csvMapping.columns.amount.column',
  'createBankAccount csvMapping.columns.amount.credit',
  'createBankAccount csvMapping.columns.amount.debit',
  'createBankAccount csvMapping.columns.amount.indicator',
  'createBankAccount csvMapping.columns.texts',
  'createBankAccount csvMapping.columns.currency',
  'createBankAccount csvMapping.columns.payerName',
  'createBankAccount csvMapping.columns.payerAccount',
  'createBankAccount csvMapping.columns.reference',
  'createBankAccount csvMapping.columns.status.column',
  'createBankAccount csvMapping.columns.status.booked',
  'createBankAccount csvMapping.columns.status.pending',
  'createBankAccount csvMapping.columns.status.leftOut',
  'createBankAccount csvMapping.columns.id',
  'changeBankAccount name',
  'changeBankAccount mask',
  'changeBankAccount csvMapping.delimiter',
  'changeBankAccount csvMapping.encoding',
  'changeBankAccount csvMapping.dateFormat',
  'changeBankAccount csvMapping.columns.date',
  'changeBankAccount csvMapping.columns.amount.column',
  'changeBankAccount csvMapping.columns.amount.credit',
  'changeBankAccount csvMapping.columns.amount.debit',
  'changeBankAccount csvMapping.columns.amount.indicator',
  'changeBankAccount csvMapping.columns.texts',
  'changeBankAccount csvMapping.columns.currency',
  'changeBankAccount csvMapping.columns.payerName',
  'changeBankAccount csvMapping.columns.payerAccount',
  'changeBankAccount csvMapping.columns.reference',
  'changeBankAccount csvMapping.columns.status.column',
  'changeBankAccount csvMapping.columns.status.booked',
  'changeBankAccount csvMapping.columns.status.pending',
  'changeBankAccount csvMapping.columns.status.leftOut',
  'changeBankAccount csvMapping.columns.id',
  'listBankTransactions from',
  'listBankTransactions to',
  'listBankTransactions q',
  'requestCryptoPayout address',
  'requestCryptoPayout reason',
  'rejectCryptoPayout reason',
  'putBankDetails accounts.id',
  'putBankDetails accounts.country',
  'putBankDetails accounts.currency',
  'putBankDetails accounts.holder',
  'putBankDetails accounts.holderAddress',
  'putBankDetails accounts.bankName',
  'putBankDetails accounts.bankAddress',
  'putBankDetails accounts.bic',
  'putBankDetails accounts.achRoutingNumber',
  'putBankDetails accounts.wireRoutingNumber',
  'putBankDetails accounts.accountNumber',
  'putBankDetails accounts.iban',
  'putBankDetails accounts.sortCode',
  'putBankDetails accounts.ifsc',
  'putBankDetails accounts.fields.label',
  'putBankDetails accounts.fields.value',
  'putBankDetails internationalWireAccountId',
  'holdBankTransfer reason',
  'extendBankTransfer reason',
  'confirmBankTransfer number',
  'createBankProof file',
  'createBankProof confirmationNumber',
  'approveBankProof receivedOn',
  'rejectBankProof reason',
]);

/**
 * A request of one tenant that names what another has. `nothing`: an empty page. `own`: it concerns the caller's own
 * things, as if the other tenant had none of that name. Otherwise the problem it meets.
 */
type Naming = {
  call: (theirs: Things, mine: Things) => Promise<Call>;
  meets:
    | 'nothing'
    | 'own'
    | 'not_found'
    | 'state_conflict'
    | 'policy_unusable'
    | 'payment_method_invalid'
    | 'invalid_checkout_signature';
};

type ThingWithId = Exclude<
  keyof Things,
  | 'bank'
  | 'card'
  | 'lineOf'
  | 'order'
  | 'paidInvoice'
  | 'referralCode'
  | 'noEvmAccount'
  | 'evmAccount'
  | 'partlyPaid'
  | 'settledCoins'
  | 'approve'
>;

/** A page of what belongs to the other tenant's customer, subscription or invoice. */
const filtered = (path: string, name: string, listed: Exclude<ThingWithId, 'policy'>): Naming => ({
  call: async (theirs) => {
    const one = await api.request('GET', `${path}/${await theirs[listed]()}`, { token: tenant.token });
    return { path: `${path}?${name}=${one.body[name]}` };
  },
  meets: 'nothing',
});

/** Pages go on after the id, whoever has it, with what the caller has on both sides of it. */
const paged = (path: string, thing: ThingWithId): Naming => ({
  call: async (theirs, mine) => {
    await mine[thing]();
    const cursor = await theirs[thing]();
    await mine[thing]();
    return { path: `${path}?limit=100&cursor=${cursor}` };
  },
  meets: 'own',
});

/** A payment that activates its subscription: an entry of revenue and a movement. */
const paid = async (things: Things): Promise<string> => {
  const { subscriptionId, customerId } = await things.paidInvoice(await things.invoice());
  return `${subscriptionId} ${customerId}`;
};

/** Reports' rows of what belongs to the other tenant's subscription or customer. */
const filteredRows = (path: string, name: 'customerId' | 'subscriptionId'): Naming => ({
  call: async (theirs) => {
    const [subscriptionId, customerId] = (await paid(theirs)).split(' ');
    return { path: `${path}?${name}=${name === 'customerId' ? customerId : subscriptionId}` };
  },
  meets: 'nothing',
});

/** Rows go on after the cursor, whoever's row it is, with what the caller has after it. */
const pagedRows = (path: string): Naming => ({
  call: async (theirs, mine) => {
    for (let count = 0; count < 2; count += 1) await paid(theirs);
    const first = await api.request('GET', `${path}?limit=1`, { token: tenant.token });
    await paid(mine);
    return { path: `${path}?limit=100&cursor=${first.body.nextCursor}` };
  },
  meets: 'own',
});

async function readFile(token: string, accountId: string, file: string): Promise<Json> {
  const headers = { 'content-type': 'text/plain' };
  const path = `/v1/bank_accounts/${accountId}/statements`;
  const answer = await api.request('POST', path, { token, headers, body: file });
  if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const firstIdOf = async (path: string): Promise<string> =>
  (await api.request('GET', path, { token: tenant.token })).body.data[0].id;

const refOf = async (theirs: Things): Promise<string> => {
  const externalRef = randomUUID();
  const path = `/v1/customers/${await theirs.customer()}`;
  const answer = await api.request('PATCH', path, { token: tenant.token, body: { externalRef } });
  expect(answer.status).toBe(200);
  return externalRef;
};

const namings: Record<string, Naming> = {
  'listCustomers cursor': paged('/v1/customers', 'customer'),
  'listCustomers externalRef': {
    call: async (theirs) => ({ path: `/v1/customers?externalRef=${await refOf(theirs)}` }),
    meets: 'nothing',
  },
  'createCustomer externalRef': {
    call: async (theirs) => {
      const body = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
      return { path: '/v1/customers', body: { ...body, externalRef: await refOf(theirs) } };
    },
    meets: 'own',
  },
  'changeCustomer externalRef': {
    call: async (theirs, mine) => ({
      path: `/v1/customers/${await mine.customer()}`,
      body: { externalRef: await refOf(theirs) },
    }),
    meets: 'own',
  },
  'createPlan code': {
    call: async (theirs) => ({ path: '/v1/plans', body: newPlan(await codeOf(theirs)) }),
    meets: 'own',
  },
  'createPlan policy.dunningPolicy': {
    call: async (theirs) => ({
      path: '/v1/plans',
      body: { ...newPlan(randomUUID()), policy: { dunningPolicy: await theirs.policy() } },
    }),
    meets: 'policy_unusable',
  },
  'listPlans cursor': paged('/v1/plans', 'plan'),
  'createSubscription customerId': {
    call: async (theirs) => ({
      path: '/v1/subscriptions',
      body: { customerId: await theirs.customer(), planCode: 'pro-monthly' },
    }),
    meets: 'not_found',
  },
  'createSubscription planId': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: { customerId: await mine.customer(), planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'previewPlanChange planId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/preview_change`,
      body: { planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'previewPlanChange planCode': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/preview_change`,
      body: { planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'changePlan planId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/change_plan`,
      body: { planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'changePlan planCode': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/change_plan`,
      body: { planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'createSubscription planCode': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: { customerId: await mine.customer(), planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'createSubscription couponCode': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: {
        customerId: await mine.customer(),
        planCode: 'pro-monthly',
        couponCode: await couponCodeOf(theirs),
      },
    }),
    meets: 'not_found',
  },
  'createSubscription referralCode': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: {
        customerId: await mine.customer(),
        planCode: 'pro-monthly',
        referralCode: await theirs.referralCode(),
      },
    }),
    meets: 'not_found',
  },
  'applyCoupon couponCode': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/apply_coupon`,
      body: { couponCode: await couponCodeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'createCoupon code': {
    call: async (theirs) => ({
      path: '/v1/coupons',
      body: { ...newCoupon(), code: await couponCodeOf(theirs) },
    }),
    meets: 'own',
  },
  'createCoupon customerId': {
    call: async (theirs) => ({
      path: '/v1/coupons',
      body: { ...newCoupon(), customerId: await theirs.customer() },
    }),
    meets: 'not_found',
  },
  'listCoupons cursor': paged('/v1/coupons', 'coupon'),
  'listCoupons code': {
    call: async (theirs) => ({ path: `/v1/coupons?code=${await couponCodeOf(theirs)}` }),
    meets: 'nothing',
  },
  'listCustomers referredBy': {
    call: async (theirs) => ({ path: `/v1/customers?referredBy=${await theirs.referrer()}` }),
    meets: 'nothing',
  },
  'listSubscriptions cursor': paged('/v1/subscriptions', 'trial'),
  'listSubscriptions customerId': filtered('/v1/subscriptions', 'customerId', 'trial'),
  'getSubscriptionTimeline cursor': {
    call: async (theirs, mine) => {
      const entry = await firstIdOf(`/v1/subscriptions/${await theirs.trial()}/timeline`);
      return { path: `/v1/subscriptions/${await mine.trial()}/timeline?cursor=${entry}` };
    },
    meets: 'own',
  },
  'changePaymentMethod paymentMethodId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/payment_method`,
      body: { paymentMethodId: await theirs.card() },
    }),
    meets: 'payment_method_invalid',
  },
  'listInvoices cursor': paged('/v1/invoices', 'invoice'),
  'listInvoices customerId': filtered('/v1/invoices', 'customerId', 'invoice'),
  'listInvoices subscriptionId': filtered('/v1/invoices', 'subscriptionId', 'invoice'),
  'createInvoice subscriptionId': {
    call: async (theirs) => ({ path: '/v1/invoices', body: draftOf(await theirs.trial()) }),
    meets: 'not_found',
  },
  'recordPayment reference': {
    call: async (theirs, mine) => {
      const { externalId } = (
        await api.request('GET', `/v1/payments/${await theirs.payment()}`, { token: tenant.token })
      ).body;
      return {
        path: `/v1/invoices/${await mine.invoice()}/payments`,
        body: { ...cash(), reference: externalId },
      };
    },
    meets: 'own',
  },
  'recordCustomerPayment reference': {
    call: async (theirs, mine) => {
      const { externalId } = (
        await api.request('GET', `/v1/payments/${await theirs.payment()}`, { token: tenant.token })
      ).body;
      const invoice = (
        await api.request('GET', `/v1/invoices/${await mine.invoice()}`, { token: other.token })
      ).body;
      return {
        path: `/v1/customers/${invoice.customerId}/payments`,
        body: { ...cash(), reference: externalId },
      };
    },
    meets: 'own',
  },
  'confirmRazorpayOrder paymentId': {
    call: async (theirs, mine) => {
      const { checkout } = await theirs.order();
      const { id } = await mine.order();
      return {
        path: `/v1/razorpay_orders/${id}/confirm`,
        body: processes.razorpay.pay({ orderId: checkout.order_id }),
      };
    },
    meets: 'invalid_checkout_signature',
  },
  'confirmRazorpaySubscription paymentId': {
    call: async (theirs, mine) => {
      const { externalId } = await theirs.razorpaySubscription();
      return {
        path: `${razorpayPathOf(await mine.razorpaySubscription())}/confirm`,
        body: processes.razorpay.signAuthorization(externalId),
      };
    },
    meets: 'invalid_checkout_signature',
  },
  'createCryptoAccount publicKey': {
    call: async (theirs, mine) => {
      const { publicKey } = await theirs.evmAccount();
      await mine.noEvmAccount();
      return { path: '/v1/crypto_accounts', body: { family: 'evm', publicKey } };
    },
    meets: 'state_conflict',
  },
  'acceptCryptoPayments paymentKeys': {
    call: async (theirs, mine) => ({
      path: `/v1/crypto_invoices/${await mine.cryptoInvoice()}/accept`,
      body: { paymentKeys: [(await theirs.partlyPaid()).key], ...why },
    }),
    meets: 'state_conflict',
  },
  'dismissCryptoPayments paymentKeys': {
    call: async (theirs, mine) => ({
      path: `/v1/crypto_invoices/${await mine.cryptoInvoice()}/dismiss`,
      body: { paymentKeys: [(await theirs.partlyPaid()).key], ...why },
    }),
    meets: 'state_conflict',
  },
  'lookUpCryptoTransaction txid': {
    call: async (theirs) => ({ path: '/v1/crypto/lookup', body: { txid: await txidOf(theirs) } }),
    meets: 'own',
  },
  'listCryptoInvoices cursor': paged('/v1/crypto_invoices', 'cryptoInvoice'),
  'listCryptoInvoices invoiceId': filtered('/v1/crypto_invoices', 'invoiceId', 'cryptoInvoice'),
  'listCryptoActs cursor': paged('/v1/crypto_acts', 'cryptoAct'),
  'listCryptoActs cryptoInvoiceId': {
    call: async (theirs) => {
      const id = await theirs.cryptoInvoice();
      await api.request('POST', `/v1/crypto_invoices/${id}/mark_settled`, {
        token: tenant.token,
        body: forced,
      });
      return { path: `/v1/crypto_acts?cryptoInvoiceId=${id}` };
    },
    meets: 'nothing',
  },
  'listCryptoInvoiceEvents cursor': {
    call: async (theirs, mine) => {
      const { id } = await theirs.partlyPaid();
      const { body } = await api.request('GET', `/v1/crypto_invoices/${id}/events`, { token: tenant.token });
      const own = await mine.partlyPaid();
      return { path: `/v1/crypto_invoices/${own.id}/events?cursor=${body.data[0].id}` };
    },
    meets: 'own',
  },
  'matchBankTransaction invoices.invoiceId': {
    call: async (theirs, mine) => ({
      path: `/v1/bank_transactions/${await mine.movement()}/match`,
      body: { invoices: [{ invoiceId: await theirs.oneOff() }] },
    }),
    meets: 'not_found',
  },
  'matchBankTransaction creditCustomerId': {
    call: async (theirs, mine) => ({
      path: `/v1/bank_transactions/${await mine.movement()}/match`,
      body: { creditCustomerId: await theirs.customer() },
    }),
    meets: 'not_found',
  },
  'recordCryptoDisposal accountId': {
    call: async (theirs) => ({ path: '/v1/crypto_disposals', body: soldFrom(await theirs.settledCoins()) }),
    meets: 'not_found',
  },
  'recordCryptoDisposal lotIds': {
    call: async (theirs, mine) => {
      const { lotId } = await theirs.settledCoins();
      const body = { ...soldFrom(await mine.settledCoins()), method: 'specific', lotIds: [lotId] };
      return { path: '/v1/crypto_disposals', body };
    },
    meets: 'state_conflict',
  },
  'recordCryptoDisposal reference': {
    call: async (theirs, mine) => {
      const id = await theirs.disposal();
      const [{ reference }] = await api.sql('SELECT reference FROM crypto_disposals WHERE id = $1', [id]);
      return { path: '/v1/crypto_disposals', body: { ...soldFrom(await mine.settledCoins()), reference } };
    },
    meets: 'own',
  },
  'listCryptoDisposals cursor': paged('/v1/crypto_disposals', 'disposal'),
  'listCryptoLots accountId': {
    call: async (theirs) => ({
      path: `/v1/crypto_lots?accountId=${(await theirs.settledCoins()).accountId}`,
    }),
    meets: 'nothing',
  },
  'listCryptoLots cursor': {
    call: async (theirs, mine) => {
      for (let count = 0; count < 2; count += 1) await theirs.settledCoins();
      const first = await api.request('GET', '/v1/crypto_lots?limit=1', { token: tenant.token });
      await mine.settledCoins();
      return { path: `/v1/crypto_lots?limit=100&cursor=${first.body.nextCursor}` };
    },
    meets: 'own',
  },
  'requestCryptoPayout paymentKey': {
    call: async (theirs, mine) => {
      const { key: paymentKey } = await theirs.partlyPaid();
      const { id, address } = await mine.settledCoins();
      return { path: `/v1/crypto_invoices/${id}/payouts`, body: { address, paymentKey, ...why } };
    },
    meets: 'not_found',
  },
  'listCryptoPayouts cursor': paged('/v1/crypto_payouts', 'payout'),
  'broadcastCryptoPayout txid': {
    call: async (theirs, mine) => {
      const txid = randomTxid();
      const id = await theirs.payout();
      await theirs.approve(id);
      await api.request('POST', `/v1/crypto_payouts/${id}/broadcast`, {
        token: tenant.token,
        body: { txid },
      });
      const own = await mine.payout();
      await mine.approve(own);
      return { path: `/v1/crypto_payouts/${own}/broadcast`, body: { txid } };
    },
    meets: 'own',
  },
  'listPaymentApprovals cursor': paged('/v1/payment_approvals', 'approval'),
  'createBankLinkToken bankConnectionId': {
    call: async (theirs) => ({
      path: '/v1/bank_link_tokens',
      body: { bankConnectionId: await theirs.bankConnection() },
    }),
    meets: 'not_found',
  },
  'createBankConnection publicToken': {
    call: async (theirs) => ({
      path: '/v1/bank_connections',
      body: { publicToken: (await theirs.bank()).publicToken },
    }),
    meets: 'state_conflict',
  },
  'listBankConnections cursor': paged('/v1/bank_connections', 'bankConnection'),
  'listBankProofs cursor': paged('/v1/bank_proofs', 'bankProof'),
  'listBankProofs invoiceId': filtered('/v1/bank_proofs', 'invoiceId', 'bankProof'),
  'listBankProofs bankTransferId': filtered('/v1/bank_proofs', 'bankTransferId', 'bankProof'),
  'listBankTransfers cursor': paged('/v1/bank_transfers', 'bankTransfer'),
  'listBankTransfers invoiceId': filtered('/v1/bank_transfers', 'invoiceId', 'bankTransfer'),
  'listBankTransfers reference': filtered('/v1/bank_transfers', 'reference', 'bankTransfer'),
  'createBankAccount statementAccount': {
    call: async (theirs) => {
      await theirs.bankAccount();
      const body = { name: 'Current', currency: 'EUR', statementAccount: sampleAccount.iban };
      return { path: '/v1/bank_accounts', body };
    },
    meets: 'own',
  },
  'changeBankAccount statementAccount': {
    call: async (theirs, mine) => {
      await theirs.bankAccount();
      const path = `/v1/bank_accounts/${await mine.bankAccount()}`;
      return { path, body: { statementAccount: sampleAccount.iban } };
    },
    meets: 'own',
  },
  'listBankStatements cursor': paged('/v1/bank_statements', 'statement'),
  'listBankStatements accountId': filtered('/v1/bank_statements', 'accountId', 'statement'),
  'listBankTransactions cursor': paged('/v1/bank_transactions', 'suspectedCopy'),
  'listBankTransactions accountId': filtered('/v1/bank_transactions', 'accountId', 'suspectedCopy'),
  'listBankTransactions statementId': filtered('/v1/bank_transactions', 'statementId', 'suspectedCopy'),
  'listPayments cursor': paged('/v1/payments', 'payment'),
  'listPayments customerId': filtered('/v1/payments', 'customerId', 'payment'),
  'listPayments invoiceId': filtered('/v1/payments', 'invoiceId', 'payment'),
  'createRefund lines.lineId': {
    call: async (theirs, mine) => ({
      path: `/v1/payments/${await mine.payment()}/refunds`,
      body: { lines: [{ lineId: await theirs.lineOf(await theirs.payment()) }] },
    }),
    meets: 'not_found',
  },
  'listRefunds cursor': paged('/v1/refunds', 'refund'),
  'listRefunds customerId': filtered('/v1/refunds', 'customerId', 'refund'),
  'listRefunds paymentId': filtered('/v1/refunds', 'paymentId', 'refund'),
  'listCreditNotes cursor': paged('/v1/credit_notes', 'creditNote'),
  'listCreditNotes customerId': filtered('/v1/credit_notes', 'customerId', 'creditNote'),
  'listCreditNotes invoiceId': filtered('/v1/credit_notes', 'invoiceId', 'creditNote'),
  'listDisputes cursor': paged('/v1/disputes', 'dispute'),
  'listDisputes customerId': filtered('/v1/disputes', 'customerId', 'dispute'),
  'listDisputes paymentId': filtered('/v1/disputes', 'paymentId', 'dispute'),
  'listTaxRates cursor': paged('/v1/tax_rates', 'taxRate'),
  'listDunningPolicies cursor': {
    call: async (theirs) => ({ path: `/v1/dunning_policies?cursor=${await theirs.policy()}` }),
    meets: 'own',
  },
  'listNotifications cursor': paged('/v1/notifications', 'notification'),
  'listNotifications customerId': filtered('/v1/notifications', 'customerId', 'notification'),
  'listNotifications subscriptionId': filtered('/v1/notifications', 'subscriptionId', 'notification'),
  'listMrrMovements cursor': pagedRows('/v1/reports/mrr/movements'),
  'listMrrMovements customerId': filteredRows('/v1/reports/mrr/movements', 'customerId'),
  'listMrrMovements subscriptionId': filteredRows('/v1/reports/mrr/movements', 'subscriptionId'),
  'listRevenueEntries cursor': pagedRows('/v1/reports/revenue/entries'),
  'listApiKeys cursor': {
    call: async () => ({ path: `/v1/api_keys?cursor=${await firstIdOf('/v1/api_keys')}` }),
    meets: 'own',
  },
  'listAuditLog cursor': {
    call: async () => ({ path: `/v1/audit_log?cursor=${await firstIdOf('/v1/audit_log')}` }),
    meets: 'own',
  },
  'listAuditLog entityId': {
    call: async (theirs) => {
      const name = await theirs.policy();
      const [row] = await api.sql('SELECT id FROM dunning_policies WHERE name = $1', [name]);
      return { path: `/v1/audit_log?entityId=${row.id}` };
    },
    meets: 'nothing',
  },
};

async function codeOf(theirs: Things): Promise<string> {
  return (await api.request('GET', `/v1/plans/${await theirs.plan()}`, { token: tenant.token })).body.code;
}

function newPlan(code: string) {
  const interval = { unit: 'month' };
  return { code, name: 'New', family: 'new', priceMinor: 1, currency: 'USD', interval };
}

describe('a field of a query or a body', () => {
  it('either names something, and then has a sample, or is known to name nothing', () => {
    const known = [...Object.keys(namings), ...plainFields];
    expect(fieldsOf(api.document).sort()).toEqual(known.sort());
  });

  it.each(Object.entries(namings))(
    '%s that names what another tenant has neither shows nor changes it',
    async (field, { call, meets }) => {
      const { path, body } = await call(thingsOf(tenant), thingsOf(other));
      const before = await writtenBy(tenant.tenantId);
      const { method } = operations.find(
        ({ operationId }) => operationId === field.split(' ')[0],
      ) as Operation;
      const answer = await api.request(method, path, {
        token: other.token,
        ...(body !== undefined && { body }),
      });
      if (meets === 'nothing') {
        expect(answer).toMatchObject({ status: 200, body: { data: [] } });
        const seen = await api.request(method, path, { token: tenant.token });
        expect(seen.body.data, 'its owner sees it').not.toEqual([]);
      } else if (meets === 'own') expect(answer.status).toBeLessThan(300);
      else expect(answer.body.code).toBe(meets);
      if (meets === 'own') expect(answer.body.data).not.toEqual([]);

      // A problem repeats what the caller has named, and nothing else.
      const named = idsIn({ path, body });
      for (const id of idsIn(answer.body)) {
        if (!named.includes(id) || meets === 'own') expect(await ownerOf(id)).not.toBe(tenant.tenantId);
      }
      expect(await writtenBy(tenant.tenantId)).toEqual(before);
    },
  );
});

describe('a dunning policy of another tenant', () => {
  it('is not listed, and one of the same name begins with its own first version', async () => {
    const name = await thingsOf(tenant).policy();
    const listed = await api.request('GET', '/v1/dunning_policies?limit=100', { token: other.token });
    const names = listed.body.data.map((each: Json) => each.name);
    expect(names).toContain('standard_30');
    expect(names).not.toContain(name);

    const path = `/v1/dunning_policies/${name}`;
    const edited = { graceDays: 0, steps: [{ ...step, day: 2 }] };
    const put = await api.request('PUT', path, { token: other.token, body: edited });
    expect(put).toMatchObject({ status: 200, body: { version: 1, steps: edited.steps } });
    const theirs = await api.request('GET', path, { token: tenant.token });
    expect(theirs).toMatchObject({ status: 200, body: { version: 2, steps: [step] } });
  });
});

/** Every field of a query or a body that takes any text: `operation field`, nested ones with their path. */
function fieldsOf(document: Json): string[] {
  const deref = (schema: Json): Json => {
    if (schema?.$ref === undefined) return schema;
    const keys: string[] = schema.$ref.slice('#/'.length).split('/');
    return deref(keys.reduce((within, key) => within[key], document));
  };
  const textsIn = (given: Json, path: string): string[] => {
    const schema = deref(given) ?? {};
    const { items, properties = {}, anyOf = [], oneOf = [], allOf = [] } = schema;
    const isText = [schema.type].flat().includes('string') && schema.enum === undefined;
    return [
      ...(isText ? [path] : []),
      ...(items === undefined ? [] : textsIn(items, path)),
      ...[...anyOf, ...oneOf, ...allOf].flatMap((each: Json) => textsIn(each, path)),
      ...Object.entries(properties).flatMap(([key, value]) =>
        textsIn(value, path === '' ? key : `${path}.${key}`),
      ),
    ];
  };
  const fields = Object.values(document.paths as Json).flatMap((methods: Json) =>
    Object.values(methods).flatMap((operation: Json) => {
      if (operation['x-scope'] === undefined) return [];
      const queries = (operation.parameters ?? [])
        .map(deref)
        .filter((parameter: Json) => parameter.in === 'query')
        .flatMap(({ name, schema }: Json) => textsIn(schema, name));
      const [media] = Object.values<Json>(deref(operation.requestBody)?.content ?? {});
      const body = textsIn(media?.schema, '');
      return [...queries, ...body].map((field) => `${operation.operationId} ${field}`);
    }),
  );
  return [...new Set(fields)];
}

/** Whatever looks like an id of ours, anywhere in an answer. */
function idsIn(body: Json): string[] {
  return [...new Set(JSON.stringify(body).match(/\b[a-z]+_[0-9a-f]{32}\b/g) ?? [])];
}

/** A job that was triggered notes its success when it likes. */
async function writtenBy(tenantId?: string): Promise<Record<string, number>> {
  const { schedule_runs: _jobs, ...counts } = await api.rowCounts(tenantId);
  return counts;
}

const tables: Record<string, string> = {
  cus: 'customers',
  plan: 'plans',
  sub: 'subscriptions',
  inv: 'invoices',
  pay: 'payments',
  pap: 'payment_approvals',
  ref: 'refunds',
  cn: 'credit_notes',
  dsp: 'disputes',
  line: 'invoice_lines',
  rzo: 'razorpay_orders',
  rzs: 'razorpay_subscriptions',
  cacc: 'crypto_accounts',
  cin: 'crypto_invoices',
  cev: 'crypto_events',
  cact: 'crypto_acts',
  bdc: 'bank_decisions',
  clot: 'crypto_lots',
  cdis: 'crypto_disposals',
  cpo: 'crypto_payouts',
  cbc: 'coinbase_checkouts',
  bcn: 'bank_connections',
  bac: 'bank_accounts',
  btf: 'bank_transfers',
  bst: 'bank_statements',
  btx: 'bank_transactions',
  ntf: 'notifications',
  key: 'api_keys',
  aud: 'audit_log',
  evt: 'subscription_events',
  rate: 'tax_rates',
  cpn: 'coupons',
  fxr: 'exchange_rates',
  dpol: 'dunning_policies',
  dcase: 'dunning_cases',
  mov: 'mrr_movements',
  bpf: 'bank_proofs',
};

async function couponCodeOf(whose: Things): Promise<string> {
  const path = `/v1/coupons/${await whose.coupon()}`;
  const answers = await Promise.all([tenant, other].map(({ token }) => api.request('GET', path, { token })));
  return answers.find(({ status }) => status === 200)?.body.code;
}

const newCoupon = () => ({ code: `C-${randomUUID()}`, percent: 20 });

async function ownerOf(id: string | undefined): Promise<string | undefined> {
  const table = tables[id?.split('_')[0] ?? ''];
  if (table === undefined) return undefined;
  const [row] = await api.sql(`SELECT tenant_id FROM ${table} WHERE id = $1`, [id]);
  return row?.tenant_id;
}
