/** A part of an invoice is paid while a charge over all of it waits for the customer: nobody pays more than is due. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, subscriptions } from '../../db/schema/billing.ts';
import { outbox } from '../../db/schema/operations.ts';
import { chargeAttempts } from '../../db/schema/payments.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import { money } from '../../domain/money.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await createScene();
});

afterAll(() => scene?.close());

const WIRED = 1900;
const REST = PRICE_MINOR - WIRED;
const LATER = '2026-03-01T10:00:00.000Z';

it('a charge over the rest takes its place, whenever the worker that replaces it dies', async () => {
  let moments = 0;
  for (let dieAt = 1; ; dieAt += 1) {
    const invoice = await waiting();
    await wire(invoice);
    const died = await runUntilDeath(invoice, dieAt);
    expect((await collectPlanned(invoice, scene)).outcome).not.toBe('paid');
    const { attempts, planned } = await stateOf(invoice);
    expect(attempts).toEqual([`failed ${PRICE_MINOR}`, `requires_action ${REST}`]);
    expect(planned).toEqual([]);
    expect(linksOf(invoice)).toEqual([REST]);
    if (!died) break;
    moments = dieAt;
  }
  expect(moments).toBeGreaterThan(6);
});

it('a customer who is quicker has paid, and what is too much is credit', async () => {
  const invoice = await waiting();
  await wire(invoice);
  scene.sandbox.authenticate(paymentsOf(invoice)[0] ?? '', 'confirm');
  expect((await collectPlanned(invoice, scene)).outcome).toBe('paid');
  expect(await stateOf(invoice)).toMatchObject({
    status: 'paid',
    attempts: [`succeeded ${PRICE_MINOR}`],
    planned: [],
    creditMinor: WIRED,
  });
});

it('a part that is paid while the vendor is being asked counts, too', async () => {
  const invoice = await openInvoice();
  const beforeTheCall = 4;
  await expect(collectInvoice(mortal(scene, beforeTheCall), invoice.input)).rejects.toThrow(Death);
  await wire(invoice);
  expect((await stateOf(invoice)).planned, 'nothing waits for the customer yet').toEqual(['renewal']);
  await collectInvoice(scene, invoice.input);
  await collectPlanned(invoice, scene);
  expect(linksOf(invoice)).toEqual([REST]);
});

it('the same part recorded again changes nothing', async () => {
  const invoice = await waiting();
  await wire(invoice);
  await collectPlanned(invoice, scene);
  const before = await stateOf(invoice);
  await withTenant(scene.db, invoice.tenantId, (tx) =>
    settlePayment(tx, { ...paymentOf(invoice), externalId: 'wire 1' }),
  );
  expect(await stateOf(invoice)).toEqual(before);
});

it('after the end of the subscription it is called back, and nothing is charged instead', async () => {
  const invoice = await waiting();
  const { tenantId } = invoice;
  const subscriptionId = await withTenant(scene.db, tenantId, async (tx) => {
    const policy = { ...defaultSubscriptionPolicy, openInvoiceOnCancel: 'keep' } as const;
    await tx.update(subscriptions).set({ policy });
    return (await readInvoice(tx, invoice.invoiceId)).subscriptionId;
  });
  const leave = { requestId: 'leave', actor: 'test', mode: 'now', reason: 'other' } as const;
  await scene.activities.billing.cancelSubscription({ tenantId, subscriptionId, at: LATER, ...leave });
  await withTenant(scene.db, tenantId, (tx) => tx.delete(outbox));

  await wire(invoice);
  const [paymentId = ''] = paymentsOf(invoice);
  const owed = await withTenant(scene.db, tenantId, (tx) => tx.select().from(outbox));
  expect(JSON.stringify(owed)).toContain(paymentId);
  await scene.activities.stripe.syncCardPayment({ paymentId, inboxEventIds: [], at: LATER });
  expect(linksOf(invoice)).toEqual([]);
  expect(await stateOf(invoice)).toMatchObject({
    status: 'open',
    attempts: [`failed ${PRICE_MINOR}`],
    planned: [],
  });
});

/** The invoice of a renewal whose card asks for the customer. */
function openInvoice(): Promise<OpenInvoice> {
  return scene.openInvoice(['succeeded', 'authentication_required']);
}

async function waiting(): Promise<OpenInvoice> {
  const invoice = await openInvoice();
  expect((await collectInvoice(scene, invoice.input)).outcome).toBe('requires_action');
  return invoice;
}

function paymentOf({ tenantId, invoiceId }: OpenInvoice) {
  const amount = money(WIRED, 'USD');
  return { tenantId, invoiceId, rail: 'manual', externalId: 'wire 1', amount, at: new Date(LATER) } as const;
}

async function wire(invoice: OpenInvoice): Promise<void> {
  const { outcome } = await withTenant(scene.db, invoice.tenantId, (tx) =>
    settlePayment(tx, paymentOf(invoice)),
  );
  expect(outcome).toBe('partial');
}

/** Collects what the row says is to be charged, as the subscription's process does; the invoice's first try where nothing is. */
async function collectPlanned({ tenantId, invoiceId, input }: OpenInvoice, borders: typeof scene | Mortal) {
  const [planned] = await withTenant(scene.db, tenantId, async (tx) => {
    const { subscriptionId } = await readInvoice(tx, invoiceId);
    const rows = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    return rows.flatMap(({ plannedCharges }) => plannedCharges);
  });
  return collectInvoice(borders, { ...(planned ?? input), tenantId, at: LATER });
}

type Mortal = ReturnType<typeof mortal>;

async function runUntilDeath(invoice: OpenInvoice, dieAt: number): Promise<boolean> {
  try {
    await collectPlanned(invoice, mortal(scene, dieAt));
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function paymentsOf({ invoiceId }: OpenInvoice): string[] {
  return scene.sandbox
    .effects()
    .filter(({ op, businessRef }) => op === 'payment_intents.create' && businessRef === invoiceId)
    .map(({ objectId }) => objectId ?? '');
}

/** The amounts that a customer who follows a link would pay now. */
function linksOf(invoice: OpenInvoice): number[] {
  const effects = scene.sandbox
    .effects()
    .filter(({ objectId }) => paymentsOf(invoice).includes(objectId ?? ''));
  const cancelled = new Set(
    effects.filter(({ op }) => op === 'payment_intents.cancel').map(({ objectId }) => objectId),
  );
  return effects
    .filter(({ op, objectId }) => op === 'payment_intents.create' && !cancelled.has(objectId))
    .map(({ amountMinor }) => amountMinor ?? 0);
}

function stateOf({ tenantId, invoiceId }: OpenInvoice) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const { status, subscriptionId } = await readInvoice(tx, invoiceId);
    const attempts = await tx
      .select()
      .from(chargeAttempts)
      .where(eq(chargeAttempts.invoiceId, invoiceId))
      .orderBy(chargeAttempts.ordinal);
    const [row] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    const [customer] = await tx.select().from(customers);
    return {
      status,
      attempts: attempts.map((attempt) => `${attempt.status} ${attempt.amountMinor}`),
      planned: row?.plannedCharges.map(({ origin }) => origin),
      creditMinor: customer?.creditMinor,
    };
  });
}
