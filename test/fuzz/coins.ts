/** Invoices in coins in every state that an operation leads out of, on a chain that nobody watches while requests are sent. */
import { randomBytes } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import { eq } from 'drizzle-orm';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { carryOutCryptoInvoice } from '../../db/queries/payments/carry-out-crypto-invoice.ts';
import { savePrices } from '../../db/queries/payments/crypto-prices.ts';
import { chains, cryptoAddresses, cryptoInvoices, cryptoPayments } from '../../db/schema/crypto.ts';
import { cryptoPayouts } from '../../db/schema/crypto-payouts.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';

/** What requests about coins may name, by the names that `schemathesis.toml` binds to parameters. */
export type Coins = Record<string, string[]>;

type Call = (method: string, path: string, body?: unknown) => Promise<{ id: string }>;

/** Read beyond any date that requests meet, so that time decides as it would on a chain that is watched. */
const READ_UNTIL = new Date('2099-01-01T00:00:00Z');
const HEIGHT = 1_000;
/** What can be done once is there several times, since not every request that does it counts. */
const EACH = 6;

/** Invoices needed: one for each offer. */
export const COIN_INVOICES = 16 * EACH;

/** `ok` calls with the key of the run, `byAnother` with another one. */
export async function populateCoins({
  db,
  tenantId,
  invoiceIds,
  ok,
  byAnother,
}: {
  db: Database;
  tenantId: string;
  invoiceIds: readonly string[];
  ok: Call;
  byAnother: Call;
}): Promise<Coins> {
  const read = { height: HEIGHT, tipHeight: HEIGHT, freshUntil: READ_UNTIL };
  // The other one is there to be paused, resumed and read again.
  await withSystem(db, (tx) =>
    tx
      .insert(chains)
      .values([
        { name: 'bitcoin', network: 'local', ...read },
        { name: 'polygon', network: 'local', height: 1_000_000 },
      ])
      .onConflictDoNothing(),
  );
  await keepPricesFresh(db);
  const { id: account } = await ok('POST', '/v1/crypto_accounts', {
    family: 'bitcoin',
    publicKey: publicKey(),
  });
  const { id: retirable } = await ok('POST', '/v1/crypto_accounts', {
    family: 'evm',
    publicKey: publicKey(),
  });

  const left = [...invoiceIds];
  const offers = async () => {
    const ids: string[] = [];
    for (const invoiceId of left.splice(0, EACH)) {
      ids.push((await ok('POST', `/v1/invoices/${invoiceId}/crypto_invoices`, { asset: 'BTC' })).id);
    }
    return ids;
  };
  const paidLate = async () => {
    const ids = await offers();
    const keys: string[] = [];
    for (const id of ids) keys.push(await pay(db, tenantId, id, 'late'));
    return { ids, keys };
  };
  const [cancellable, extendable, settleable, actedOn, invalidable] = [
    await offers(),
    await offers(),
    await offers(),
    await offers(),
    await offers(),
  ];
  const [acceptable, dismissable, payable, ...going] = [
    await paidLate(),
    await paidLate(),
    await paidLate(),
    await paidLate(),
    await paidLate(),
    await paidLate(),
  ];
  const acts: string[] = [];
  for (const id of [...actedOn, ...(await offers()), ...(await offers()), ...(await offers())]) {
    const body = { txid: 'f'.repeat(64), force: true, reason: 'seen at the exchange' };
    acts.push((await byAnother('POST', `/v1/crypto_invoices/${id}/mark_settled`, body)).id);
  }
  const payouts: string[][] = [];
  for (const { ids, keys } of going) {
    const asked: string[] = [];
    for (const [index, id] of ids.entries()) {
      const body = { paymentKey: keys[index], address: ELSEWHERE, reason: 'came too late' };
      asked.push((await ok('POST', `/v1/crypto_invoices/${id}/payouts`, body)).id);
    }
    payouts.push(asked);
  }
  const [approvable = [], rejectable = [], sendable = []] = payouts;
  const asked: string[] = [];
  for (const id of await offers()) {
    await pay(db, tenantId, id, 'too much');
    asked.push(await payoutOf(db, tenantId, id));
  }
  for (const id of sendable) await ok('POST', `/v1/crypto_payouts/${id}/approve`, {});
  return {
    accounts: [account, retirable],
    account: [account],
    retirable: [retirable],
    publicKeys: [publicKey(), publicKey()],
    offerableInCoins: left,
    coinInvoices: [...cancellable, ...extendable, ...acceptable.ids, ...payable.ids],
    cancellable,
    extendable,
    settleable,
    invalidable,
    acceptable: acceptable.ids,
    acceptableKeys: acceptable.keys,
    dismissable: dismissable.ids,
    dismissableKeys: dismissable.keys,
    payableBack: payable.ids,
    payableBackKeys: payable.keys,
    approvableActs: acts.slice(0, EACH),
    rejectableActs: acts.slice(EACH),
    acts,
    payouts: [...payouts.flat(), ...asked],
    approvable,
    rejectable: [...rejectable, ...asked],
    sendable,
    coinAddresses: [ELSEWHERE],
    transactions: Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(64, 'e')),
    coins: ['BTC'],
    amountsOfCoins: ['0.00000001'],
  };
}

/** Prices would be stale before the last request is sent, and requests pause the chain. */
export async function keepCoinsOpen(db: Database): Promise<void> {
  await keepPricesFresh(db);
  await withSystem(db, (tx) =>
    tx
      .update(chains)
      .set({ pausedAt: null, pauseReason: null, pausedBy: null })
      .where(eq(chains.name, 'bitcoin')),
  );
}

function keepPricesFresh(db: Database): Promise<void> {
  const at = new Date();
  const prices = ['coinbase', 'kraken'].map(
    (source): CryptoPrice => ({
      source,
      asset: 'BTC',
      currency: 'USD',
      rate: '60000',
      side: 'spot',
      at: at.toISOString(),
    }),
  );
  return savePrices(db, { prices, at });
}

/**
 * The offer runs out unpaid, and is paid a little later; or it is paid half as much again in time. Deep in the chain by now.
 * Returns the payment's key.
 */
async function pay(db: Database, tenantId: string, id: string, how: 'late' | 'too much'): Promise<string> {
  const txid = randomBytes(32).toString('hex');
  const key = `${txid}:0`;
  const now = new Date();
  const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
  await withSystem(db, async (tx) => {
    const [offer] = await tx
      .update(cryptoInvoices)
      .set({ quotedAt: ago(40), expiresAt: ago(25) })
      .where(eq(cryptoInvoices.id, id))
      .returning();
    const [address] = await tx.select().from(cryptoAddresses).where(eq(cryptoAddresses.cryptoInvoiceId, id));
    if (offer === undefined || address === undefined) throw new Error(`${id} is no offer`);
    await tx.insert(cryptoPayments).values({
      chain: 'bitcoin',
      key,
      tenantId,
      cryptoInvoiceId: id,
      txid,
      target: address.target,
      asset: 'BTC',
      units: how === 'late' ? offer.dueUnits : (offer.dueUnits * 3n) / 2n,
      height: HEIGHT - 100,
      blockHash: 'b'.repeat(64),
      effectiveAt: ago(how === 'late' ? 20 : 30),
      usdRate: '60000',
      status: 'seen',
    });
  });
  await withTenant(db, tenantId, (tx) => carryOutCryptoInvoice(tx, { cryptoInvoiceId: id, at: now }));
  return key;
}

/** That which its excess has opened. */
async function payoutOf(db: Database, tenantId: string, cryptoInvoiceId: string): Promise<string> {
  const [payout] = await withTenant(db, tenantId, (tx) =>
    tx
      .select({ id: cryptoPayouts.id })
      .from(cryptoPayouts)
      .where(eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId)),
  );
  if (payout === undefined) throw new Error(`${cryptoInvoiceId} was not paid too much`);
  return payout.id;
}

/** An account of nobody on a local chain; its key means the same to both families. */
function publicKey(): string {
  const testnet = { private: 0x04_35_83_94, public: 0x04_35_87_cf };
  return HDKey.fromMasterSeed(randomBytes(32), testnet).derive("m/84'/1'/0'").publicExtendedKey;
}

/** Where coins go back to. */
const ELSEWHERE = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
