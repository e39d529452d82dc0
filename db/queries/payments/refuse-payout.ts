/**
 * What a payout is refused for: what it gives back is there no longer, counts, or goes back already, and no more coins leave
 * than came. Call under the locks of the customer and of the invoice in coins; nothing is written here.
 */
import { and, eq, inArray, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { familyOf, titleOf } from '../../../domain/payments/crypto-chain.ts';
import { type DecidedPayment, isSettled } from '../../../domain/payments/crypto-invoice.ts';
import { isTransactionOn, livePayoutStatuses } from '../../../domain/payments/crypto-payout.ts';
import type { Tx } from '../../client.ts';
import { cryptoActs, cryptoPayments } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { notFound } from '../billing/subscriptions.ts';
import { lockPayment, readRefund } from './refunds.ts';
import { type DecidedInvoice, decideCryptoInvoices } from './save-decision.ts';

type CryptoPayoutRow = typeof cryptoPayouts.$inferSelect;

/** What leaves, and the refund that holds it; none for a payment that is not in the books. */
export type PayoutSource = Pick<CryptoPayoutRow, 'chain' | 'asset' | 'units' | 'refundId'>;

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
  return { chain, asset, units, refundId: null };
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
      and(
        eq(cryptoPayouts.cryptoInvoiceId, invoice.id),
        inArray(cryptoPayouts.status, [...livePayoutStatuses, 'confirmed']),
      ),
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
        inArray(cryptoPayouts.status, [...livePayoutStatuses, 'confirmed']),
      ),
    );
  const same = rows.find(({ key, status }) =>
    paymentKey === undefined ? key === null && status !== 'confirmed' : key === paymentKey,
  );
  if (same !== undefined) {
    throw stateConflict('payout_under_way', `Payout ${same.id} gives it back already (${same.status}).`);
  }
}

/** Since it was asked for, the chain may have taken back what is to be given back, or the payment may count by now. */
export async function refuseLost(tx: Tx, payout: CryptoPayoutRow, at: Date): Promise<void> {
  if (await isLost(tx, payout)) {
    throw stateConflict(
      'payment_lost',
      'The chain has taken the payment back since the payout was asked for, so there is nothing to give back: reject it.',
    );
  }
  const { cryptoInvoiceId, paymentKey } = payout;
  if (paymentKey === null) return;
  const [decided] = await decideCryptoInvoices(tx, { ids: [cryptoInvoiceId], now: at.toISOString() });
  if (decided === undefined) throw new Error(`Invoice ${cryptoInvoiceId} in coins disappeared`);
  const payment = decided.decision.payments.find(({ key }) => key === paymentKey);
  if (payment !== undefined && payment.countedUnits > 0n) {
    throw stateConflict(
      'payment_counts',
      'The payment has come to count for its invoice since the payout was asked for: reject it.',
    );
  }
  await uncountedPayment(tx, decided, paymentKey);
}

async function isLost(tx: Tx, { cryptoInvoiceId, paymentKey, refundId }: CryptoPayoutRow): Promise<boolean> {
  if (refundId !== null) {
    const { payment } = await lockPayment(tx, (await readRefund(tx, refundId)).paymentId);
    return payment.returnedAt !== null;
  }
  const [payment] = await tx
    .select({ height: cryptoPayments.height })
    .from(cryptoPayments)
    .where(
      and(eq(cryptoPayments.cryptoInvoiceId, cryptoInvoiceId), eq(cryptoPayments.key, paymentKey ?? '')),
    );
  return payment === undefined || payment.height === null;
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
        eq(cryptoPayouts.target, payout.target),
      ),
    );
  if (rows.length > 0) {
    throw stateConflict(
      'transaction_known',
      `Payout ${rows[0]?.id} to the same address was sent by this transaction.`,
    );
  }
}
