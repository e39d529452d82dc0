/** A tenant whose invoices are paid in coins, over the API: public keys, prices, chains, and a clock that a test turns. */
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import {
  addAccount,
  carryOut,
  minutesAfter,
  offer,
  pay,
  readTo,
  setChain,
  setPrices,
  T0,
} from './crypto-scene.ts';
import { createInvoiceScene, type InvoiceScene } from './invoice-scene.ts';

export type CoinScene = InvoiceScene & {
  /** Where `api.db` is expected. */
  db: InvoiceScene['api']['db'];
  /** The tenant's accounts. */
  accounts: Record<'bitcoin' | 'evm', string>;
  /** An open invoice over USD 900.00, unless told otherwise, that is offered in coins at T0, to a customer of its own. */
  offered(options?: {
    asset?: CryptoAsset;
    chain?: ChainName;
    amountMinor?: number;
  }): Promise<CryptoInvoiceRow>;
  /** A payment five minutes later that is three blocks deep (or as deep as told), carried out; its key. */
  paid(coins: CryptoInvoiceRow, units: bigint, options?: { minutes?: number; n?: number }): Promise<string>;
};

/** Where blocks are when an offer is made, and how many follow until a payment is deep enough. */
const HEIGHT = 100;

export async function createCoinScene(
  options: Parameters<typeof createInvoiceScene>[0] = {},
): Promise<CoinScene> {
  const scene = await createInvoiceScene(options);
  const { api, tenant } = scene;
  const { db } = api;
  const { tenantId } = tenant;
  const accounts = {
    bitcoin: await addAccount({ db }, tenantId, 'bitcoin'),
    evm: await addAccount({ db }, tenantId, 'evm'),
  };
  return {
    ...scene,
    db,
    accounts,
    async offered({ asset = 'BTC', chain, amountMinor = 90_000 } = {}) {
      scene.at(T0);
      await setPrices({ db });
      for (const name of ['bitcoin', 'ethereum', 'base'] as const) {
        await setChain({ db }, { chain: name, height: HEIGHT, at: T0 });
      }
      const { subscriptionId } = await scene.subscribed();
      const lines = [{ description: 'Workshop', quantity: 1, unitMinor: amountMinor }];
      const { id: invoiceId } = await scene.oneOff(subscriptionId, { lines });
      return offer({ db }, { tenantId, invoiceId }, { asset, ...(chain && { chain }) });
    },
    async paid(coins, units, { minutes = 5, n = 1 } = {}) {
      const key = await pay({ db }, coins, { units, at: minutesAfter(minutes), height: HEIGHT + 1, n });
      const depth = coins.chain === 'bitcoin' ? 3 : 12;
      const at = minutesAfter(minutes + 40);
      await readTo({ db }, coins, { height: HEIGHT + depth, at });
      scene.at(at);
      await carryOut({ db }, coins, at);
      return key;
    },
  };
}
