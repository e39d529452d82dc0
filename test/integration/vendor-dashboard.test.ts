/**
 * What people do in the vendor's dashboard behind our back: they cancel a payment that waits for its customer, and
 * delete a customer. A cancelled payment is a charge that failed, once; one that we have cancelled ourselves means
 * nothing more. A deleted customer is made anew, once, when the next card is given.
 */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { type CollectInvoiceInput, collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import {
  customers,
  dunningCases,
  invoices,
  subscriptionEvents,
  subscriptions,
} from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { chargeAttempts, payments } from '../../db/schema/payments.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { conversionKey } from '../../domain/payments/payment.ts';
import { createStripe } from '../../integrations/stripe/connection.ts';
import { createScene, type DueSubscription, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
let scene: Scene;

beforeAll(async () => {
  scene = await createScene();
});

afterAll(() => scene?.close());

describe("a payment that is cancelled in the vendor's dashboard before the customer confirms it", () => {
  it('of a renewal is a failed charge, once, also when told twice; the ladder goes on with its own dates', async () => {
    const waiting = await awaitingRenewal();
    const before = await newsOf(waiting);
    expect(before).toMatchObject({
      status: 'past_due',
      invoices: ['paid', 'open'],
      attempts: ['requires_action'],
    });
    await cancelInDashboard(waiting);
    await tellOften(waiting);

    expect(await newsOf(waiting)).toEqual({
      ...before,
      attempts: ['failed'],
      timeline: [...before.timeline, 'charge_failed canceled_at_vendor'],
    });
  });

  it('leaves nothing to confirm, and the next step of the ladder charges again, once', async () => {
    const waiting = await awaitingRenewal();
    await cancelInDashboard(waiting);
    await tellOften(waiting);
    expect(scene.sandbox.authenticate(waiting.paymentId, 'confirm'), 'a late confirmation').toBe('canceled');

    scene.sandbox.setCardOutcomes(waiting.card, ['succeeded']);
    await performFirstStep(waiting);
    await tellOften(waiting);
    expect(await newsOf(waiting)).toMatchObject({
      status: 'active',
      invoices: ['paid', 'paid'],
      attempts: ['failed', 'succeeded'],
      receivedMinor: [PRICE_MINOR],
    });
    expect(chargesFor(waiting)).toEqual([PRICE_MINOR]);
  });

  it('is what a repeat of the same try hears of, by its code', async () => {
    const waiting = await awaitingRenewal();
    await cancelInDashboard(waiting);
    await tellOften(waiting);
    expect(await collect(waiting.input)).toMatchObject({ outcome: 'declined', code: 'canceled_at_vendor' });
  });

  it('of a first payment is told to the customer once; the subscription still waits for it', async () => {
    const waiting = await awaitingFirstPayment();
    const before = await newsOf(waiting);
    expect(before).toMatchObject({ status: 'incomplete', invoices: ['open'], cases: 0 });
    await cancelInDashboard(waiting);
    await tellOften(waiting);

    expect(await newsOf(waiting)).toEqual({
      ...before,
      attempts: ['failed'],
      timeline: [...before.timeline, 'charge_failed canceled_at_vendor'],
      mails: [...before.mails, 'payment_failed'],
    });
  });

  it('of an early conversion voids its invoice; the trial goes on, and can be converted anew', async () => {
    const waiting = await awaitingConversion();
    const before = await newsOf(waiting);
    expect(before).toMatchObject({ status: 'trialing', invoices: ['open'], cases: 0 });
    await cancelInDashboard(waiting);
    await tellOften(waiting);
    expect(await newsOf(waiting)).toEqual({
      ...before,
      invoices: ['void'],
      attempts: ['failed'],
      timeline: [...before.timeline, 'charge_failed canceled_at_vendor'],
    });

    scene.sandbox.setCardOutcomes(waiting.card, ['succeeded']);
    const again = await beginConversion(waiting, 'again');
    expect(again.invoiceId).not.toBe(waiting.invoiceId);
    expect((await collect(again)).outcome).toBe('paid');
    expect(await newsOf(waiting)).toMatchObject({ status: 'active', invoices: ['void', 'paid'] });
  });

  it('while we do not know its answer yet is found at the vendor, and is a failed charge once', async () => {
    const due = await scene.openInvoice(['succeeded', 'authentication_required']);
    const dying = { ...scene.cardVendor, charge: dyingAfter(scene.cardVendor.charge) };
    await expect(collectInvoice({ ...scene, cardVendor: dying }, due.input)).rejects.toBeInstanceOf(Death);
    const waiting = await waitingOf(due);
    await cancelInDashboard(waiting);

    expect((await collect(due.input)).outcome).toBe('declined');
    await tellOften(waiting);
    const { timeline, mails, ...rest } = await newsOf(waiting);
    expect(rest).toMatchObject({
      status: 'past_due',
      invoices: ['paid', 'open'],
      attempts: ['failed'],
      cases: 1,
    });
    expect(timeline.filter((entry) => entry.startsWith('charge_'))).toEqual([
      'charge_failed canceled_at_vendor',
    ]);
    expect(mails.filter((template) => template === 'payment_failed')).toHaveLength(1);
  });
});

describe('a payment that we have cancelled ourselves', () => {
  it.each(['renewal', 'first payment'] as const)(
    'to charge a %s anew means nothing more when the vendor tells of it, also twice',
    async (kind) => {
      const waiting = await awaiting(kind);
      const before = await newsOf(waiting);
      expect((await collect(withMoney(waiting))).outcome).toBe('paid');
      const paid = await newsOf(waiting);
      expect(paid.attempts).toEqual(['failed', 'succeeded']);
      expect(newsSince(before, paid)).not.toContainEqual(expect.stringMatching('failed'));

      await tellOften(waiting);
      expect(await newsOf(waiting)).toEqual(paid);
    },
  );

  it.each(['renewal', 'first payment'] as const)(
    'to charge a %s anew means nothing more when the vendor tells of it before we have booked it',
    async (kind) => {
      const waiting = await awaiting(kind);
      const before = await newsOf(waiting);
      const cancelCharge: CardVendor['cancelCharge'] = async (paymentId) => {
        const answer = await scene.cardVendor.cancelCharge(paymentId);
        await tellOften(waiting);
        return answer;
      };
      const cardVendor = { ...scene.cardVendor, cancelCharge };
      expect((await collectInvoice({ ...scene, cardVendor }, withMoney(waiting))).outcome).toBe('paid');
      expect(newsSince(before, await newsOf(waiting))).not.toContainEqual(expect.stringMatching('failed'));
    },
  );

  it('because the subscription was cancelled means nothing more, also when told twice', async () => {
    const waiting = await awaitingRenewal();
    await cancelSubscription(waiting);
    const before = await newsOf(waiting);
    await tellOften(waiting);
    await tellOften(waiting);
    expect(cancellationsOf(waiting)).toBe(1);
    expect(await newsOf(waiting)).toEqual({ ...before, attempts: ['failed'] });
  });

  it('because the subscription was cancelled means nothing more when the worker dies before it has booked that', async () => {
    const waiting = await awaitingRenewal();
    await cancelSubscription(waiting);
    const before = await newsOf(waiting);
    const cardVendor = { ...scene.cardVendor, cancelCharge: dyingAfter(scene.cardVendor.cancelCharge) };
    const dying = createActivities({ ...scene, cardVendor, log, drainOutbox: async () => 0 });
    await expect(tell(waiting, dying)).rejects.toBeInstanceOf(Death);

    await tellOften(waiting);
    expect(cancellationsOf(waiting)).toBe(1);
    expect(await newsOf(waiting)).toEqual({ ...before, attempts: ['failed'] });
  });
});

describe("a customer who is deleted in the vendor's dashboard", () => {
  it('is made anew with the next card, once, however often that is given; the invoice is charged there', async () => {
    const due = await deletedCustomer();
    const card = newCard();
    for (const requestId of ['new', 'new', 'newer']) await give(due, { card, requestId });
    const { vendorCustomerId } = await expectMade(due, { times: 2, card });
    expect(vendorCustomerId).not.toBe(due.deletedId);

    const invoice = await scene.activities.billing.endTrial(due);
    const charge = { origin: 'first_invoice', originKey: 'first_invoice', at: due.at } as const;
    const input = { ...charge, tenantId: due.tenantId, invoiceId: invoice.invoiceId ?? '' };
    expect((await collect(input)).outcome).toBe('paid');
    const { data } = await dashboard().paymentIntents.list({ customer: vendorCustomerId ?? '' });
    expect(data).toMatchObject([{ status: 'succeeded', payment_method: card }]);
  });

  it('is made anew once, whenever the worker dies and whenever its successor dies too', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const due = await deletedCustomer();
      const card = newCard();
      const first = await giveUntilDeath(due, card, dieAt);
      await giveUntilDeath(due, card, 1 + ((dieAt * 5) % 11));
      await give(due, { card, requestId: 'new' });
      await expectMade(due, { times: 2, card });
      if (first === 'died') continue;
      expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(10);
      return;
    }
  });

  it('is made anew once when the answer to that is lost, and never taken for the one before', async () => {
    for (const fault of ['drop_answer', 'error_after'] as const) {
      const due = await deletedCustomer();
      const card = newCard();
      scene.sandbox.setFaults({ next: [{ op: 'customers.create', fault }] });
      await give(due, { card, requestId: 'new' });
      const { vendorCustomerId } = await expectMade(due, { times: 2, card });
      expect(vendorCustomerId).not.toBe(due.deletedId);
    }
  });

  it('and again after that, is made anew each time', async () => {
    const due = await deletedCustomer();
    await give(due, { card: newCard(), requestId: 'second' });
    await deleteInDashboard(due);
    const card = newCard();
    await give(due, { card, requestId: 'third' });
    await expectMade(due, { times: 3, card });
  });

  it('has no card any more: the renewal is declined for good without a charge, and a new card pays it', async () => {
    const invoice = await scene.openInvoice();
    const due = await waitingOf(invoice);
    await deleteInDashboard(due);
    const declined = { outcome: 'declined', code: 'payment_method_invalid' };
    expect(await collect(invoice.input)).toMatchObject(declined);
    expect(await collect(invoice.input)).toMatchObject(declined);
    expect(await newsOf(due)).toMatchObject({ status: 'past_due', attempts: ['failed'], cases: 1 });

    const { openInvoiceIds } = await give(due, { card: newCard(), requestId: 'new' });
    expect(openInvoiceIds).toEqual([invoice.invoiceId]);
    const retry = { ...invoice.input, origin: 'new_payment_method', originKey: 'method:new' } as const;
    expect((await collect(retry)).outcome).toBe('paid');
    expect(await newsOf(due)).toMatchObject({ status: 'active', attempts: ['failed', 'succeeded'] });
    expect(chargesFor(due)).toEqual([PRICE_MINOR]);
  });
});

/** An invoice whose payment waits at the vendor for the customer. */
type Waiting = {
  tenantId: string;
  subscriptionId: string;
  invoiceId: string;
  card: string;
  /** Empty where nothing was asked yet. */
  paymentId: string;
  input: CollectInvoiceInput;
};

const dashboard = () => createStripe({ secretKey: 'sk_test_dashboard', apiBase: scene.sandbox.url });

const collect = (input: CollectInvoiceInput) => collectInvoice(scene, input);

async function awaitingRenewal(): Promise<Waiting> {
  const invoice = await scene.openInvoice(['succeeded', 'authentication_required']);
  return untilItWaits(invoice);
}

async function awaitingFirstPayment(): Promise<Waiting> {
  const due = await scene.dueSubscription('issueFirstInvoice');
  scene.sandbox.setCardOutcomes(due.card, ['authentication_required']);
  const { invoiceId } = await scene.activities.billing.issueFirstInvoice(due);
  const { tenantId, card, at } = due;
  const charge = { origin: 'first_invoice', originKey: 'first_invoice', at } as const;
  return untilItWaits({ card, input: { ...charge, tenantId, invoiceId: invoiceId ?? '' } });
}

/** Two days before the trial ends. */
async function awaitingConversion(): Promise<Waiting> {
  const due = await scene.dueSubscription('endTrial');
  scene.sandbox.setCardOutcomes(due.card, ['authentication_required']);
  return untilItWaits({ card: due.card, input: await beginConversion(due, 'first') });
}

const awaiting = (kind: 'renewal' | 'first payment') =>
  kind === 'renewal' ? awaitingRenewal() : awaitingFirstPayment();

async function beginConversion(
  { tenantId, subscriptionId }: Pick<DueSubscription, 'tenantId' | 'subscriptionId'>,
  requestId: string,
): Promise<CollectInvoiceInput> {
  const request = { tenantId, subscriptionId, requestId, at: '2026-02-12T10:00:00.000Z' };
  const { invoiceId } = await scene.activities.billing.beginConversion({ ...request, actor: 'test' });
  const charge = { origin: 'first_invoice', originKey: conversionKey(requestId) } as const;
  return { ...charge, tenantId, invoiceId: invoiceId ?? '', at: request.at };
}

async function untilItWaits(asked: Pick<Waiting, 'card' | 'input'>): Promise<Waiting> {
  expect((await collect(asked.input)).outcome).toBe('requires_action');
  return waitingOf(asked);
}

async function waitingOf({ card, input }: Pick<Waiting, 'card' | 'input'>): Promise<Waiting> {
  const { tenantId, invoiceId } = input;
  const subscriptionId = await withTenant(scene.db, tenantId, async (tx) => {
    const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
    return invoice?.subscriptionId ?? '';
  });
  const [effect] = scene.sandbox.effects().filter(({ businessRef }) => businessRef === invoiceId);
  return { tenantId, subscriptionId, invoiceId, card, paymentId: effect?.objectId ?? '', input };
}

/** The card has money again, and is given anew. */
function withMoney({ card, input }: Waiting): CollectInvoiceInput {
  scene.sandbox.setCardOutcomes(card, ['succeeded']);
  return { ...input, origin: 'new_payment_method', originKey: 'method:1' };
}

async function cancelInDashboard({ paymentId }: Waiting): Promise<void> {
  expect((await dashboard().paymentIntents.cancel(paymentId)).status).toBe('canceled');
}

function tell({ paymentId, input }: Waiting, { stripe } = scene.activities): Promise<void> {
  return stripe.syncCardPayment({ paymentId, inboxEventIds: [], at: input.at });
}

/** Several at the same time, and one more. */
async function tellOften(waiting: Waiting): Promise<void> {
  await Promise.all([tell(waiting), tell(waiting), tell(waiting)]);
  await tell(waiting);
}

async function cancelSubscription({ tenantId, subscriptionId, input }: Waiting): Promise<void> {
  const request = { tenantId, subscriptionId, requestId: 'cancel', at: input.at, actor: 'test' };
  const { snapshot } = await scene.activities.billing.cancelSubscription({
    ...request,
    mode: 'now',
    reason: 'not_given',
  });
  expect(snapshot.status).toBe('cancelled');
}

/** The first step of the ladder, on its day. */
async function performFirstStep({ tenantId, input }: Waiting): Promise<void> {
  const [opened] = await withTenant(scene.db, tenantId, (tx) => tx.select().from(dunningCases));
  if (opened === undefined) throw new Error('No case was opened');
  const { id: caseId, customerId } = opened;
  const at = new Date(Date.parse(input.at) + 86_400_000).toISOString();
  const step = { tenantId, customerId, caseId, stepIndex: 0, at, charge: true };
  await scene.activities.stripe.performDunningStep(step);
}

/** The vendor does what it is asked to, and the worker dies before it hears of it. */
function dyingAfter<Input, Answer>(call: (input: Input) => Promise<Answer>) {
  return async (input: Input): Promise<Answer> => {
    await call(input);
    throw new Death('after the call');
  };
}

/** What is so about the subscription, and everything that was told of it. */
function newsOf({ tenantId, subscriptionId, invoiceId }: Waiting) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [subscription] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    const issued = await tx.select().from(invoices).orderBy(asc(invoices.id));
    const attempts = await tx.select().from(chargeAttempts).orderBy(asc(chargeAttempts.id));
    const received = await tx.select().from(payments).where(eq(payments.invoiceId, invoiceId));
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    const cases = await tx.select().from(dunningCases);
    return {
      status: subscription?.status,
      invoices: issued.map(({ status }) => status),
      attempts: attempts.filter((each) => each.invoiceId === invoiceId).map(({ status }) => status),
      receivedMinor: received.map(({ amountMinor }) => amountMinor),
      cases: cases.length,
      firstFailedAt: issued.find(({ id }) => id === invoiceId)?.firstFailedAt,
      timeline: timeline.map(({ kind, details }) => {
        const { code } = details as { code?: string };
        return code === undefined ? kind : `${kind} ${code}`;
      }),
      mails: mails.map(({ template }) => template as string),
    };
  });
}

type News = Awaited<ReturnType<typeof newsOf>>;

function newsSince(before: News, after: News): string[] {
  return [
    ...after.timeline.slice(before.timeline.length),
    ...after.mails.slice(before.mails.length).map((template) => `mail ${template}`),
  ];
}

/** The amounts that were taken for the invoice. */
function chargesFor({ invoiceId }: Waiting) {
  return scene.sandbox
    .charges()
    .filter(({ businessRef }) => businessRef === invoiceId)
    .map(({ amountMinor }) => amountMinor);
}

/** How often the vendor was asked to cancel the payment, and did. */
function cancellationsOf({ paymentId }: Waiting): number {
  return scene.sandbox
    .effects()
    .filter(
      ({ op, objectId, outcome }) =>
        [op, objectId, outcome].join() === `payment_intents.cancel,${paymentId},effect`,
    ).length;
}

type Owner = Pick<DueSubscription, 'tenantId' | 'subscriptionId'>;

const newCard = () => scene.sandbox.createCard({ outcomes: ['succeeded'] });

/** A trial on its last day, whose customer the vendor has no more. */
async function deletedCustomer(): Promise<DueSubscription & { deletedId: string }> {
  const due = await scene.dueSubscription('endTrial');
  return { ...due, deletedId: await deleteInDashboard(due) };
}

async function deleteInDashboard(owner: Owner): Promise<string> {
  const { vendorCustomerId } = await customerOf(owner);
  expect(await dashboard().customers.del(vendorCustomerId ?? '')).toMatchObject({ deleted: true });
  return vendorCustomerId ?? '';
}

function give(
  { tenantId, subscriptionId }: Owner,
  { card, requestId }: { card: string; requestId: string },
  { stripe } = scene.activities,
) {
  const request = { tenantId, subscriptionId, requestId, at: '2026-02-13T10:00:00.000Z', actor: 'test' };
  return stripe.attachPaymentMethod({ ...request, paymentMethodId: card });
}

async function giveUntilDeath(owner: Owner, card: string, dieAt: number): Promise<'died' | 'finished'> {
  const mortals = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await give(owner, { card, requestId: 'new' }, mortals);
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}

/** So often the vendor has made the customer, the last of whom is alone left, is ours and has the card. */
async function expectMade(owner: Owner, { times, card }: { times: number; card: string }) {
  const customer = await customerOf(owner);
  const made = scene.sandbox
    .effects()
    .filter(({ businessRef, outcome }) => businessRef === customer.id && outcome === 'effect');
  const created = made.filter(({ op }) => op === 'customers.create').map(({ objectId }) => objectId);
  expect(created).toHaveLength(times);
  expect(customer).toMatchObject({ vendorCustomerId: created.at(-1), defaultPaymentMethodId: card });
  const attached = made.filter(({ op, objectId }) => op === 'payment_methods.attach' && objectId === card);
  expect(attached).toHaveLength(1);
  expect(await dashboard().customers.retrieve(customer.vendorCustomerId ?? '')).toMatchObject({
    metadata: { customerId: customer.id, tenantId: owner.tenantId },
    invoice_settings: { default_payment_method: card },
  });
  return customer;
}

function customerOf({ tenantId }: Owner) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [customer] = await tx.select().from(customers);
    if (customer === undefined) throw new Error('The tenant has a customer');
    return customer;
  });
}
