/** The scene of the crash test: a paying customer whose subscription has just renewed, and what the books say of it. */
import pino from 'pino';
import { createActivities } from '../../activities/index.ts';
import { type CollectInvoiceInput, collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { createDatabase, type Database, type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { dunningCases, dunningPolicies, invoices, plans } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { chargeAttempts, ledgerEntries, payments } from '../../db/schema/payments.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy, type SubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { TaxEngine } from '../../domain/billing/tax-engine.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import type { CheckoutProvider } from '../../domain/payments/coinbase-checkout.ts';
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import type { RazorpayVendor } from '../../domain/payments/razorpay-subscription.ts';
import type { CoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import type { FrankfurterSandbox } from '../../integrations/frankfurter/sandbox.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { startTestCoinbase } from '../support/coinbase.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestRates } from '../support/exchange-rates.ts';
import { startTestRazorpay } from '../support/razorpay.ts';
import { testTaxEngine } from '../support/tax-engine.ts';

export const PRICE_MINOR = 2900;
/** Fourteen days after the start. */
const TRIAL_ENDS_AT = '2026-02-14T10:00:00.000Z';

/** The invoice of a renewal, open and not yet collected. The invoice before it has been paid. */
export type OpenInvoice = {
  tenantId: string;
  invoiceId: string;
  /** The customer's card at the vendor. */
  card: string;
  /** What the workflow calls the activity with. */
  input: CollectInvoiceInput;
};

/** The acts of a subscription after which an invoice is to be collected. */
export type IssuingAct = 'endTrial' | 'issueFirstInvoice' | 'renew';

/** A subscription with a card, at the instant at which an act is due. */
export type DueSubscription = { tenantId: string; subscriptionId: string; card: string; at: string };

type SceneParts = {
  db: Database;
  cardVendor: CardVendor;
  sandbox: StripeSandbox;
  orderVendor: RazorpayVendor;
  checkoutProvider: CheckoutProvider;
  coinbase: CoinbaseSandbox;
  taxEngine: TaxEngine;
  razorpay: RazorpaySandbox;
  exchangeRates: ExchangeRates;
  frankfurter: FrankfurterSandbox;
  activities: ReturnType<typeof createActivities>;
};

export type Scene = SceneParts & {
  dueSubscription(kind: IssuingAct): Promise<DueSubscription>;
  /**
   * `outcomes`: what the issuer says to the card's attempts, the first of which pays the first invoice. `ladder`: the
   * dunning policy of its plan.
   */
  openInvoice(outcomes?: string[], ladder?: string): Promise<OpenInvoice>;
  close(): Promise<void>;
};

/** A database and a vendor of their own. */
export async function createScene(): Promise<Scene> {
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  const sandbox = await startStripeSandbox({ port: 0 });
  const cardVendor = createStripeCardVendor({
    secretKey: 'sk_test_crash',
    apiBase: sandbox.url,
    returnUrl: 'https://portal.example.com/thanks',
  });
  const orders = await startTestRazorpay();
  const checkouts = await startTestCoinbase();
  const log = pino({ level: 'silent' });
  const taxEngine = testTaxEngine(sandbox.url);
  const rates = await startTestRates();
  const { orderVendor } = orders;
  const { checkoutProvider } = checkouts;
  const { exchangeRates } = rates;
  const vendors = { cardVendor, orderVendor, checkoutProvider, taxEngine, exchangeRates };
  const activities = createActivities({ db, ...vendors, log, drainOutbox: async () => 0 });
  const parts = { db, cardVendor, sandbox, taxEngine, ...orders, ...checkouts, ...rates, activities };
  return {
    ...parts,
    dueSubscription: (kind) => dueSubscription(parts, kind),
    openInvoice: (outcomes, ladder) =>
      renewed(parts, { ...(outcomes && { outcomes }), ...(ladder && { ladder }) }),
    close: async () => {
      await sandbox.close();
      await orders.razorpay.close();
      await checkouts.coinbase.close();
      await rates.frankfurter.close();
      await db.close();
      await database.drop();
    },
  };
}

/** The invoices of a tenant, by the period they bill. */
export function invoicesOf(db: Database, tenantId: string) {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx.select().from(invoices).orderBy(invoices.id);
    return rows.map(({ id, periodIndex, status }) => ({ id, periodIndex, status }));
  });
}

/** What our database says about the invoice and its tenant's money. */
export function booksOf(db: Database, { tenantId, invoiceId }: OpenInvoice) {
  return withTenant(db, tenantId, async (tx) => {
    const [invoice] = (await tx.select().from(invoices)).filter(({ id }) => id === invoiceId);
    const attempts = (await tx.select().from(chargeAttempts)).filter((each) => each.invoiceId === invoiceId);
    const received = (await tx.select().from(payments)).filter((each) => each.invoiceId === invoiceId);
    const entries = await tx.select().from(ledgerEntries);
    const mails = await tx.select().from(notifications);
    return {
      paid: invoice?.status === 'paid',
      receivedMinor: received.map(({ amountMinor }) => amountMinor),
      attempts: attempts.map(({ status }) => status),
      cashMinor: sum(entries.filter(({ account }) => account === 'cash:stripe')),
      ledgerMinor: sum(entries),
      cases: (await tx.select().from(dunningCases)).length,
      mails: mails.map(({ template }) => template),
    };
  });
}

type Wish = { outcomes?: string[]; ladder?: string };

async function subscribed(
  { db, activities, sandbox }: SceneParts,
  { start, outcomes = ['succeeded'], ladder }: Wish & { start: 'trial' | 'payment' },
): Promise<DueSubscription> {
  const tenantId = newId('ten');
  const at = '2026-01-31T10:00:00.000Z';
  const policy = { ...defaultSubscriptionPolicy, ...(ladder && { dunningPolicy: ladder }) };
  const subscriptionId = await withTenant(db, tenantId, (tx) =>
    subscribe(tx, { tenantId, start, at: new Date(at), policy }),
  );
  const card = sandbox.createCard({ outcomes });
  const request = { tenantId, subscriptionId, requestId: card, at, paymentMethodId: card, actor: 'test' };
  await activities.stripe.attachPaymentMethod(request);
  return { tenantId, subscriptionId, card, at };
}

/** A subscription on the day on which it issues an invoice, up to that moment. */
async function dueSubscription(
  parts: SceneParts,
  kind: IssuingAct,
  wish: Wish = {},
): Promise<DueSubscription> {
  const { activities } = parts;
  const start = kind === 'endTrial' ? 'trial' : 'payment';
  const { at, ...subscription } = await subscribed(parts, { start, ...wish });
  if (kind === 'endTrial') return { ...subscription, at: TRIAL_ENDS_AT };
  if (kind === 'issueFirstInvoice') return { ...subscription, at };

  const { tenantId, subscriptionId } = subscription;
  const first = await activities.billing.issueFirstInvoice({ tenantId, subscriptionId, at });
  const charge = { tenantId, invoiceId: first.invoiceId ?? '', at } as const;
  const origin = { origin: 'first_invoice', originKey: 'first_invoice' } as const;
  const { snapshot } = await collectInvoice(parts, { ...charge, ...origin });
  return { ...subscription, at: snapshot.periodEndsAt ?? '' };
}

async function renewed(parts: SceneParts, wish: Wish): Promise<OpenInvoice> {
  const { card, ...due } = await dueSubscription(parts, 'renew', wish);
  const { invoiceId } = await parts.activities.billing.renew(due);
  if (invoiceId === null) throw new Error('The renewal issued no invoice');
  const { tenantId, at } = due;
  const input = { tenantId, invoiceId, origin: 'renewal', originKey: 'renewal', at } as const;
  return { tenantId, invoiceId, card, input };
}

async function subscribe(
  tx: Tx,
  {
    tenantId,
    start,
    at,
    policy,
  }: { tenantId: string; start: 'trial' | 'payment'; at: Date; policy: SubscriptionPolicy },
): Promise<string> {
  const portalUrl = 'https://portal.example.com';
  await tx.insert(tenants).values({ id: tenantId, name: 'Acme', portalUrl });
  for (const policy of defaultDunningPolicies) {
    await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
  }
  const terms = { priceMinor: PRICE_MINOR, currency: 'USD', interval: { unit: 'month', count: 1 } } as const;
  const name = { code: 'pro', name: 'Pro', family: 'pro', rank: 1 };
  const [plan] = await tx
    .insert(plans)
    .values({ id: newId('plan'), tenantId, ...name, ...terms, policy })
    .returning();
  const person = { email: 'ada@example.com', name: 'Ada', externalRef: null, personKey: 'ada' };
  const customer = await createCustomer(tx, { tenantId, currency: 'USD', ...person });
  if (plan === undefined || customer === null) throw new Error('The scene could not be set');
  const { context } = await createSubscription(tx, { customerId: customer.id, plan, start, at });
  return context.subscription.id;
}

function sum(rows: readonly { amountMinor: number }[]): number {
  return rows.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
