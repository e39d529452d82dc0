/** Coins that go back to customers. */
import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName, CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import type { CryptoPayoutStatus } from '../../domain/payments/crypto-payout.ts';
import { customers } from './billing.ts';
import { amountMinor, coinUnits, createdAt, id, instant, tenantId } from './columns.ts';
import { cryptoInvoices } from './crypto.ts';
import { refunds } from './payments.ts';
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
    /** The refund that holds the excess in the books meanwhile; null for a payment that never was in them. */
    refundId: text().references(() => refunds.id),
    chain: text().$type<ChainName>().notNull(),
    network: text().$type<CryptoNetwork>().notNull(),
    asset: text().$type<CryptoAsset>().notNull(),
    units: coinUnits().notNull(),
    /** What it was worth when it was asked for; cents of US dollars. */
    usdMinor: amountMinor().notNull(),
    /** Where it goes, as shown and as the chain has it. */
    address: text().notNull(),
    target: text().notNull(),
    status: text().$type<CryptoPayoutStatus>().notNull(),
    reason: text().notNull(),
    requestedBy: text().notNull(),
    requestedAt: instant().notNull(),
    decidedBy: text(),
    decidedAt: instant(),
    /** Why it was rejected. */
    rejection: text(),
    txid: text(),
    broadcastBy: text(),
    broadcastAt: instant(),
    height: integer(),
    /** When the invoice's process was told that it is deep enough. */
    toldAt: instant(),
    confirmedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    index('crypto_payouts_invoice').on(t.tenantId, t.cryptoInvoiceId),
    index('crypto_payouts_list').on(t.tenantId, t.status, t.id),
    // What the watcher of a chain looks for.
    index('crypto_payouts_sent').on(t.chain, t.txid).where(sql`${t.status} = 'broadcast'`),
    // Nothing is given back twice, and no transaction stands for two.
    uniqueIndex('crypto_payouts_payment').on(t.chain, t.paymentKey).where(sql`${t.status} <> 'rejected'`),
    uniqueIndex('crypto_payouts_excess')
      .on(t.cryptoInvoiceId)
      .where(sql`${t.paymentKey} is null and ${t.status} in ('requested', 'approved', 'broadcast')`),
    check('crypto_payouts_units', sql`${t.units} > 0`),
    check('crypto_payouts_source', sql`(${t.paymentKey} is null) = (${t.refundId} is not null)`),
    check('crypto_payouts_sent', sql`(${t.status} in ('broadcast', 'confirmed')) = (${t.txid} is not null)`),
  ],
);
