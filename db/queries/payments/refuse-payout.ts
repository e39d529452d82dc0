/**
 * What a payout is refused for: what it gives back is there no longer, counts, or goes back already, and no more coins leave
 * than came. Call under the locks of the customer and of the invoice in coins; nothing is written here.
 */
import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { familyOf, titleOf } from '../../../domain/payments/crypto-chain.ts';
import { type DecidedPayment, isSettled } from '../../../domain/payments/crypto-invoice.ts';
import { givingBackStatuses, isTransactionOn } from '../../../domain/payments/crypto-payout.ts';
import type { Tx } from '../../client.ts';
import { cryptoActs } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { notFound } from '../billing/subscriptions.ts';
import { type DecidedInvoice, decideAndSave } from './save-decision.ts';

type CryptoPayoutRow = typeof cryptoPayouts.$inferSelect;

/** What leaves, the refund that holds it, and the payment in the books that it is of; neither for one that is not in them. */
export type PayoutSource = Pick<CryptoPayoutRow, 'chain' | 'asset' | 'units' | 'refundId'> & {
  paymentId: string | null;
};

/** Not in the books, and so deep in its chain that giving it back gives nothing away. */
export async function uncountedPayment(tx: Tx, decided: DecidedInvoice, key: string): Promise<PayoutSource> {
  const payment = decided.decision.payments.find((each) => each.key === key);
  if (payment === undefined) throw notFound('payment in coins', key);
  refuseCounted(decided, payment);
  const { chain, asset, units, status, confirmations } = payment;
  const depth = decided.invoice.policy.depth[familyOf(chain)].small;
  const isThere = confirmations > 0 && (status === 'confirmed' || status === 'unexpected_asset');
  if (!isThere || confirmations < depth || asset === null) {
    throw stateConflict(
      'payment_unconfirmed',
      `The payment is ${status} with ${confirmations} confirmations: only coins that are worth something and have ${depth} of them or more can be given back. Ask again then.`,
    );
  }
  await refuseGiven(tx, decided, payment);
  return { chain, asset, units, refundId: null, paymentId: null };
}

function refuseCounted({ invoice }: DecidedInvoice, { countedUnits }: DecidedPayment): void {
  if (countedUnits === 0n) return;
  if (isSettled(invoice.status)) {
    throw stateConflict(
      'payment_booked',
      'The payment is in the books of its invoice: leave paymentKey out, and name amountMinor to give back that much of what the invoice was paid.',
    );
  }
  throw stateConflict(
    'payment_counts',
    'The payment counts for its invoice: dismiss it first, or leave paymentKey out to give back what the invoice was paid.',
  );
}

/** What was in the books once may have been given back out of them: no more coins leave than came. */
async function refuseGiven(
  tx: Tx,
  { invoice, decision }: DecidedInvoice,
  payment: DecidedPayment,
): Promise<void> {
  const { chain, asset, key } = payment;
  const given = await tx
    .select()
    .from(cryptoPayouts)
    .where(
      and(eq(cryptoPayouts.cryptoInvoiceId, invoice.id), inArray(cryptoPayouts.status, givingBackStatuses)),
    );
  const booked = given.find((each) => each.paymentKey === null);
  if (booked === undefined) return;
  const isAlike = (each: { chain: string; asset: string | null }) =>
    each.chain === chain && each.asset === asset;
  const sumOf = (each: readonly { units: bigint }[]) => each.reduce((sum, { units }) => sum + units, 0n);
  const came = sumOf(decision.payments.filter((each) => isAlike(each) && each.confirmations > 0));
  const left = came - sumOf(given.filter((each) => isAlike(each) && each.paymentKey !== key));
  // What counted in another coin was given back in that of the invoice.
  const wasBooked = payment.wrong !== null && (await wasAccepted(tx, invoice.id, key));
  if (!wasBooked && payment.units <= left) return;
  throw stateConflict(
    'payout_under_way',
    `Payout ${booked.id} of what the invoice was paid gives coins of it back already (${booked.status}); with this payment, more would leave than came.`,
  );
}

async function wasAccepted(tx: Tx, cryptoInvoiceId: string, key: string): Promise<boolean> {
  const rows = await tx
    .select({ id: cryptoActs.id })
    .from(cryptoActs)
    .where(
      and(
        eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId),
        eq(cryptoActs.status, 'approved'),
        sql`${cryptoActs.act} ->> 'kind' = 'accept' and ${cryptoActs.act} -> 'paymentKeys' ? ${key}`,
      ),
    )
    .limit(1);
  return rows.length > 0;
}

export async function refuseSecond(
  tx: Tx,
  { cryptoInvoiceId, paymentKey }: { cryptoInvoiceId: string; paymentKey?: string | undefined },
): Promise<void> {
  const rows = await tx
    .select({ id: cryptoPayouts.id, key: cryptoPayouts.paymentKey, status: cryptoPayouts.status })
    .from(cryptoPayouts)
    .where(
      and(
        eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId),
        inArray(cryptoPayouts.status, givingBackStatuses),
      ),
    );
  const same = rows.find(({ key, status }) =>
    paymentKey === undefined ? key === null && status !== 'confirmed' : key === paymentKey,
  );
  if (same !== undefined) {
    throw stateConflict('payout_under_way', `Payout ${same.id} gives it back already (${same.status}).`);
  }
}

/**
 * Since it was asked for, the payment may have come to count, or the chain may have taken coins that the books still have. What
 * was sent already is told all the same.
 */
export async function refuseMoved(tx: Tx, payout: CryptoPayoutRow, at: Date): Promise<void> {
  const { cryptoInvoiceId, paymentKey, status } = payout;
  if (status === 'broadcast') return;
  const decided = await decideAndSave(tx, { id: cryptoInvoiceId, at });
  const { invoice, decision } = decided;
  if (paymentKey === null) {
    const securedUnits = isSettled(invoice.status) ? decision.securedUnits : 0n;
    if (securedUnits >= invoice.bookedUnits) return;
    throw stateConflict(
      'payment_lost',
      'The chain has taken back coins that had paid the invoice, and the books are about to follow: do not send it.',
    );
  }
  const payment = decision.payments.find(({ key }) => key === paymentKey);
  if (payment !== undefined && payment.countedUnits > 0n) {
    throw stateConflict(
      'payment_counts',
      'The payment has come to count for its invoice since the payout was asked for: reject it.',
    );
  }
  await uncountedPayment(tx, decided, paymentKey);
}

export async function refuseTransaction(tx: Tx, payout: CryptoPayoutRow, txid: string): Promise<void> {
  if (payout.height !== null) {
    throw stateConflict(
      'transaction_mined',
      `Transaction ${payout.txid} is in a block and pays it; no other one takes its place.`,
    );
  }
  if (!isTransactionOn(payout.chain, txid)) {
    throw stateConflict(
      'transaction_unusable',
      `The payout goes out on ${titleOf(payout.chain)}, and no transaction there has such an id: ${familyOf(payout.chain) === 'evm' ? 'it has 0x in front' : 'it has no 0x in front'}.`,
    );
  }
  // Payouts of two customers have no lock in common but this.
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended(${`payout ${payout.chain} ${txid}`}, 0))`,
  );
  const rows = await tx
    .select({ id: cryptoPayouts.id })
    .from(cryptoPayouts)
    .where(
      and(
        eq(cryptoPayouts.chain, payout.chain),
        eq(cryptoPayouts.txid, txid),
        eq(cryptoPayouts.target, payout.target ?? ''),
        // One that was sent though it was rejected is asked for anew, and told with that transaction.
        ne(cryptoPayouts.status, 'rejected'),
      ),
    );
  if (rows.length > 0) {
    throw stateConflict(
      'transaction_known',
      `Payout ${rows[0]?.id} to the same address was sent by this transaction.`,
    );
  }
}
