/**
 * More was paid than was due, and so much more that giving it back is worth its fee: operators find a payout that asks for an
 * address. It holds nothing until somebody asks for it with one, so the excess is the customer's credit meanwhile; less than
 * that stays credit.
 *
 * Why it is safe to run twice: it is opened in the transaction that books the payment, under the locks of the customer and of
 * the invoice in coins, and a payment in the books opens one (the database says so too), whatever became of it.
 */
import { eq } from 'drizzle-orm';
import { formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { isWorthGivingBack, ownCoinFee, tokenFeeUsdMinor } from '../../../domain/payments/crypto-fee.ts';
import { quotedUsdMinor } from '../../../domain/payments/crypto-worth.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { chains } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { tellOfPayout } from './crypto-messages.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { unspentExcess } from './payout-source.ts';
import type { PaymentRow } from './read-payments.ts';
import { readUsdRates } from './usd-rates.ts';

/** `payment`: what has just been booked. Its excess alone counts; an earlier one has been asked about. */
export async function askForExcess(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  { payment, at }: { payment: PaymentRow; at: Date },
): Promise<void> {
  const excess = await unspentExcess(tx, invoice, [payment]);
  if (excess === null) return;
  const { units } = excess;
  const feeUsdMinor = await networkFee(tx, invoice, at);
  if (!isWorthGivingBack({ units, feeUsdMinor }, invoice)) return;
  const { tenantId, customerId, id: cryptoInvoiceId, chain, network, asset } = invoice;
  const [row] = await tx
    .insert(cryptoPayouts)
    .values({
      id: newId('cpo'),
      tenantId,
      customerId,
      cryptoInvoiceId,
      excessPaymentId: payment.id,
      chain,
      network,
      asset,
      units,
      usdMinor: quotedUsdMinor(units, invoice),
      status: 'asked',
      reason: 'more was paid than was due',
      requestedBy: 'system',
      requestedAt: at,
    })
    .onConflictDoNothing({ target: cryptoPayouts.excessPaymentId })
    .returning({ id: cryptoPayouts.id });
  if (row === undefined) return;
  await tellOfPayout(tx, {
    payout: { id: row.id, tenantId, cryptoInvoiceId },
    kind: 'asked',
    what: `${formatCoins(units, asset)} more than was due came, which is the customer's credit: ask the customer for an address and ask for a payout to it, or reject payout ${row.id}.`,
    details: { asset, units: units.toString() },
    at,
  });
}

/** Cents of US dollars for sending it now; null where nobody knows: no estimate, no rate, or a coin of its own as Polygon's. */
async function networkFee(tx: Tx, invoice: CryptoInvoiceRow, at: Date): Promise<number | null> {
  const { chain, asset, policy } = invoice;
  const [row] = await tx.select({ feeRate: chains.feeRate }).from(chains).where(eq(chains.name, chain));
  const feeRate = row?.feeRate ?? null;
  if (feeRate === null) return null;
  if (asset !== 'USDC') return quotedUsdMinor(ownCoinFee(asset, feeRate), invoice);
  if (chain === 'polygon') return null;
  const rates = await readUsdRates(tx, policy);
  const etherRate = rates('ETH', at.toISOString());
  return etherRate === null ? null : tokenFeeUsdMinor({ weiPerGas: feeRate, etherRate });
}
