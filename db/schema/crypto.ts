/**
 * Invoices paid in coins and the chains they are paid on. What the watchers of chains read and write is seen by them across
 * tenants, since one block pays many; nothing in these tables says more of a customer than an id.
 */
import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { CryptoAlertKind } from '../../domain/payments/crypto-alert.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainFamily, ChainName, CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import type {
  CryptoAct,
  CryptoInvoiceFlag,
  CryptoInvoiceStatus,
} from '../../domain/payments/crypto-invoice.ts';
import type { CryptoPaymentStatus } from '../../domain/payments/crypto-payment.ts';
import type { CryptoPolicy } from '../../domain/payments/crypto-policy.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';
import { customers, invoices } from './billing.ts';
import { amountMinor, coinUnits, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** The tenant's public key of an account in its own wallet, from which addresses are derived. No private key is ever here. */
export const cryptoAccounts = pgTable(
  'crypto_accounts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    family: text().$type<ChainFamily>().notNull(),
    network: text().$type<CryptoNetwork>().notNull(),
    /** The extended public key as it was given. */
    publicKey: text().notNull(),
    /** The key itself, without the dress of its prefix: `<chain code><public key>` as hex. */
    fingerprint: text().notNull(),
    /** The index of the next address that is handed out; no index is used twice. */
    nextIndex: integer().notNull().default(0),
    retiredAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    // Two accounts of one key would hand out the same addresses.
    uniqueIndex('crypto_accounts_key').on(t.family, t.network, t.fingerprint),
    uniqueIndex('crypto_accounts_current').on(t.tenantId, t.family).where(sql`${t.retiredAt} is null`),
  ],
);

/** One way an invoice is offered for payment in coins: an address of its own and the terms agreed. */
export const cryptoInvoices = pgTable(
  'crypto_invoices',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    accountId: text()
      .notNull()
      .references(() => cryptoAccounts.id),
    addressIndex: integer().notNull(),
    /** Opens the public page; unguessable. */
    checkoutToken: text().notNull(),
    chain: text().$type<ChainName>().notNull(),
    network: text().$type<CryptoNetwork>().notNull(),
    asset: text().$type<CryptoAsset>().notNull(),
    /** As shown. */
    address: text().notNull(),
    /** Counts changes: each is decided once. */
    version: integer().notNull().default(0),
    status: text().$type<CryptoInvoiceStatus>().notNull(),
    flags: jsonb().$type<CryptoInvoiceFlag[]>().notNull().default([]),
    /** The standing quote. */
    quoteOrdinal: integer().notNull().default(1),
    dueMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    usdMinor: amountMinor().notNull(),
    rate: text().notNull(),
    rateSources: jsonb().$type<Pick<CryptoPrice, 'source' | 'rate' | 'side' | 'at'>[]>().notNull(),
    rateAt: instant().notNull(),
    dueUnits: coinUnits().notNull(),
    minDueUnits: coinUnits().notNull(),
    quotedAt: instant().notNull(),
    expiresAt: instant().notNull(),
    policy: jsonb().$type<CryptoPolicy>().notNull(),
    /** As decided last. */
    creditedUnits: coinUnits().notNull().default(sql`0`),
    confirmedUnits: coinUnits().notNull().default(sql`0`),
    lateUnits: coinUnits().notNull().default(sql`0`),
    excessUnits: coinUnits().notNull().default(sql`0`),
    /** What of them is in the books. */
    bookedUnits: coinUnits().notNull().default(sql`0`),
    /** Depth required now; null for the chain's own finality. */
    requiredDepth: integer(),
    /** From this height on it is to be decided again; null where blocks change nothing. */
    wakeHeight: integer(),
    /** Since when nothing has been mined further while it is `processing`. */
    progressAt: instant(),
    statusSince: instant().notNull(),
    settledAt: instant(),
    /** How many times its settlement was reversed. */
    reversals: integer().notNull().default(0),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_invoices_address').on(t.accountId, t.addressIndex),
    uniqueIndex('crypto_invoices_checkout').on(t.checkoutToken),
    // An invoice is offered in one way at a time, by the customer's lock; money that is found late may revive another.
    index('crypto_invoices_current').on(t.invoiceId).where(sql`${t.status} in ('awaiting', 'processing')`),
    index('crypto_invoices_invoice').on(t.tenantId, t.invoiceId),
    index('crypto_invoices_list').on(t.tenantId, t.status, t.id),
    // What expires once the chain is read beyond it.
    index('crypto_invoices_expiry').on(t.chain, t.expiresAt).where(sql`${t.status} = 'awaiting'`),
    index('crypto_invoices_wake').on(t.chain, t.wakeHeight).where(sql`${t.wakeHeight} is not null`),
    check('crypto_invoices_due', sql`${t.dueUnits} > 0 and ${t.minDueUnits} between 1 and ${t.dueUnits}`),
    check(
      'crypto_invoices_settled',
      sql`${t.status} not in ('settled', 'final') or ${t.settledAt} is not null`,
    ),
  ],
);

/** What leads from a transfer on a chain to the invoice it is for. Kept for ever: late money is found as well. */
export const cryptoAddresses = pgTable(
  'crypto_addresses',
  {
    family: text().$type<ChainFamily>().notNull(),
    /** `ChainTransfer.to`: an output script, or an address in lower case. */
    target: text().notNull(),
    tenantId: tenantId().references(() => tenants.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    kind: text().$type<'p2wpkh' | 'p2sh_p2wpkh' | 'evm'>().notNull(),
    address: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.family, t.target] }),
    index('crypto_addresses_invoice').on(t.cryptoInvoiceId),
  ],
);

/** A transfer to one of our addresses, and what became of it. */
export const cryptoPayments = pgTable(
  'crypto_payments',
  {
    chain: text().$type<ChainName>().notNull(),
    /** `CryptoPayment.key` */
    key: text().notNull(),
    tenantId: tenantId().references(() => tenants.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    txid: text().notNull(),
    target: text().notNull(),
    asset: text().$type<CryptoAsset>(),
    token: text(),
    units: coinUnits().notNull(),
    height: integer(),
    blockHash: text(),
    effectiveAt: instant().notNull(),
    seenAt: instant(),
    orphanedAt: instant(),
    rivalTxid: text(),
    rivalHeight: integer(),
    unconfirmedParent: text(),
    /** US dollars for one whole coin at `effectiveAt`; null where no fresh price was known. */
    usdRate: text(),
    /** As decided last. */
    status: text().$type<CryptoPaymentStatus>().notNull(),
    isLate: boolean().notNull().default(false),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.chain, t.key] }),
    index('crypto_payments_invoice').on(t.cryptoInvoiceId),
    index('crypto_payments_txid').on(t.chain, t.txid),
    // What a reorganisation takes out of the chain.
    index('crypto_payments_height').on(t.chain, t.height).where(sql`${t.height} is not null`),
    index('crypto_payments_rival').on(t.chain, t.rivalHeight).where(sql`${t.rivalHeight} is not null`),
    // What the mempool is asked about.
    index('crypto_payments_unmined')
      .on(t.chain)
      .where(sql`${t.height} is null and ${t.status} in ('seen', 'orphaned')`),
    check('crypto_payments_block', sql`(${t.height} is null) = (${t.blockHash} is null)`),
  ],
);

/** What the transactions of payments use up, so that a rival is recognised when it spends the same. */
export const cryptoSpends = pgTable(
  'crypto_spends',
  {
    chain: text().$type<ChainName>().notNull(),
    /** `ChainTransaction.spends` */
    spend: text().notNull(),
    txid: text().notNull(),
    /** Whose output it is, so that what builds upon a transaction is found; null on EVM chains. */
    parentTxid: text(),
  },
  (t) => [
    primaryKey({ columns: [t.chain, t.spend, t.txid] }),
    index('crypto_spends_txid').on(t.chain, t.txid),
    index('crypto_spends_parent').on(t.chain, t.parentTxid).where(sql`${t.parentTxid} is not null`),
  ],
);

/** One row per chain: who watches it, how far it has been read, and whether it can be trusted. */
export const chains = pgTable('chains', {
  name: text().$type<ChainName>().primaryKey(),
  network: text().$type<CryptoNetwork>().notNull(),
  /** Where we began to read; nothing below was ever read. */
  startHeight: integer(),
  /** The last block that was read. */
  height: integer(),
  hash: text(),
  /** The node's tip when it was last asked. */
  tipHeight: integer(),
  tipTime: instant(),
  finalizedHeight: integer(),
  finalizedHash: text(),
  /** When the last poll that was read to its end had begun. */
  freshUntil: instant(),
  /** Who watches. A watcher whose fence is older writes nothing any more. */
  leaseHolder: text(),
  leaseUntil: instant(),
  fence: integer().notNull().default(0),
  heartbeatAt: instant(),
  /** The node that answered last, and what it or the others fail at. */
  node: text(),
  failure: text(),
  failingSince: instant(),
  /** Whether the node tells of coins that contracts send on; null where that is not known, or nobody pays so. */
  tracesCalls: boolean(),
  /** A node of it told of them once: none that does not is read any more. */
  tracesSeen: boolean().notNull().default(false),
  /** Smallest unit per vbyte or gas; null where the node has no estimate. */
  feeRate: coinUnits(),
  pausedAt: instant(),
  pauseReason: text(),
  /** The operator whose pause it is: nobody but an operator ends it. Null for one that the watcher began. */
  pausedBy: text(),
  disagreeingSince: instant(),
  /** Nodes have agreed since this height. */
  agreedSinceHeight: integer(),
  cautiousUntil: instant(),
  /** Operators want it read again from here. */
  rescanFrom: integer(),
});

/** The blocks read last, so that a reorganisation finds where it leaves the chain we know. */
export const chainBlocks = pgTable(
  'chain_blocks',
  {
    chain: text().$type<ChainName>().notNull(),
    height: integer().notNull(),
    hash: text().notNull(),
    parentHash: text().notNull(),
    time: instant().notNull(),
  },
  (t) => [primaryKey({ columns: [t.chain, t.height] })],
);

/** What is wrong with payments in coins as such, from when to when, and who was told. Belongs to no tenant, as chains do. */
export const cryptoAlerts = pgTable(
  'crypto_alerts',
  {
    id: id(),
    kind: text().$type<CryptoAlertKind>().notNull(),
    /** The chain, or the asset. */
    subject: text().$type<ChainName | CryptoAsset>().notNull(),
    /** The rate at which a peg was found off; null where there is nothing to add. */
    detail: text(),
    since: instant().notNull(),
    endedAt: instant(),
    /** All tenants whom it concerns were told that it began, and that it ended. */
    toldAt: instant(),
    endToldAt: instant(),
  },
  (t) => [
    uniqueIndex('crypto_alerts_open').on(t.kind, t.subject).where(sql`${t.endedAt} is null`),
    index('crypto_alerts_untold')
      .on(t.id)
      .where(sql`${t.toldAt} is null or (${t.endedAt} is not null and ${t.endToldAt} is null)`),
  ],
);

/** The last word of each source, and when it is asked again after a failure. */
export const cryptoPrices = pgTable(
  'crypto_prices',
  {
    source: text().notNull(),
    asset: text().$type<CryptoAsset>().notNull(),
    currency: currency().notNull(),
    rate: text().notNull(),
    side: text().$type<CryptoPrice['side']>().notNull(),
    at: instant().notNull(),
    fetchedAt: instant().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.source, t.asset, t.currency] }),
    check('crypto_prices_rate', sql`${t.rate} ~ '^[0-9]{1,30}([.][0-9]{1,30})?$' and ${t.rate} ~ '[1-9]'`),
  ],
);

/** What happened to an invoice, in order; never changed. */
export const cryptoEvents = pgTable(
  'crypto_events',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    /** The invoice's version that it led to; with the key the event's identity. */
    version: integer().notNull(),
    key: text().notNull(),
    kind: text().notNull(),
    details: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    at: instant().notNull(),
    /** The books follow, where it moves money; who is told is told in the same transaction. */
    carriedOutAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_events_once').on(t.cryptoInvoiceId, t.key),
    index('crypto_events_waiting').on(t.cryptoInvoiceId, t.id).where(sql`${t.carriedOutAt} is null`),
  ],
);

/** What operators decided, with a second one where that is required. */
export const cryptoActs = pgTable(
  'crypto_acts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    cryptoInvoiceId: text()
      .notNull()
      .references(() => cryptoInvoices.id),
    /** The order in which acts count; null until nobody else has to approve. */
    ordinal: integer(),
    act: jsonb().$type<CryptoAct>().notNull(),
    reason: text().notNull(),
    status: text().$type<'requested' | 'approved' | 'rejected'>().notNull(),
    requestedBy: text().notNull(),
    requestedAt: instant().notNull(),
    decidedBy: text(),
    decidedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('crypto_acts_order').on(t.cryptoInvoiceId, t.ordinal),
    index('crypto_acts_invoice').on(t.tenantId, t.cryptoInvoiceId),
    index('crypto_acts_waiting').on(t.tenantId, t.id).where(sql`${t.status} = 'requested'`),
    check('crypto_acts_approved', sql`(${t.status} = 'approved') = (${t.ordinal} is not null)`),
  ],
);
