/**
 * Asks a tax engine, for whoever bills: the engine is never called inside of a transaction. What is to be billed is found
 * out by billing it: where the answer to exactly that is not there, the transaction throws what is to be asked and leaves
 * nothing. The engine is asked, its answer kept, and the transaction begins again. Whatever changed in between makes
 * another request, so nothing is billed with the tax of something else.
 *
 * Why it is safe to run twice: a calculation has no effect at the engine. We die before or after it is asked, or before its
 * answer is kept: it is asked again. We die after that: the next run finds the answer. An answer is used by one invoice, which
 * a unique index sees to.
 */
import { createHash } from 'node:crypto';
import { and, desc, eq, gt, isNull } from 'drizzle-orm';
import { type TaxedLines, taxesFor } from '../../../domain/billing/tax.ts';
import {
  type BilledLine,
  canonicalRequest,
  type EngineFacts,
  holdReasonOf,
  type TaxAnswer,
  type TaxEngine,
  TaxNotCalculated,
  type TaxRequest,
  TaxWithheld,
  taxesByAnswer,
  taxRequestOf,
} from '../../../domain/billing/tax-engine.ts';
import { VendorError } from '../../../domain/errors.ts';
import { type Database, type Tx, withTenant } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoices } from '../../schema/billing.ts';
import { taxCalculations } from '../../schema/tax.ts';
import type { SubscriptionContext } from './subscriptions.ts';
import { type TaxRules, taxFactsOf } from './tax-rules.ts';

export type TaxDeps = { db: Database; taxEngine: TaxEngine };

/**
 * One transaction of the tenant, begun again for each answer it lacks. `at` is the time of asking. Throws `TaxWithheld` where
 * the engine gives no answer.
 */
export async function withTax<T>(
  { db, taxEngine }: TaxDeps,
  { tenantId, at }: { tenantId: string; at: string },
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  for (let asked = 0; ; asked += 1) {
    try {
      return await withTenant(db, tenantId, work);
    } catch (error) {
      if (!(error instanceof TaxNotCalculated) || asked === ASKED_MAX) throw error;
      const { request, customerId } = error;
      const answer = await ask(taxEngine, request, at);
      await withTenant(db, tenantId, (tx) => keepAnswer(tx, { tenantId, customerId, request, answer }));
    }
  }
}

/** A preview asks twice; more often only where what is billed changes in the very moment of asking. */
const ASKED_MAX = 4;

async function ask(taxEngine: TaxEngine, request: TaxRequest, now: string): Promise<TaxAnswer> {
  try {
    return await taxEngine.calculate(request, { now });
  } catch (error) {
    if (error instanceof VendorError) throw new TaxWithheld(holdReasonOf(error), error);
    throw error;
  }
}

async function keepAnswer(
  tx: Tx,
  {
    tenantId,
    customerId,
    request,
    answer,
  }: { tenantId: string; customerId: string; request: TaxRequest; answer: TaxAnswer },
): Promise<void> {
  const { externalId, expiresAt, lines } = answer;
  await tx.insert(taxCalculations).values({
    id: newId('tcal'),
    tenantId,
    customerId,
    engine: request.engine,
    externalId,
    fingerprint: fingerprintOf(request),
    lines: [...lines],
    expiresAt: new Date(expiresAt),
  });
}

/**
 * The tax of these lines: at once by the tenant's own rates, or as the engine has answered for exactly them. `subject` is
 * what they are billed for. Throws `TaxNotCalculated`.
 */
export async function taxesOf(
  tx: Tx,
  context: Pick<SubscriptionContext, 'tenant' | 'customer' | 'plan' | 'subscription'>,
  { rules, lines, subject, at }: { rules: TaxRules; lines: readonly BilledLine[]; subject: string; at: Date },
): Promise<{ taxed: TaxedLines; calculationId: string | null }> {
  const facts = taxFactsOf(context, rules, at);
  const { settings } = rules;
  if (settings === null || settings.engine === 'own_rates') {
    return { taxed: taxesFor(facts, lines), calculationId: null };
  }
  const known: EngineFacts = { ...facts, seller: settings, customer: context.customer };
  const request = taxRequestOf(known, lines, {
    engine: settings.engine,
    subject: `${context.subscription.id}:${subject}`,
    currency: context.plan.currency,
  });
  if (request === null) return { taxed: taxesFor({ ...facts, rates: [] }, lines), calculationId: null };
  const found = await findAnswer(tx, request, at);
  if (found === null) throw new TaxNotCalculated({ request, customerId: context.customer.id });
  return { taxed: taxesByAnswer(known, lines, found), calculationId: found.id };
}

/** The latest answer that can still be recorded and that no invoice has used. */
async function findAnswer(
  tx: Tx,
  request: TaxRequest,
  at: Date,
): Promise<(TaxAnswer & { id: string }) | null> {
  const [found] = await tx
    .select({ calculation: taxCalculations })
    .from(taxCalculations)
    .leftJoin(invoices, eq(invoices.taxCalculationId, taxCalculations.id))
    .where(
      and(
        eq(taxCalculations.fingerprint, fingerprintOf(request)),
        gt(taxCalculations.expiresAt, new Date(at.getTime() + RECORDED_WITHIN_MS)),
        isNull(invoices.id),
      ),
    )
    .orderBy(desc(taxCalculations.id))
    .limit(1);
  if (found === undefined) return null;
  const { id, externalId, expiresAt, lines } = found.calculation;
  return { id, externalId, expiresAt: expiresAt.toISOString(), lines };
}

/** What is left until an answer expires must be enough to record the sale, also after an outage. */
const RECORDED_WITHIN_MS = 30 * 86_400_000;

function fingerprintOf(request: TaxRequest): string {
  return createHash('sha256').update(canonicalRequest(request)).digest('base64url');
}
