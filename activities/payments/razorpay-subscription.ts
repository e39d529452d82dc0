/**
 * Asks Razorpay for a subscription, first for the plan it needs, and records the answers.
 *
 * Why it is safe to run twice: the rows exist before Razorpay is called and say whether an earlier run may have asked. If one
 * may have, plan and subscription are first looked up by our ids in their notes; only what Razorpay never heard of is asked
 * for again. The first of each that is recorded stays. A subscription charges nobody before the customer has authorised it,
 * and only the one that is recorded is ever shown.
 */
import { type Database, withTenant } from '../../db/client.ts';
import {
  type BegunSubscription,
  beginSubscription,
  readRazorpaySubscription,
  recordPlan,
  recordSubscription,
  refuseSubscription,
} from '../../db/queries/payments/razorpay-subscriptions.ts';
import {
  type RazorpaySubscriptionStatus,
  SubscriptionRefused,
  type SubscriptionVendor,
} from '../../domain/payments/razorpay-subscription.ts';

export type PlaceSubscriptionInput = { tenantId: string; razorpaySubscriptionId: string; at: string };

export function createRazorpaySubscriptionActivities({
  db,
  orderVendor,
}: {
  db: Database;
  orderVendor: SubscriptionVendor;
}) {
  return {
    /** Throws `VendorError` when Razorpay could not be asked or its answer was lost; run it again then. */
    async placeRazorpaySubscription({
      tenantId,
      razorpaySubscriptionId,
      at: now,
    }: PlaceSubscriptionInput): Promise<{ status: RazorpaySubscriptionStatus }> {
      const at = new Date(now);
      try {
        await place(db, orderVendor, { tenantId, razorpaySubscriptionId, at });
      } catch (error) {
        if (!(error instanceof SubscriptionRefused)) throw error;
        const { reason } = error;
        await withTenant(db, tenantId, (tx) =>
          refuseSubscription(tx, { razorpaySubscriptionId, reason, at }),
        );
      }
      const { status } = await withTenant(db, tenantId, (tx) =>
        readRazorpaySubscription(tx, razorpaySubscriptionId),
      );
      return { status };
    },
  };
}

/** Throws `SubscriptionRefused`. */
async function place(
  db: Database,
  vendor: SubscriptionVendor,
  { tenantId, razorpaySubscriptionId, at }: { tenantId: string; razorpaySubscriptionId: string; at: Date },
): Promise<void> {
  for (;;) {
    const begun = await withTenant(db, tenantId, (tx) =>
      beginSubscription(tx, { razorpaySubscriptionId, at }),
    );
    if (begun.kind === 'done') return;
    if (begun.kind === 'ask_for_plan') {
      const { razorpayPlanId } = begun.request;
      const externalId = await planOf(vendor, begun);
      await withTenant(db, tenantId, (tx) => recordPlan(tx, { razorpayPlanId, externalId }));
    } else {
      const made = await subscriptionOf(vendor, begun);
      await withTenant(db, tenantId, (tx) => recordSubscription(tx, { razorpaySubscriptionId, made, at }));
    }
  }
}

async function planOf(
  vendor: SubscriptionVendor,
  { resumed, askedAt, request }: Extract<BegunSubscription, { kind: 'ask_for_plan' }>,
): Promise<string> {
  const { razorpayPlanId } = request;
  const known = resumed ? await vendor.findPlan({ razorpayPlanId, askedAt }) : null;
  return known ?? vendor.createPlan(request);
}

async function subscriptionOf(
  vendor: SubscriptionVendor,
  { resumed, request }: Extract<BegunSubscription, { kind: 'ask_for_subscription' }>,
) {
  const known = resumed ? await vendor.findSubscription(request) : null;
  return known ?? vendor.createSubscription(request);
}
