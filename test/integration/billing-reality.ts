/**
 * What the commands of the model are in reality: the activities of the processes on a real database and the vendor's
 * sandbox, called as the workflow calls them, by the same decisions, and now and then twice, as Temporal may run them.
 */
import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { findSubscription } from '../../db/queries/billing/read-subscriptions.ts';
import { snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { recordInvoicePayment } from '../../db/queries/payments/record-payment.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { dunningPolicies, invoices, plans } from '../../db/schema/billing.ts';
import { disputes, payments } from '../../db/schema/payments.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import { nextAct, type SubscriptionSnapshot } from '../../domain/billing/subscription.ts';
import { DomainError } from '../../domain/errors.ts';
import { type ChargeOrigin, planChangeKey } from '../../domain/payments/payment.ts';
import { type Command, type Outcome, OVERPAID, type Price, prices } from './billing-model.ts';
import type { Scene } from './collection-scene.ts';

/** What can be seen of a subscription and its money. */
export type Seen = {
  status: string;
  price: number;
  periodEndsAt: number;
  credit: number;
  invoices: string[];
};

/** The tenant everybody is a customer of. */
export async function createSeller({ db }: Scene): Promise<string> {
  const tenantId = newId('ten');
  await withTenant(db, tenantId, async (tx) => {
    const portalUrl = 'https://portal.example.com';
    await tx.insert(tenants).values({ id: tenantId, name: 'Acme', timeZone: 'UTC', portalUrl });
    for (const policy of defaultDunningPolicies) {
      await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
    }
    const common = { tenantId, currency: 'USD', family: 'books', policy: defaultSubscriptionPolicy };
    const interval = { unit: 'month', count: 1 } as const;
    const rows = prices.map((priceMinor, rank) => {
      return {
        ...common,
        interval,
        id: newId('plan'),
        code: codeOf(priceMinor),
        name: codeOf(priceMinor),
        rank,
        priceMinor,
      };
    });
    await tx.insert(plans).values(rows);
  });
  return tenantId;
}

const codeOf = (price: number) => `plan-${price}`;

export class Reality {
  private readonly scene: Scene;
  private readonly tenantId: string;
  private readonly random: () => number;
  private subscriptionId = '';
  private customerId = '';
  private card = '';
  private now = 0;

  constructor(scene: Scene, { tenantId, random }: { tenantId: string; random: () => number }) {
    this.scene = scene;
    this.tenantId = tenantId;
    this.random = random;
  }

  async begin(now: number, price: Price): Promise<void> {
    this.now = now;
    const { db, sandbox, activities } = this.scene;
    const { id, customerId } = await withTenant(db, this.tenantId, async (tx) => {
      const person = {
        email: `${randomUUID()}@example.com`,
        name: 'Ada',
        externalRef: null,
        personKey: randomUUID(),
      };
      const customer = await createCustomer(tx, { tenantId: this.tenantId, currency: 'USD', ...person });
      if (customer === null) throw new Error('No customer');
      const plan = { code: codeOf(price) };
      const at = new Date(now);
      const { context } = await createSubscription(tx, {
        customerId: customer.id,
        plan,
        start: 'payment',
        at,
      });
      return context.subscription;
    });
    [this.subscriptionId, this.customerId] = [id, customerId];
    this.card = sandbox.createCard({ outcomes: ['succeeded'] });
    await activities.stripe.attachPaymentMethod({ ...this.request(), paymentMethodId: this.card });
    const issued = await this.twice(() => activities.billing.issueFirstInvoice(this.here()));
    await this.collect(issued.invoiceId, 'first_invoice', 'first_invoice');
    // A second run of what was done returns no invoice; the row says what is to be charged.
    await this.passUntil(now);
  }

  /** Whether it was carried out. */
  async apply(command: Command): Promise<boolean> {
    try {
      return await this.perform(command);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'state_conflict') return false;
      throw error;
    }
  }

  private async perform(command: Command): Promise<boolean> {
    const { billing, stripe } = this.scene.activities;
    const request = this.request();
    switch (command.kind) {
      case 'pass':
        this.answer(command.outcome);
        return this.passUntil(this.now + command.hours * HOUR);
      case 'wire':
        return this.wire(command.amount);
      case 'new_card': {
        const card = this.scene.sandbox.createCard({ outcomes: ['succeeded'] });
        const adopted = await stripe.attachPaymentMethod({ ...request, paymentMethodId: card });
        this.card = card;
        for (const id of adopted.openInvoiceIds) {
          await this.collect(id, 'new_payment_method', `method:${request.requestId}`);
        }
        return true;
      }
      case 'change': {
        this.answer(command.outcome);
        const { price, proration } = command;
        const asked = { ...request, plan: { code: codeOf(price) }, proration };
        const { invoiceId } = await this.twice(() => billing.changePlan(asked));
        if (invoiceId !== null)
          await this.collect(invoiceId, 'plan_change', planChangeKey(request.requestId));
        return true;
      }
      case 'undo_change':
        return this.done(() => billing.undoChange(request));
      case 'cancel':
        return this.done(() => billing.cancelSubscription({ ...request, mode: 'now', reason: 'other' }));
      case 'cancel_at_end':
        return this.done(() =>
          billing.cancelSubscription({ ...request, mode: 'at_period_end', reason: 'other' }),
        );
      case 'undo_cancel':
        return this.done(() => billing.undoCancelSubscription(request));
      case 'pause':
        return this.done(() => billing.pauseSubscription(request));
      case 'resume':
        return this.done(() => billing.resumeSubscription(request));
      case 'refund':
        return this.refund(command.part);
      case 'lose_dispute':
        return this.loseDispute();
      case 'told_again':
        for (const { externalId } of await this.cardPayments()) await this.sync(externalId, 2);
        return true;
      default:
        return command satisfies never;
    }
  }

  async see(): Promise<Seen> {
    return withTenant(this.scene.db, this.tenantId, async (tx) => {
      const view = await findSubscription(tx, this.subscriptionId);
      if (view === null) throw new Error('The subscription disappeared');
      const issued = await this.issued(tx);
      return {
        status: view.subscription.status,
        price: view.plan.priceMinor,
        periodEndsAt: view.subscription.periodEndsAt?.getTime() ?? 0,
        credit: view.customer.creditMinor,
        invoices: issued.map(shown),
      };
    });
  }

  /** What the process does until then, each act on its own date. */
  private async passUntil(until: number): Promise<true> {
    for (;;) {
      const act = nextAct(await this.snapshot(), new Date(this.now).toISOString());
      if (act === null || Date.parse(act.at) > until || act.kind === 'send_win_back' || act.kind === 'close')
        break;
      this.now = Math.max(this.now, Date.parse(act.at));
      const { billing } = this.scene.activities;
      switch (act.kind) {
        case 'renew': {
          const { invoiceId } = await this.twice(() => billing.renew(this.here()));
          await this.collect(invoiceId, 'renewal', 'renewal');
          break;
        }
        case 'collect':
          await this.collect(act.charge.invoiceId, act.charge.origin, act.charge.originKey);
          break;
        case 'lapse_change':
          await this.twice(() => billing.lapseChange(this.here()));
          break;
        case 'end':
          await this.twice(() => billing.endSubscription(this.here()));
          break;
        default:
          throw new Error(`Nobody has asked for ${act.kind}`);
      }
    }
    this.now = until;
    return true;
  }

  private async collect(invoiceId: string | null, origin: ChargeOrigin, originKey: string): Promise<void> {
    if (invoiceId === null) return;
    const { tenantId, subscriptionId: askedBy } = this;
    const at = new Date(this.now).toISOString();
    await this.twice(() =>
      this.scene.activities.stripe.collectInvoice({ tenantId, askedBy, invoiceId, origin, originKey, at }),
    );
  }

  private async wire(size: 'exact' | 'half' | 'over'): Promise<boolean> {
    const { tenantId } = this;
    return withTenant(this.scene.db, tenantId, async (tx) => {
      const issued = await this.issued(tx);
      const invoice = issued.find(({ status }) => status === 'open') ?? issued.at(-1);
      if (invoice === undefined) throw new Error('Nothing was billed');
      const due = invoice.status === 'open' ? invoice.totalMinor - invoice.paidMinor : 0;
      const amountMinor = size === 'half' ? Math.ceil(due / 2) : size === 'over' ? due + OVERPAID : due;
      if (amountMinor === 0) return false;
      const wire = {
        tenantId,
        invoiceId: invoice.id,
        reference: randomUUID(),
        amount: { amountMinor, currency: 'USD' },
        at: new Date(this.now),
        receivedAt: new Date(this.now),
      };
      await recordInvoicePayment(tx, wire);
      if (this.random() < 0.3) await recordInvoicePayment(tx, wire);
      return true;
    });
  }

  private async refund(part: 'all' | 'third'): Promise<boolean> {
    const payment = (await this.cardPayments()).at(-1);
    if (payment === undefined || !(await this.isPlain(payment))) return false;
    const { db, activities } = this.scene;
    const at = new Date(this.now);
    const wish = part === 'all' ? {} : { amountMinor: Math.ceil(payment.amountMinor / 3) };
    const request = { ...wish, paymentId: payment.id, actor: 'test', at };
    const { refund } = await withTenant(db, this.tenantId, (tx) => requestRefund(tx, request));
    const asked = { tenantId: this.tenantId, refundId: refund.id, at: at.toISOString() };
    await this.twice(() => activities.stripe.giveBack(asked));
    await this.sync(payment.externalId, 1);
    return true;
  }

  private async loseDispute(): Promise<boolean> {
    const payment = (await this.cardPayments()).at(-1);
    if (payment === undefined || payment.refundedMinor > 0 || !(await this.isPlain(payment))) return false;
    const { sandbox } = this.scene;
    const id = sandbox.openDispute({ paymentIntent: payment.externalId });
    await this.sync(payment.externalId, 2);
    sandbox.closeDispute(id, 'lost');
    await this.sync(payment.externalId, 2);
    return true;
  }

  /** Of an invoice that is paid, and not disputed. */
  private async isPlain({ id, invoiceId }: { id: string; invoiceId: string }): Promise<boolean> {
    return withTenant(this.scene.db, this.tenantId, async (tx) => {
      const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
      const disputed = await tx.select().from(disputes).where(eq(disputes.paymentId, id));
      return invoice?.status === 'paid' && disputed.length === 0;
    });
  }

  private issued(tx: Tx) {
    return tx
      .select()
      .from(invoices)
      .where(eq(invoices.subscriptionId, this.subscriptionId))
      .orderBy(invoices.id);
  }

  private cardPayments() {
    return withTenant(this.scene.db, this.tenantId, (tx) =>
      tx
        .select()
        .from(payments)
        .where(and(eq(payments.customerId, this.customerId), eq(payments.rail, 'stripe')))
        .orderBy(payments.id),
    );
  }

  private async sync(paymentId: string, times: number): Promise<void> {
    const at = new Date(this.now).toISOString();
    for (let time = 0; time < times; time += 1) {
      await this.scene.activities.stripe.syncCardPayment({ paymentId, inboxEventIds: [], at });
    }
  }

  private async snapshot(): Promise<SubscriptionSnapshot> {
    return withTenant(this.scene.db, this.tenantId, async (tx) => {
      const view = await findSubscription(tx, this.subscriptionId);
      if (view === null) throw new Error('The subscription disappeared');
      return snapshotOf(view);
    });
  }

  private async done(act: () => Promise<unknown>): Promise<true> {
    await this.twice(act);
    return true;
  }

  /** An activity whose end Temporal has not heard of runs again. */
  private async twice<T>(act: () => Promise<T>): Promise<T> {
    const first = await act();
    return this.random() < 0.3 ? act() : first;
  }

  private answer(outcome: Outcome): void {
    this.scene.sandbox.setCardOutcomes(this.card, [outcome]);
  }

  private here() {
    const { tenantId, subscriptionId } = this;
    return { tenantId, subscriptionId, at: new Date(this.now).toISOString() };
  }

  private request() {
    return { ...this.here(), requestId: randomUUID(), actor: 'test' };
  }
}

const HOUR = 3_600_000;

function shown(row: typeof invoices.$inferSelect): string {
  const { kind, status, totalMinor, paidMinor, refundedMinor, disputedMinor } = row;
  return [kind, status, totalMinor, paidMinor, refundedMinor, disputedMinor].join(' ');
}
