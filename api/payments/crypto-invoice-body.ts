/** Turns rows of invoices in coins into what callers get. */
import { readChainViews } from '../../db/queries/payments/chain-cursor.ts';
import { addressesOf } from '../../db/queries/payments/crypto-invoices.ts';
import {
  type CryptoInvoiceRow,
  readPayments,
  type StoredPayment,
} from '../../db/queries/payments/observe-chain.ts';
import { coinsOf } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import type { ChainView } from '../../domain/payments/crypto-invoice.ts';
import { paymentUri } from '../../domain/payments/crypto-uri.ts';
import { cryptoInvoiceWorkflowId } from '../../workflows/payments/crypto-invoice.contract.ts';
import type { ReadContext } from '../route.ts';
import { workflowUrl } from '../workflow-url.ts';
import type { CryptoInvoiceBody } from './crypto-invoices.schemas.ts';

/** In the order given. */
export async function toCryptoInvoices(
  { tx, deps }: Pick<ReadContext, 'tx' | 'deps'>,
  rows: readonly CryptoInvoiceRow[],
): Promise<CryptoInvoiceBody[]> {
  const ids = rows.map(({ id }) => id);
  const addresses = await addressesOf(tx, ids);
  const payments = Map.groupBy(await readPayments(tx, ids), ({ cryptoInvoiceId }) => cryptoInvoiceId);
  const views = await readChainViews(tx);
  return rows.map((row) => {
    const { asset, chain, network, address, dueUnits } = row;
    const token = deps.config.chains.watched[chain].usdc;
    return {
      id: row.id,
      invoiceId: row.invoiceId,
      customerId: row.customerId,
      status: row.status,
      flags: row.flags,
      asset,
      chain,
      network,
      address,
      otherAddresses: (addresses.get(row.id) ?? [])
        .map((each) => each.address)
        .filter((each) => each !== address),
      due: coinsOf(dueUnits, asset),
      enough: coinsOf(row.minDueUnits, asset),
      paymentLink: paymentUri({
        chain,
        network,
        asset,
        address,
        units: dueUnits,
        ...(asset === 'USDC' && token !== null && { token }),
      }).link,
      checkoutUrl: `${deps.config.publicUrl}/checkout/${row.checkoutToken}`,
      dueMinor: row.dueMinor,
      currency: row.currency,
      usdMinor: row.usdMinor,
      rate: { rate: row.rate, at: row.rateAt.toISOString(), sources: row.rateSources },
      quoteOrdinal: row.quoteOrdinal,
      quotedAt: row.quotedAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      credited: coinsOf(row.creditedUnits, asset),
      confirmed: coinsOf(row.confirmedUnits, asset),
      late: coinsOf(row.lateUnits, asset),
      excess: coinsOf(row.excessUnits, asset),
      requiredDepth: row.requiredDepth,
      payments: (payments.get(row.id) ?? []).map((payment) => toPayment(payment, views)),
      settledAt: row.settledAt?.toISOString() ?? null,
      createdAt: row.createdAt.toISOString(),
      links: { temporal: workflowUrl(deps, cryptoInvoiceWorkflowId(row.id)) },
    };
  });
}

export async function toCryptoInvoice(
  context: Pick<ReadContext, 'tx' | 'deps'>,
  row: CryptoInvoiceRow,
): Promise<CryptoInvoiceBody> {
  const [body] = await toCryptoInvoices(context, [row]);
  if (body === undefined) throw new Error(`Invoice ${row.id} in coins was not turned into a body`);
  return body;
}

function toPayment(
  { key, chain, txid, asset, units, status, isLate, block, effectiveAt }: StoredPayment,
  views: ReadonlyMap<ChainName, ChainView>,
): CryptoInvoiceBody['payments'][number] {
  const tip = views.get(chain)?.tipHeight ?? 0;
  return {
    key,
    chain,
    txid,
    asset,
    amount: asset === null ? units.toString() : coinsOf(units, asset),
    status,
    isLate,
    height: block?.height ?? null,
    confirmations: block === null ? 0 : Math.max(0, tip - block.height + 1),
    effectiveAt,
  };
}
