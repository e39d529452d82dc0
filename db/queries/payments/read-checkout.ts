/** What the public page of an invoice in coins is made of. Who knows its token sees it, and needs no account. */
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import { sentStatuses } from '../../../domain/payments/crypto-payout.ts';
import { type Database, type Tx, withSystem, withTenant } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { chains, cryptoAddresses, cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { readUsdRates } from './usd-rates.ts';

export type Checkout = {
  seller: string;
  invoiceNumber: string;
  cryptoInvoice: typeof cryptoInvoices.$inferSelect;
  /** The other address of the invoice; null where it has one only. */
  nestedAddress: string | null;
  payments: (typeof cryptoPayments.$inferSelect)[];
  /** What was sent back to the customer, the first first. */
  payouts: Pick<typeof cryptoPayouts.$inferSelect, 'asset' | 'units' | 'status'>[];
  /** How far its chain has been read; null before it ever was. */
  height: number | null;
  isPaused: boolean;
  /** What a unit of gas costs on its chain, and an ether in dollars; null where it is not known or plays no part. */
  gas: { weiPerGas: bigint; etherRate: string } | null;
};

/** Null for a token that opens nothing. */
export async function readCheckout(db: Database, token: string, now: Date): Promise<Checkout | null> {
  const tenantId = await withSystem(db, async (tx) => {
    const [found] = await tx
      .select({ tenantId: cryptoInvoices.tenantId })
      .from(cryptoInvoices)
      .where(eq(cryptoInvoices.checkoutToken, token));
    return found?.tenantId;
  });
  if (tenantId === undefined) return null;
  return withTenant(db, tenantId, async (tx) => {
    const [row] = await tx
      .select({ cryptoInvoice: cryptoInvoices, invoiceNumber: invoices.number, chain: chains })
      .from(cryptoInvoices)
      .innerJoin(invoices, eq(invoices.id, cryptoInvoices.invoiceId))
      .leftJoin(chains, eq(chains.name, cryptoInvoices.chain))
      .where(eq(cryptoInvoices.checkoutToken, token));
    if (row === undefined) return null;
    const { cryptoInvoice, invoiceNumber, chain } = row;
    const [nested] = await tx
      .select({ address: cryptoAddresses.address })
      .from(cryptoAddresses)
      .where(
        and(eq(cryptoAddresses.cryptoInvoiceId, cryptoInvoice.id), eq(cryptoAddresses.kind, 'p2sh_p2wpkh')),
      );
    return {
      seller: (await currentTenant(tx)).name,
      invoiceNumber,
      cryptoInvoice,
      nestedAddress: nested?.address ?? null,
      payments: await tx
        .select()
        .from(cryptoPayments)
        .where(eq(cryptoPayments.cryptoInvoiceId, cryptoInvoice.id))
        .orderBy(asc(cryptoPayments.effectiveAt), asc(cryptoPayments.key)),
      payouts: await tx
        .select({ asset: cryptoPayouts.asset, units: cryptoPayouts.units, status: cryptoPayouts.status })
        .from(cryptoPayouts)
        .where(
          and(
            eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoice.id),
            inArray(cryptoPayouts.status, [...sentStatuses]),
          ),
        )
        .orderBy(asc(cryptoPayouts.id)),
      height: chain?.height ?? null,
      isPaused: chain?.pausedAt != null,
      gas: await gasOf(tx, cryptoInvoice, { weiPerGas: chain?.feeRate ?? null, now }),
    };
  });
}

/** Tokens are paid for in the chain's own coin: on Ethereum that is dear at times. */
async function gasOf(
  tx: Tx,
  { chain, asset, policy }: Checkout['cryptoInvoice'],
  { weiPerGas, now }: { weiPerGas: bigint | null; now: Date },
): Promise<Checkout['gas']> {
  if (chain !== 'ethereum' || asset === 'ETH' || weiPerGas === null) return null;
  const rates = await readUsdRates(tx, policy);
  const etherRate = rates('ETH', now.toISOString());
  return etherRate === null ? null : { weiPerGas, etherRate };
}

/**
 * What changes whenever a page may look different, by the pages' tokens: one question for all that are open. A block changes
 * a page only while confirmations are counted on it, and time only when it is over.
 */
export async function checkoutVersions(
  db: Database,
  tokens: readonly string[],
  now: Date,
): Promise<Map<string, string>> {
  if (tokens.length === 0) return new Map();
  const row = cryptoInvoices;
  const paid = sql`(select string_agg(${cryptoPayments.status}, ',' order by ${cryptoPayments.chain}, ${cryptoPayments.key})
    from ${cryptoPayments} where ${cryptoPayments.cryptoInvoiceId} = ${row.id})`;
  const sentBack = sql`(select string_agg(${cryptoPayouts.status}, ',' order by ${cryptoPayouts.id})
    from ${cryptoPayouts} where ${cryptoPayouts.cryptoInvoiceId} = ${row.id} and ${inArray(cryptoPayouts.status, [...sentStatuses])})`;
  const version = sql<string>`concat_ws(':', ${row.version}, ${row.quoteOrdinal}, ${paid}, ${sentBack},
    case when ${row.status} = 'processing' then ${chains.height} end,
    ${chains.pausedAt} is not null, ${row.expiresAt} < ${now.toISOString()}::timestamptz)`;
  const rows = await withSystem(db, (tx) =>
    tx
      .select({ token: row.checkoutToken, version })
      .from(row)
      .leftJoin(chains, eq(chains.name, row.chain))
      .where(inArray(row.checkoutToken, [...tokens])),
  );
  return new Map(rows.map(({ token, version: seen }) => [token, seen]));
}
