/**
 * Lots of coins, one for each payment that was confirmed.
 *
 * Why it is safe to run twice: a payment has one lot, whoever records it and how often; one that the chain took back is empty
 * from then on. Both happen in the transaction that decides the payment.
 */
import { and, asc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { decimalOf } from '../../../domain/money.ts';
import { fractionOfRate } from '../../../domain/payments/coin-rate.ts';
import { type CryptoAsset, unitsPerCoin } from '../../../domain/payments/crypto-asset.ts';
import { type ChainName, familyOf } from '../../../domain/payments/crypto-chain.ts';
import type { DecidedPayment } from '../../../domain/payments/crypto-invoice.ts';
import type { CryptoPaymentStatus } from '../../../domain/payments/crypto-payment.ts';
import { type Fraction, fraction, over, rounded, times } from '../../../domain/reporting/fraction.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoPayments } from '../../schema/crypto.ts';
import { cryptoDisposalParts, cryptoLots } from '../../schema/crypto-lots.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import type { DecidedInvoice } from './save-decision.ts';

export type CryptoLotRow = typeof cryptoLots.$inferSelect;

/**
 * Adds a lot for each payment of an invoice that its chain has confirmed, whatever became of it: dust and coins that were not
 * asked for are the tenant's as well. Empties those of payments that were lost again.
 */
export async function recordReceivedLots(
  tx: Tx,
  { invoice, decision }: Pick<DecidedInvoice, 'invoice' | 'decision'>,
  at: Date,
): Promise<void> {
  const received = decision.payments.filter((payment) => isReceived(payment, invoice));
  const lost = decision.payments.filter(({ status }) => lostStatuses.has(status));
  if (received.length > 0) {
    const rows = await tx.select().from(cryptoPayments).where(eq(cryptoPayments.cryptoInvoiceId, invoice.id));
    const isOne = new Set(received.map(({ chain, key }) => `${chain} ${key}`));
    for (const row of rows) {
      if (isOne.has(`${row.chain} ${row.key}`) && row.asset !== null)
        await recordLot(tx, row, row.asset, invoice);
    }
  }
  for (const { chain, key } of lost) await reverseLot(tx, { chain, paymentKey: key, at });
}

const lostStatuses: ReadonlySet<CryptoPaymentStatus> = new Set(['replaced', 'double_spent', 'dropped']);

function isReceived({ status, confirmations, chain }: DecidedPayment, { policy }: CryptoInvoiceRow): boolean {
  if (status === 'confirmed') return true;
  const isBesides = status === 'ignored_dust' || status === 'unexpected_asset';
  return isBesides && confirmations >= policy.depth[familyOf(chain)].small;
}

/** Once; one that was reversed before, and came back, is whole again, but for what was disposed of before. */
async function recordLot(
  tx: Tx,
  payment: typeof cryptoPayments.$inferSelect,
  asset: CryptoAsset,
  invoice: CryptoInvoiceRow,
): Promise<void> {
  const { tenantId, chain, key: paymentKey, txid, units } = payment;
  const price = priceOf(payment, asset, invoice);
  // Nobody knows what it is worth: a person enters it with the tax report.
  const costMinor =
    price === null ? 0 : rounded(times(times(price.rate, fraction(units, unitsPerCoin(asset))), CENTS));
  await tx
    .insert(cryptoLots)
    .values({
      id: newId('clot'),
      tenantId,
      accountId: invoice.accountId,
      cryptoInvoiceId: invoice.id,
      chain,
      paymentKey,
      txid,
      asset,
      acquiredAt: payment.effectiveAt,
      units,
      remainingUnits: units,
      rate: price?.text ?? '0',
      rateSource: price?.source ?? 'unknown',
      costMinor,
    })
    .onConflictDoUpdate({
      target: [cryptoLots.chain, cryptoLots.paymentKey],
      set: { remainingUnits: sql`${cryptoLots.units} - ${takenUnits}`, reversedAt: null },
      setWhere: sql`${cryptoLots.reversedAt} is not null`,
    });
}

const takenUnits = sql`coalesce((select sum(${cryptoDisposalParts.units}) from ${cryptoDisposalParts}
  where ${cryptoDisposalParts.lotId} = ${cryptoLots.id}), 0)`;

type LotPrice = { rate: Fraction; text: string; source: string };

/** What a coin was worth in dollars when it came: by the markets then, else by the invoice's own quote. */
function priceOf(
  { usdRate }: typeof cryptoPayments.$inferSelect,
  asset: CryptoAsset,
  invoice: CryptoInvoiceRow,
): LotPrice | null {
  if (usdRate !== null) return { rate: fractionOfRate(usdRate), text: usdRate, source: 'market' };
  if (asset !== invoice.asset) return null;
  const { usdMinor, dueUnits } = invoice;
  const perCoin = fraction(BigInt(usdMinor) * unitsPerCoin(asset), dueUnits);
  const rate = over(perCoin, CENTS);
  if (rate === null) return null;
  const cents = rounded(perCoin);
  return { rate, text: decimalOf({ amountMinor: cents, currency: 'USD' }), source: 'quote' };
}

async function reverseLot(
  tx: Tx,
  { chain, paymentKey, at }: { chain: ChainName; paymentKey: string; at: Date },
): Promise<void> {
  await tx
    .update(cryptoLots)
    .set({ remainingUnits: 0n, reversedAt: at })
    .where(
      and(eq(cryptoLots.chain, chain), eq(cryptoLots.paymentKey, paymentKey), isNull(cryptoLots.reversedAt)),
    );
}

/** Oldest first; of one wallet or asset where they are named. */
export function listLots(
  tx: Tx,
  {
    accountId,
    asset,
    after,
    limit,
  }: {
    accountId: string | undefined;
    asset: CryptoAsset | undefined;
    after: { at: string; id: string } | undefined;
    limit: number;
  },
): Promise<CryptoLotRow[]> {
  return tx
    .select()
    .from(cryptoLots)
    .where(
      and(
        accountId === undefined ? undefined : eq(cryptoLots.accountId, accountId),
        asset === undefined ? undefined : eq(cryptoLots.asset, asset),
        after === undefined
          ? undefined
          : or(
              gt(cryptoLots.acquiredAt, new Date(after.at)),
              and(eq(cryptoLots.acquiredAt, new Date(after.at)), gt(cryptoLots.id, after.id)),
            ),
      ),
    )
    .orderBy(asc(cryptoLots.acquiredAt), asc(cryptoLots.id))
    .limit(limit);
}

/** Of a dollar. */
const CENTS = fraction(10n ** 2n);
