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
import { type TaxDeps, withTax } from '../../db/queries/billing/tax-calculations.ts';
import { together } from '../../db/together.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ActInput, ActResult } from './act.ts';

/** `requestId` is the update's id: the caller's idempotency key. */
export type Request = ActInput & { requestId: string };

type Perform = (tx: Tx, context: SubscriptionContext, at: Date) => Promise<SubscriptionContext>;

/** Runs `perform` under the customer's lock, unless the request was carried out before. */
export function request(db: Database, input: Request, perform: Perform): Promise<ActResult> {
  return withTenant(db, input.tenantId, (tx) => requestWithin(tx, input, perform));
}

/** The same for a request that may issue an invoice. Throws `TaxWithheld`. */
export function issuingRequest(deps: TaxDeps, input: Request, perform: Perform): Promise<ActResult> {
  return withTax(deps, input, (tx) => requestWithin(tx, input, perform));
}

async function requestWithin(
  tx: Tx,
  { tenantId, subscriptionId, requestId, at }: Request,
  perform: Perform,
): Promise<ActResult> {
  const [context, isFirst] = await together([
    lockSubscription(tx, subscriptionId),
    keepRequest(tx, { tenantId, subscriptionId, requestId }, new Date(at)),
  ]);
  const after = isFirst ? await perform(tx, context, new Date(at)) : context;
  return { snapshot: snapshotOf(after), invoiceId: null };
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
