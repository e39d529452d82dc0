/**
 * A request to a subscription, carried out once: its id is kept in the transaction that does what it asks for, so a
 * repeat changes nothing, and one that is refused leaves nothing, not even its id.
 */
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import { keepRequest } from '../../db/queries/billing/subscription-requests.ts';
import {
  lockSubscription,
  type SubscriptionContext,
  snapshotOf,
} from '../../db/queries/billing/subscriptions.ts';
import { together } from '../../db/together.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ActInput, ActResult } from './act.ts';

/** `requestId` is the update's id: the caller's idempotency key. */
export type Request = ActInput & { requestId: string };

/** Runs `perform` under the customer's lock, unless the request was carried out before. */
export function request(
  db: Database,
  { tenantId, subscriptionId, requestId, at }: Request,
  perform: (tx: Tx, context: SubscriptionContext, at: Date) => Promise<SubscriptionContext>,
): Promise<ActResult> {
  return withTenant(db, tenantId, async (tx) => {
    const [context, isFirst] = await together([
      lockSubscription(tx, subscriptionId),
      keepRequest(tx, { tenantId, subscriptionId, requestId }, new Date(at)),
    ]);
    const after = isFirst ? await perform(tx, context, new Date(at)) : context;
    return { snapshot: snapshotOf(after), invoiceId: null };
  });
}

/** Who asked for it, and where, for the audit log. */
export function auditOf(input: Request & { actor: string; reason?: string }, at: Date) {
  const { tenantId, actor, subscriptionId, reason } = input;
  return {
    tenantId,
    actor,
    entityType: 'subscription',
    entityId: subscriptionId,
    at,
    ...(reason !== undefined && { reason }),
  };
}

export function paymentMethodMissing(): DomainError {
  return new DomainError({
    code: 'payment_method_missing',
    reason: 'payment_method_missing',
    message:
      'The customer has no payment method; set one with PUT /v1/subscriptions/{subscriptionId}/payment_method first.',
  });
}

export function conflict(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}
