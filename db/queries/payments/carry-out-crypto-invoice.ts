/**
 * What was decided about an invoice in coins becomes real: the books follow, and who has to know is told. The books are
 * compared with the decision, not moved by its events: coins that are settled and not booked are booked, and what is booked and
 * lost for good is taken back, all of it where the settlement does not stand. Messages go by events, once each.
 *
 * Why it is safe to run twice: all of it is one transaction under the customer's lock and then the invoice's. What the books
 * count is a column of the row that the same transaction writes, a payment is unique by the invoice and a number, an event is
 * carried out when its row says so, and a mail is unique by its event. Dying before the commit leaves all of it to do; after
 * it, there is nothing left.
 */
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { money } from '../../../domain/money.ts';
import { isSettled } from '../../../domain/payments/crypto-invoice.ts';
import { coinsWorth } from '../../../domain/payments/crypto-worth.ts';
import type { Tx } from '../../client.ts';
import { cryptoActs, cryptoEvents, cryptoInvoices } from '../../schema/crypto.ts';
import { acceptLate } from './accept-late.ts';
import { askForExcess } from './ask-for-excess.ts';
import { bookPayouts } from './book-payouts.ts';
import { bookedPayments } from './booked-payments.ts';
import { lockInvoice } from './charge-attempts.ts';
import { readCryptoInvoice } from './crypto-invoices.ts';
import { recordReceivedLots } from './crypto-lots.ts';
import { tellOfCryptoEvent } from './crypto-messages.ts';
import { lockOffers } from './crypto-offer.ts';
import { forgivenMinorOf } from './crypto-tolerance.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { lockPayment } from './refunds.ts';
import { type DecidedInvoice, decideAndSave } from './save-decision.ts';
import { settlePayment } from './settle-payment.ts';
import { takeBackPayment } from './take-back-payment.ts';

/** Decides anew and carries out. Throws `not_found`. */
export async function carryOutCryptoInvoice(
  tx: Tx,
  { cryptoInvoiceId, at }: { cryptoInvoiceId: string; at: Date },
): Promise<DecidedInvoice> {
  const { invoiceId } = await readCryptoInvoice(tx, cryptoInvoiceId);
  const locked = await lockInvoice(tx, invoiceId);
  await lockOffers(tx, invoiceId);
  const deciding = { id: cryptoInvoiceId, at, isSignalled: false };
  let decided = await decideAndSave(tx, deciding);
  if (await acceptLate(tx, decided, locked, at)) decided = await decideAndSave(tx, deciding);
  await bookCoins(tx, decided, at);
  await recordReceivedLots(tx, decided, at);
  await bookPayouts(tx, { cryptoInvoiceId, policy: decided.invoice.policy, at });
  const waiting = await tx
    .select()
    .from(cryptoEvents)
    .where(and(eq(cryptoEvents.cryptoInvoiceId, cryptoInvoiceId), isNull(cryptoEvents.carriedOutAt)))
    .orderBy(asc(cryptoEvents.id));
  for (const event of waiting) {
    await tellOfCryptoEvent(tx, { invoice: decided.invoice, event, waiting, at });
    await tx.update(cryptoEvents).set({ carriedOutAt: at }).where(eq(cryptoEvents.id, event.id));
  }
  return decided;
}

async function bookCoins(tx: Tx, { invoice, decision }: DecidedInvoice, at: Date): Promise<void> {
  const { status, bookedUnits } = invoice;
  const units = isSettled(status) ? await settledUnits(tx, invoice) : 0n;
  // Coins that are to be mined again, or deep again, are not lost yet.
  const securedUnits = isSettled(status) ? decision.securedUnits : 0n;
  if (units > bookedUnits) await bookMore(tx, invoice, { units, at });
  else if (securedUnits < bookedUnits)
    await takeBackTo(tx, invoice, { units: securedUnits, code: codeOf(decision), at });
}

/** An operator who marks an invoice as settled vouches for what was due; what a chain has just dropped is not booked. */
async function settledUnits(tx: Tx, invoice: CryptoInvoiceRow): Promise<bigint> {
  const { id, confirmedUnits, minDueUnits, dueUnits, bookedUnits } = invoice;
  if (confirmedUnits >= minDueUnits) return confirmedUnits;
  if (bookedUnits > 0n) return bookedUnits;
  const marked = await tx
    .select({ id: cryptoActs.id })
    .from(cryptoActs)
    .where(
      and(
        eq(cryptoActs.cryptoInvoiceId, id),
        eq(cryptoActs.status, 'approved'),
        sql`${cryptoActs.act} ->> 'kind' = 'mark_settled'`,
      ),
    )
    .limit(1);
  return marked.length > 0 ? dueUnits : 0n;
}

async function bookMore(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  { units, at }: { units: bigint; at: Date },
): Promise<void> {
  const { id, tenantId, invoiceId, currency, dueMinor } = invoice;
  const [beforeMinor, afterMinor] = [coinsWorth(invoice.bookedUnits, invoice), coinsWorth(units, invoice)];
  await setBooked(tx, id, units);
  // Some units more may be worth no cent more.
  if (afterMinor === beforeMinor) return;
  const earlier = await bookedPayments(tx, id);
  await settlePayment(tx, {
    tenantId,
    invoiceId,
    rail: 'crypto',
    externalId: `${id}:${earlier.length + 1}`,
    amount: money(afterMinor - beforeMinor, currency),
    forgiveMinor: Math.max(0, dueMinor - afterMinor),
    forgivenMinor: await forgivenMinorOf(tx, id),
    at,
  });
  if (afterMinor <= dueMinor) return;
  const payment = (await bookedPayments(tx, id)).at(-1);
  if (payment !== undefined) await askForExcess(tx, { ...invoice, bookedUnits: units }, { payment, at });
}

/** What counted is spent otherwise, or it is merely in no block any more. */
function codeOf({ payments: decided }: DecidedInvoice['decision']): 'double_spent' | 'left_chain' {
  const isSpent = decided.some(({ status, countedUnits }) => status === 'double_spent' && countedUnits > 0n);
  return isSpent ? 'double_spent' : 'left_chain';
}

async function takeBackTo(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  { units, code, at }: { units: bigint; code: 'double_spent' | 'left_chain'; at: Date },
): Promise<void> {
  const { id, status, bookedUnits, dueMinor } = invoice;
  await setBooked(tx, id, units);
  const afterMinor = coinsWorth(units, invoice);
  let leftMinor = coinsWorth(bookedUnits, invoice) - afterMinor;
  const forgiveMinor = isSettled(status) ? Math.max(0, dueMinor - afterMinor) : 0;
  // The last one first: what was over goes before what paid the invoice.
  for (const payment of (await bookedPayments(tx, id)).reverse()) {
    const amountMinor = Math.min(leftMinor, payment.amountMinor - payment.returnedMinor);
    if (amountMinor === 0) continue;
    leftMinor -= amountMinor;
    const subject = await lockPayment(tx, payment.id);
    const returned = { amountMinor, code, forgiveMinor };
    await takeBackPayment(tx, subject, { returned, attempt: null, at });
  }
}

async function setBooked(tx: Tx, id: string, units: bigint): Promise<void> {
  await tx
    .update(cryptoInvoices)
    .set({ bookedUnits: sql`${units.toString()}::numeric` })
    .where(eq(cryptoInvoices.id, id));
}
