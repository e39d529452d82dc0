/**
 * Late money that the policy of its invoice accepts by itself becomes an act like an operator's, in the name of the system: the
 * same row, the same entry in the audit log, the same depth to wait for. Whatever else may pay the invoice, or speaks on the
 * money, leaves it to a person.
 *
 * Why it is safe to run twice: it is decided and written under the customer's lock and the invoice's, in the transaction that
 * carries the invoice out. Dying before the commit leaves a payment that is still to be accepted; after it, one that is no longer
 * pending, and nobody accepts it again.
 */
import { and, eq, inArray, min } from 'drizzle-orm';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { familyOf } from '../../../domain/payments/crypto-chain.ts';
import { MINUTE_MS } from '../../../domain/payments/crypto-clock.ts';
import type { Tx } from '../../client.ts';
import { cryptoActs, cryptoPayments } from '../../schema/crypto.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { addTimelineEntry, type SubscriptionContext } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { addApprovedAct } from './approved-act.ts';
import { findCurrentOffer } from './crypto-offer.ts';
import { paidOtherwise } from './paid-otherwise.ts';
import { paymentsGoingBack } from './payments-going-back.ts';
import type { DecidedInvoice } from './save-decision.ts';

/** The invoice and its subscription, locked. */
type Locked = { context: SubscriptionContext; invoice: InvoiceRow };

/** Whether anything was accepted, so that the invoice in coins is to be decided anew. */
export async function acceptLate(
  tx: Tx,
  { invoice: coins, decision }: Pick<DecidedInvoice, 'invoice' | 'decision'>,
  locked: Locked,
  at: Date,
): Promise<boolean> {
  const { acceptable: paymentKeys, payments } = decision;
  if (paymentKeys.length === 0 || (await isForPerson(tx, { coins, paymentKeys, locked, at }))) return false;
  const { tenantId, id: cryptoInvoiceId } = coins;
  await addApprovedAct(tx, {
    tenantId,
    cryptoInvoiceId,
    act: { kind: 'accept', paymentKeys, at: at.toISOString(), rate: 'received' },
    reason: REASON,
    requestedBy: 'system',
    requestedAt: at,
    decidedBy: 'system',
    decidedAt: at,
  });
  await writeAudit(tx, {
    tenantId,
    actor: 'system',
    action: 'crypto_invoice.accept',
    entityType: 'crypto_invoice',
    entityId: cryptoInvoiceId,
    reason: REASON,
    details: { paymentKeys },
    at,
  });
  const accepted = payments.filter(({ chain, key }) => chain === coins.chain && paymentKeys.includes(key));
  const coinsIn = formatCoins(
    accepted.reduce((sum, { units }) => sum + units, 0n),
    coins.asset,
  );
  await addTimelineEntry(tx, locked.context.subscription, at, {
    kind: 'crypto_late_accepted',
    message: `Invoice ${locked.invoice.number} in ${coins.asset}: ${coinsIn} came late, was worth enough when it came, and was accepted by itself.`,
    details: { cryptoInvoiceId, invoiceId: coins.invoiceId },
  });
  return true;
}

const REASON = 'it came late, and was worth enough when it came';

/** Money for what is paid, given up or being paid otherwise, money that goes back, and what a person is about to decide. */
async function isForPerson(
  tx: Tx,
  {
    coins,
    paymentKeys,
    locked: { context, invoice },
    at,
  }: {
    coins: DecidedInvoice['invoice'];
    paymentKeys: readonly string[];
    locked: Locked;
    at: Date;
  },
): Promise<boolean> {
  if (invoice.status !== 'open' || dueOf(invoice).amountMinor === 0) return true;
  if (isTerminal(context.subscription.status)) return true;
  if ((await findCurrentOffer(tx, coins.invoiceId)) !== null) return true;
  if (await isLongAgo(tx, { coins, paymentKeys, at })) return true;
  const goingBack = await paymentsGoingBack(tx, coins.id);
  if (paymentKeys.some((key) => goingBack.has(key))) return true;
  const [waiting] = await tx
    .select({ id: cryptoActs.id })
    .from(cryptoActs)
    .where(and(eq(cryptoActs.cryptoInvoiceId, coins.id), eq(cryptoActs.status, 'requested')))
    .limit(1);
  if (waiting !== undefined) return true;
  return (await paidOtherwise(tx, { context, invoice, at })) !== null;
}

/**
 * Seen so long ago that a payment in time would be given up by now: whoever has held money back, in a transaction that nobody
 * mines, does not choose the day of the price that it counts at.
 */
async function isLongAgo(
  tx: Tx,
  {
    coins: { id, chain, policy },
    paymentKeys,
    at,
  }: { coins: DecidedInvoice['invoice']; paymentKeys: readonly string[]; at: Date },
): Promise<boolean> {
  const [first] = await tx
    .select({ at: min(cryptoPayments.effectiveAt) })
    .from(cryptoPayments)
    .where(
      and(
        eq(cryptoPayments.cryptoInvoiceId, id),
        eq(cryptoPayments.chain, chain),
        inArray(cryptoPayments.key, [...paymentKeys]),
      ),
    );
  const waitedMs = at.getTime() - (first?.at?.getTime() ?? 0);
  return waitedMs > policy.monitorMinutes[familyOf(chain)] * MINUTE_MS;
}
