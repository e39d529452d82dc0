/** Coins that go back to customers. */
import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName, CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import type { CryptoPayoutStatus } from '../../domain/payments/crypto-payout.ts';
import { customers } from './billing.ts';
import { amountMinor, coinUnits, createdAt, id, instant, tenantId } from './columns.ts';
import { cryptoInvoices } from './crypto.ts';
import { payments, refunds } from './payments.ts';
import { tenants } from './tenants.ts';

export const cryptoPayouts = pgTable(
  'crypto_payouts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    /** The payment it gives back, whole; null for what an invoice was paid too much. */
    paymentKey: text(),
    /** The refund that holds it in the books meanwhile; null for a payment that is not in them, and while it is only asked. */
    refundId: text().references(() => refunds.id),
    /** The payment in the books that was too much, where that opened it. */
    excessPaymentId: text().references(() => payments.id),
    chain: text().$type<ChainName>().notNull(),
    network: text().$type<CryptoNetwork>().notNull(),
    asset: text().$type<CryptoAsset>().notNull(),
    units: coinUnits().notNull(),
    /** What it was worth when it was asked for; cents of US dollars. */
    usdMinor: amountMinor().notNull(),
    /** Where it goes, as shown and as the chain has it; null until somebody has asked the customer. */
    address: text(),
    target: text(),
    status: text().$type<CryptoPayoutStatus>().notNull(),
    reason: text().notNull(),
    requestedBy: text().notNull(),
    requestedAt: instant().notNull(),
    decidedBy: text(),
    decidedAt: instant(),
    /** Why it was rejected. */
    rejection: text(),
    /** The transaction that was told last; of a rejected one that which a block has all the same. */
    txid: text(),
    broadcastBy: text(),
    broadcastAt: instant(),
    height: integer(),
    /** Transactions that were told before, or before it was rejected: one of these may be mined all the same. */
    formerTxids: text().array().notNull().default(sql`'{}'::text[]`),
    /** When operators were told that it was sent though it was rejected. */
    strayToldAt: instant(),
    /** When the invoice's process was told that it is deep enough, or that it was sent all the same. */
    toldAt: instant(),
    confirmedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    index('crypto_payouts_invoice').on(t.tenantId, t.cryptoInvoiceId),
    index('crypto_payouts_list').on(t.tenantId, t.status, t.id),
    // What the watcher of a chain looks for.
    index('crypto_payouts_sent').on(t.chain, t.txid).where(sql`${t.status} = 'broadcast'`),
    index('crypto_payouts_stray')
      .on(t.chain)
      .where(sql`${t.status} = 'rejected' and ${t.formerTxids} <> '{}'::text[]`),
    // Who paid too much is asked about once.
    uniqueIndex('crypto_payouts_excess_payment').on(t.excessPaymentId),
    // Nothing is given back twice, and no transaction stands for two.
    uniqueIndex('crypto_payouts_payment').on(t.chain, t.paymentKey).where(sql`${t.status} <> 'rejected'`),
    uniqueIndex('crypto_payouts_excess')
      .on(t.cryptoInvoiceId)
      .where(sql`${t.paymentKey} is null and ${t.status} in ('requested', 'approved', 'broadcast')`),
    check('crypto_payouts_units', sql`${t.units} > 0`),
    check(
      'crypto_payouts_source',
      sql`num_nonnulls(${t.paymentKey}, ${t.refundId}) = 1 or (num_nonnulls(${t.paymentKey}, ${t.refundId}) = 0 and ${t.excessPaymentId} is not null and ${t.status} in ('asked', 'rejected'))`,
    ),
    check(
      'crypto_payouts_address',
      sql`num_nonnulls(${t.address}, ${t.target}) = 2 or (num_nonnulls(${t.address}, ${t.target}) = 0 and ${t.status} in ('asked', 'rejected'))`,
    ),
    check(
      'crypto_payouts_sent',
      sql`(${t.txid} is not null) = case when ${t.status} = 'rejected' then ${t.height} is not null else ${t.status} in ('broadcast', 'confirmed') end`,
    ),
  ],
);
