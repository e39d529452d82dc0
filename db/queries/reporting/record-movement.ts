/**
 * Writes down how a change of a subscription moves its recurring revenue. Runs in the transaction of that change, under
 * the customer's lock, so what the customer's other subscriptions bring is as it is; a renewal moves nothing, and asks
 * the database nothing.
 */
import { and, eq, inArray, min, ne } from 'drizzle-orm';
import { lastingReduction } from '../../../domain/billing/coupon.ts';
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import { type Fraction, greatestCommonDivisor, minus, signOf } from '../../../domain/reporting/fraction.ts';
import { movementKind, mrrOf, payingStatuses } from '../../../domain/reporting/mrr.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { plans, subscriptions } from '../../schema/billing.ts';
import { mrrMovements } from '../../schema/reporting.ts';

type Subject = {
  plan: typeof plans.$inferSelect;
  subscription: typeof subscriptions.$inferSelect;
};

type Change = {
  before: Subject;
  after: Subject;
  at: Date;
  /** The kind of the timeline's entry. */
  cause: string;
};

/** Nothing at all where the revenue stays as it is. */
export function recordMovement(tx: Tx, change: Change): Promise<void> | undefined {
  const [before, after] = [mrrOfSubscription(change.before), mrrOfSubscription(change.after)];
  return signOf(minus(after, before)) === 0 ? undefined : insertMovement(tx, change, { before, after });
}

/** A coupon counts where it lasts for ever; one that runs out does not (knowledge: billing §1.9). */
export function mrrOfSubscription({ plan, subscription }: Subject): Fraction {
  const { status, quantity, discount } = subscription;
  const priceMinor = priceOf({ unitMinor: plan.priceMinor, quantity });
  const unitMinor = priceMinor - lastingReduction(discount, priceMinor);
  return mrrOf({ status, price: { unitMinor, quantity: 1, interval: plan.interval } });
}

async function insertMovement(
  tx: Tx,
  { before: { subscription }, after: { plan, subscription: changed }, at, cause }: Change,
  { before, after }: { before: Fraction; after: Fraction },
): Promise<void> {
  const { othersPay, customerSince } = await customerOf(tx, subscription);
  const kind = movementKind({ before, after, othersPay, hasPaid: customerSince !== null });
  if (kind === null) return;
  const denominator = commonDenominator(before, after);
  await tx.insert(mrrMovements).values({
    id: newId('mov'),
    tenantId: subscription.tenantId,
    customerId: subscription.customerId,
    subscriptionId: subscription.id,
    subscriptionVersion: subscription.version + 1,
    at,
    kind,
    cause,
    currency: plan.currency,
    beforeNumerator: numeratorOver(before, denominator),
    afterNumerator: numeratorOver(after, denominator),
    denominator: Number(denominator),
    planId: plan.id,
    quantity: changed.quantity,
    customerSince: customerSince ?? at,
  });
}

/** Whether the customer's other subscriptions bring revenue, and since when the customer has. */
async function customerOf(
  tx: Tx,
  { id, customerId }: Subject['subscription'],
): Promise<{ othersPay: boolean; customerSince: Date | null }> {
  const others = await tx
    .select({ plan: plans, subscription: subscriptions })
    .from(subscriptions)
    .innerJoin(plans, eq(plans.id, subscriptions.planId))
    .where(
      and(
        eq(subscriptions.customerId, customerId),
        ne(subscriptions.id, id),
        inArray(subscriptions.status, [...payingStatuses]),
      ),
    );
  const [first] = await tx
    .select({ since: min(mrrMovements.customerSince) })
    .from(mrrMovements)
    .where(eq(mrrMovements.customerId, customerId));
  const othersPay = others.some((other) => signOf(mrrOfSubscription(other)) > 0);
  return { othersPay, customerSince: first?.since ?? null };
}

function commonDenominator(a: Fraction, b: Fraction): bigint {
  return (a.denominator / greatestCommonDivisor(a.denominator, b.denominator)) * b.denominator;
}

function numeratorOver({ numerator, denominator }: Fraction, common: bigint): bigint {
  return numerator * (common / denominator);
}
