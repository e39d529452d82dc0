/**
 * What the tests of invoices in coins share: a tenant with public keys, a chain that was read up to a height, prices, and
 * payments as a chain's watcher writes them.
 */
import { randomBytes } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import { and, asc, eq } from 'drizzle-orm';
import { type Tx, withSystem, withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { carryOutCryptoInvoice } from '../../db/queries/payments/carry-out-crypto-invoice.ts';
import { addCryptoAccount } from '../../db/queries/payments/crypto-accounts.ts';
import { createCryptoInvoice, readCryptoInvoice } from '../../db/queries/payments/crypto-invoices.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { decideCryptoInvoices } from '../../db/queries/payments/save-decision.ts';
import { customers, subscriptions } from '../../db/schema/billing.ts';
import {
  chains,
  cryptoAddresses,
  cryptoEvents,
  cryptoPayments,
  cryptoPrices,
} from '../../db/schema/crypto.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import { readAccountKey } from '../../domain/payments/crypto-account.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainFamily, ChainName, CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import type { CryptoPolicySettings } from '../../domain/payments/crypto-policy.ts';
import type { Scene } from './collection-scene.ts';

/** As keys of Bitcoin's test networks begin. */
const testKeys = { private: 0x04358394, public: 0x043587cf };

/** The public key of an account that nobody else has. */
export function freshKey(family: ChainFamily, network: CryptoNetwork = 'mainnet'): string {
  const path = family === 'bitcoin' ? "m/84'/0'/0'" : "m/44'/60'/0'";
  const isTest = family === 'bitcoin' && network !== 'mainnet';
  return HDKey.fromMasterSeed(randomBytes(32), isTest ? testKeys : undefined).derive(path).publicExtendedKey;
}

/** The renewal of the scene's invoices. */
export const T0 = '2026-03-14T10:00:00.000Z';

export function minutesAfter(minutes: number, from = T0): string {
  return new Date(Date.parse(from) + minutes * 60_000).toISOString();
}

/** One asset at so many dollars for a coin, as two sources say at that instant. */
export async function setPrices(
  { db }: Pick<Scene, 'db'>,
  {
    at = T0,
    rates = { BTC: '60000', ETH: '3000', USDC: '1' },
  }: { at?: string; rates?: Partial<Record<CryptoAsset, string>> } = {},
): Promise<void> {
  const rows = Object.entries(rates).flatMap(([asset, rate]) =>
    ['coinbase', 'kraken'].map((source) => ({
      source,
      asset: asset as CryptoAsset,
      currency: 'USD',
      rate,
      side: 'spot' as const,
      at: new Date(at),
      fetchedAt: new Date(at),
    })),
  );
  await withSystem(db, async (tx) => {
    await tx.delete(cryptoPrices);
    await tx.insert(cryptoPrices).values(rows);
  });
}

type ChainRead = {
  chain?: ChainName;
  network?: CryptoNetwork;
  height: number;
  at: string;
  isPaused?: boolean;
};

/** The chain as its watcher has read it: all blocks up to this height, and everything that happened before `at`. */
export function setChain({ db }: Pick<Scene, 'db'>, read: ChainRead): Promise<void> {
  return withSystem(db, (tx) => keepChain(tx, read));
}

async function keepChain(
  tx: Tx,
  { chain = 'bitcoin', network = 'mainnet', height, at, isPaused = false }: ChainRead,
): Promise<void> {
  const row = {
    network,
    height,
    tipHeight: height,
    freshUntil: new Date(at),
    heartbeatAt: new Date(at),
    pausedAt: isPaused ? new Date(at) : null,
    pauseReason: isPaused ? 'reorganisation' : null,
  };
  await tx
    .insert(chains)
    .values({ name: chain, ...row })
    .onConflictDoUpdate({ target: chains.name, set: row });
}

/** The tenant's public key of this family. */
export async function addAccount(
  { db }: Pick<Scene, 'db'>,
  tenantId: string,
  family: ChainFamily = 'bitcoin',
  text = freshKey(family),
): Promise<string> {
  const read = readAccountKey(text, { family, network: 'mainnet' });
  if (!read.ok) throw new Error(read.message);
  const added = await withTenant(db, tenantId, (tx) =>
    addCryptoAccount(tx, { tenantId, key: read.account, actor: 'test', at: new Date(T0) }),
  );
  return added.account.id;
}

/** Bitcoin is watched, and the tenant takes it: everything that an offer needs. */
export async function readyForCoins(scene: Pick<Scene, 'db'>, tenantId: string): Promise<void> {
  await setPrices(scene);
  await setChain(scene, { height: 100, at: T0 });
  await addAccount(scene, tenantId);
}

export function offer(
  { db }: Pick<Scene, 'db'>,
  { tenantId, invoiceId }: { tenantId: string; invoiceId: string },
  {
    asset = 'BTC',
    chain,
    settings,
    at = T0,
  }: { asset?: CryptoAsset; chain?: ChainName; settings?: CryptoPolicySettings; at?: string } = {},
): Promise<CryptoInvoiceRow> {
  return withTenant(db, tenantId, (tx) =>
    createCryptoInvoice(tx, { invoiceId, asset, chain, settings, actor: 'test', at: new Date(at) }),
  );
}

/** A payment as the watcher keeps it, and what it makes of the invoice: nobody sees the one without the other. */
export async function pay(
  { db }: Pick<Scene, 'db'>,
  coins: CryptoInvoiceRow,
  {
    units,
    at,
    height = null,
    n = 1,
    asset = coins.asset,
    usdRate = null,
  }: {
    units: bigint;
    at: string;
    height?: number | null;
    n?: number;
    asset?: CryptoAsset;
    usdRate?: string | null;
  },
): Promise<string> {
  const key = `${n.toString(16).padStart(64, '0')}:0`;
  const block = { height, blockHash: height === null ? null : `b${height}` };
  await withSystem(db, async (tx) => {
    const [address] = await tx
      .select()
      .from(cryptoAddresses)
      .where(eq(cryptoAddresses.cryptoInvoiceId, coins.id));
    await tx
      .insert(cryptoPayments)
      .values({
        chain: coins.chain,
        key: `${coins.id}:${key}`,
        tenantId: coins.tenantId,
        cryptoInvoiceId: coins.id,
        txid: key.slice(0, 64),
        target: address?.target ?? '',
        asset,
        units,
        ...block,
        usdRate,
        effectiveAt: new Date(at),
        seenAt: new Date(at),
        status: height === null ? 'seen' : 'mined',
      })
      .onConflictDoUpdate({ target: [cryptoPayments.chain, cryptoPayments.key], set: block });
    await decide(tx, coins, at);
  });
  return `${coins.id}:${key}`;
}

/** The coins went elsewhere: a rival is mined at this height. */
export async function loseTo(
  { db }: Pick<Scene, 'db'>,
  coins: CryptoInvoiceRow,
  { key, height, at }: { key: string; height: number; at: string },
): Promise<void> {
  await withSystem(db, async (tx) => {
    await tx
      .update(cryptoPayments)
      .set({
        height: null,
        blockHash: null,
        orphanedAt: new Date(at),
        rivalTxid: 'f'.repeat(64),
        rivalHeight: height,
      })
      .where(and(eq(cryptoPayments.chain, coins.chain), eq(cryptoPayments.key, key)));
    await decide(tx, coins, at);
  });
}

/** As the watcher decides: across tenants, with a signal where something is to be carried out. */
async function decide(tx: Tx, { id }: { id: string }, at: string): Promise<void> {
  await decideCryptoInvoices(tx, { ids: [id], now: at });
}

/** Blocks up to this height were read, and the invoice was decided with the last of them. */
export function readTo(
  { db }: Pick<Scene, 'db'>,
  coins: CryptoInvoiceRow,
  { height, at }: { height: number; at: string },
): Promise<void> {
  return withSystem(db, async (tx) => {
    await keepChain(tx, { chain: coins.chain, height, at });
    await decide(tx, coins, at);
  });
}

export function carryOut({ db }: Pick<Scene, 'db'>, { id, tenantId }: CryptoInvoiceRow, at: string) {
  return withTenant(db, tenantId, (tx) =>
    carryOutCryptoInvoice(tx, { cryptoInvoiceId: id, at: new Date(at) }),
  );
}

export function rowOf(
  { db }: Pick<Scene, 'db'>,
  { id, tenantId }: CryptoInvoiceRow,
): Promise<CryptoInvoiceRow> {
  return withTenant(db, tenantId, (tx) => readCryptoInvoice(tx, id));
}

/** Everything the books say of the invoice's tenant, and what became of the invoice. */
export function booksOf(
  { db }: Pick<Scene, 'db'>,
  { tenantId, invoiceId }: { tenantId: string; invoiceId: string },
) {
  return withTenant(db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const [customer] = await tx.select().from(customers).where(eq(customers.id, invoice.customerId));
    const [subscription] = await tx
      .select()
      .from(subscriptions)
      .where(eq(subscriptions.id, invoice.subscriptionId));
    const received = await tx
      .select()
      .from(payments)
      .where(and(eq(payments.invoiceId, invoiceId), eq(payments.rail, 'crypto')))
      .orderBy(asc(payments.id));
    const accounts: Record<string, number> = {};
    let sumMinor = 0;
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      accounts[account] = (accounts[account] ?? 0) + amountMinor;
      sumMinor += amountMinor;
    }
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    return {
      invoice: `${invoice.status} ${invoice.paidMinor}/${invoice.totalMinor}`,
      subscription: subscription?.status,
      ladder: subscription?.ladder,
      payments: received.map(
        ({ amountMinor, allocatedMinor, returnCode }) =>
          `${amountMinor} (${allocatedMinor})${returnCode === null ? '' : ` ${returnCode}`}`,
      ),
      creditMinor: customer?.creditMinor,
      cashMinor: accounts['cash:crypto'] ?? 0,
      toleranceMinor: accounts['crypto_tolerance'] ?? 0,
      receivableMinor: accounts['receivable'] ?? 0,
      sumMinor,
      mails: mails.map(({ template }) => template),
    };
  });
}

/** What happened to an invoice, in order, with whether it was carried out. */
export function eventsOf({ db }: Pick<Scene, 'db'>, { id, tenantId }: CryptoInvoiceRow) {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx
      .select()
      .from(cryptoEvents)
      .where(eq(cryptoEvents.cryptoInvoiceId, id))
      .orderBy(asc(cryptoEvents.id));
    return rows.map(({ kind, carriedOutAt }) => `${kind}${carriedOutAt === null ? ' waits' : ''}`);
  });
}
