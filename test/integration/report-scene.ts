/** Business as reports see it: customers who begin to pay, change, leave and come back, by the deeds that do it in production. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { applyChange } from '../../db/queries/billing/apply-change.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { moveToFreePlan } from '../../db/queries/billing/free-plan.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { openPeriod } from '../../db/queries/billing/open-period.ts';
import {
  changeSubscription,
  lockSubscription,
  nothingPending,
  type PlanRow,
  statusChange,
} from '../../db/queries/billing/subscriptions.ts';
import { giveBack } from '../../db/queries/payments/book-refund.ts';
import { lockPayment } from '../../db/queries/payments/refunds.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { plans, subscriptions } from '../../db/schema/billing.ts';
import { refunds } from '../../db/schema/payments.ts';
import type { SubscriptionEvent } from '../../domain/billing/subscription.ts';
import { type Fraction, plus, signOf, zero } from '../../domain/reporting/fraction.ts';
import { mrrOf } from '../../domain/reporting/mrr.ts';

export type Business = ReturnType<typeof businessOf>;

export function businessOf({ db, tenantId }: { db: Database; tenantId: string }) {
  const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
  const business = {
    customer: (currency = 'USD'): Promise<string> =>
      inTenant(async (tx) => {
        const email = `${randomUUID()}@example.com`;
        const customer = {
          tenantId,
          email,
          name: 'Ada',
          externalRef: null,
          currency,
          personKey: randomUUID(),
        };
        const row = await createCustomer(tx, customer);
        if (row === null) throw new Error('The customer exists already');
        return row.id;
      }),

    /** Begins with a payment; it is `incomplete` until that is there. */
    subscribe: (customerId: string, plan: PlanRow, at: string, quantity = 1): Promise<string> =>
      inTenant(async (tx) => {
        const { context } = await createSubscription(tx, {
          customerId,
          plan: { id: plan.id },
          start: 'payment',
          quantity,
          at: new Date(at),
        });
        return context.subscription.id;
      }),

    /** The first invoice is issued and paid: the subscription is active. Returns the payment. */
    begin: (subscriptionId: string, at: string, rail: 'stripe' | 'manual' = 'manual'): Promise<string> =>
      inTenant(async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        const period = { startsAt: at, endsAt: new Date(Date.parse(at) + 30 * 86_400_000).toISOString() };
        const invoice = await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date(at) });
        return pay(tx, { invoiceId: invoice.id, rail, amountMinor: invoice.totalMinor, at });
      }),

    /** The next period opens; returns its invoice. */
    renew: (subscriptionId: string, at: string): Promise<string | null> =>
      inTenant(async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        const { invoice } = await openPeriod(tx, context, { due: { at }, at: new Date(at) });
        return invoice?.id ?? null;
      }),

    pay: (
      invoiceId: string,
      amountMinor: number,
      at: string,
      rail: 'stripe' | 'manual' = 'manual',
    ): Promise<string> => inTenant((tx) => pay(tx, { invoiceId, rail, amountMinor, at })),

    refund: (paymentId: string, amountMinor: number, at: string): Promise<void> =>
      inTenant(async (tx) => {
        const subject = await lockPayment(tx, paymentId);
        const [refund] = await tx
          .insert(refunds)
          .values({
            id: newId('ref'),
            tenantId,
            paymentId,
            status: 'pending',
            amountMinor,
            currency: subject.payment.currency,
            requestedAt: new Date(at),
          })
          .returning();
        if (refund !== undefined) await giveBack(tx, { ...subject, refund, at: new Date(at) });
      }),

    change: (subscriptionId: string, plan: PlanRow, at: string, quantity = 1): Promise<unknown> =>
      inTenant(async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        return applyChange(tx, context, { plan, quantity, newPeriod: null, at: new Date(at) });
      }),

    fallBack: (subscriptionId: string, plan: PlanRow, at: string): Promise<unknown> =>
      inTenant(async (tx) =>
        moveToFreePlan(tx, await lockSubscription(tx, subscriptionId), { plan, at: new Date(at) }),
      ),

    happen: (subscriptionId: string, event: SubscriptionEvent, at: string): Promise<unknown> =>
      inTenant(async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        const ends = event === 'cancelled' ? { ...nothingPending, endedAt: new Date(at) } : {};
        return changeSubscription(tx, context, {
          set: { ...statusChange(context, event, new Date(at)), ...ends },
          at: new Date(at),
          entry: { kind: event, message: event },
        });
      }),

    /** What the subscriptions themselves bring now, by currency. */
    present: (): Promise<Record<string, { mrr: Fraction; customers: number }>> =>
      inTenant(async (tx) => {
        const rows = await tx
          .select({ plan: plans, subscription: subscriptions })
          .from(subscriptions)
          .innerJoin(plans, eq(plans.id, subscriptions.planId));
        const found: Record<string, { mrr: Fraction; customers: Set<string> }> = {};
        for (const { plan, subscription } of rows) {
          const { status, quantity, customerId } = subscription;
          const mrr = mrrOf({
            status,
            price: { unitMinor: plan.priceMinor, quantity, interval: plan.interval },
          });
          const so = found[plan.currency] ?? { mrr: zero, customers: new Set() };
          if (signOf(mrr) > 0) so.customers.add(customerId);
          found[plan.currency] = { ...so, mrr: plus(so.mrr, mrr) };
        }
        return Object.fromEntries(
          Object.entries(found).map(([code, { mrr, customers }]) => [
            code,
            { mrr, customers: customers.size },
          ]),
        );
      }),

    movements: (): Promise<number> =>
      inTenant(async (tx) => {
        const { rows } = await tx.execute<{ count: number }>(
          sql`select count(*)::int as count from mrr_movements`,
        );
        return rows[0]?.count ?? 0;
      }),
  };

  async function pay(
    tx: Tx,
    payment: { invoiceId: string; rail: 'stripe' | 'manual'; amountMinor: number; at: string },
  ): Promise<string> {
    const { invoiceId, rail, amountMinor, at } = payment;
    const [{ currency } = { currency: 'USD' }] = (
      await tx.execute<{ currency: string }>(sql`select currency from invoices where id = ${invoiceId}`)
    ).rows;
    const { paymentId } = await settlePayment(tx, {
      tenantId,
      invoiceId,
      rail,
      externalId: randomUUID(),
      amount: { amountMinor, currency },
      at: new Date(at),
    });
    return paymentId;
  }

  return business;
}
