/** What coins cost us and what was got for them: the ledger that taxes are worked out from. All values are US dollars. */
import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import type { LotMethod } from '../../domain/payments/crypto-lot.ts';
import { amountMinor, coinUnits, createdAt, id, instant, tenantId } from './columns.ts';
import { cryptoAccounts, cryptoInvoices } from './crypto.ts';
import { tenants } from './tenants.ts';

/** One payment received, as a lot of coins. */
export const cryptoLots = pgTable(
  'crypto_lots',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    accountId: text()
      .notNull()
      .references(() => cryptoAccounts.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    chain: text().$type<ChainName>().notNull(),
    paymentKey: text().notNull(),
    txid: text().notNull(),
    asset: text().$type<CryptoAsset>().notNull(),
    acquiredAt: instant().notNull(),
    units: coinUnits().notNull(),
    remainingUnits: coinUnits().notNull(),
    /** Of one whole coin, and where it comes from. */
    rate: text().notNull(),
    rateSource: text().notNull(),
    costMinor: amountMinor().notNull(),
    /** The chain took the payment back: nothing of it is left. */
    reversedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_lots_payment').on(t.chain, t.paymentKey),
    index('crypto_lots_wallet').on(t.tenantId, t.accountId, t.asset, t.acquiredAt),
    check('crypto_lots_units', sql`${t.units} > 0 and ${t.remainingUnits} between 0 and ${t.units}`),
    check('crypto_lots_reversed', sql`${t.reversedAt} is null or ${t.remainingUnits} = 0`),
  ],
);

/** Coins that left a wallet: sold, spent or given back. */
export const cryptoDisposals = pgTable(
  'crypto_disposals',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    accountId: text()
      .notNull()
      .references(() => cryptoAccounts.id),
    asset: text().$type<CryptoAsset>().notNull(),
    units: coinUnits().notNull(),
    proceedsMinor: amountMinor().notNull(),
    method: text().$type<LotMethod>().notNull(),
    /** What identifies it: the exchange's order, or the transaction. */
    reference: text().notNull(),
    disposedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_disposals_reference').on(t.tenantId, t.reference),
    check('crypto_disposals_amounts', sql`${t.units} > 0 and ${t.proceedsMinor} >= 0`),
  ],
);

/** What a disposal took out of one lot. */
export const cryptoDisposalParts = pgTable(
  'crypto_disposal_parts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    disposalId: text()
      .notNull()
      .references(() => cryptoDisposals.id),
    position: integer().notNull(),
    lotId: text()
      .notNull()
      .references(() => cryptoLots.id),
    units: coinUnits().notNull(),
    costMinor: amountMinor().notNull(),
    proceedsMinor: amountMinor().notNull(),
    isLongTerm: boolean().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_disposal_parts_position').on(t.disposalId, t.position),
    index('crypto_disposal_parts_lot').on(t.lotId),
  ],
);
