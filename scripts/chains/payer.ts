/**
 * The customer of development: pays in coins on the chains of this machine, from the development wallet, and mines the blocks
 * that confirm it. On any other chain it refuses: its phrase is known to everybody, and so would be what it spends.
 */
import type { Config } from '../../config/env.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import { type ChainName, titleOf } from '../../domain/payments/crypto-chain.ts';
import { createBitcoinNode } from '../../integrations/bitcoin/client.ts';
import { createEvmNode } from '../../integrations/evm/client.ts';
import { createBitcoinWallet } from './bitcoin-wallet.ts';
import { btcdControl } from './btcd-control.ts';
import { createEvmWallet, localUsdc } from './evm-wallet.ts';
import { localNodeUrl } from './local-chains.ts';

export type CoinPayment = {
  asset: CryptoAsset;
  address: string;
  /** Of the asset's smallest unit. */
  units: bigint;
};

export type Payer = {
  /** Sends it and returns the transaction's id. On Ethereum it is mined at once, on Bitcoin it waits for `mine`. */
  pay(payment: CoinPayment): Promise<string>;
  mine(blocks: number): Promise<void>;
};

/** Throws, with what to do, unless the chain is one of this machine. */
export async function createPayer({ chains }: Config, chain: ChainName): Promise<Payer> {
  if (chains.network !== 'local') {
    throw new Error(
      `Coins are paid on local chains only; CRYPTO_NETWORK is ${chains.network}. Unset it and the nodes, and start again.`,
    );
  }
  if (chain !== 'bitcoin' && chain !== 'ethereum') {
    throw new Error(`There is no local ${titleOf(chain)}; offer the invoice on Bitcoin or Ethereum.`);
  }
  const [named] = chains.watched[chain].nodes;
  const url = named ?? localNodeUrl(chain === 'bitcoin' ? 'btcd' : 'anvil', chains.localPorts);
  if (!isHere(url)) {
    throw new Error(
      `Coins are paid on local chains only; the node of ${titleOf(chain)} is on another machine.`,
    );
  }
  return chain === 'bitcoin' ? bitcoinPayer(url) : evmPayer(url);
}

async function bitcoinPayer(url: string): Promise<Payer> {
  await createBitcoinNode({ url, network: 'local' }).checkNetwork();
  const wallet = createBitcoinWallet({ url });
  const control = btcdControl(url);
  return {
    pay: async ({ address, units }) => (await wallet.pay({ to: address, units })).txid,
    mine: async (blocks) => {
      if (blocks > 0) await control.mine(blocks);
    },
  };
}

async function evmPayer(url: string): Promise<Payer> {
  await createEvmNode({ url, chain: 'ethereum', network: 'local', usdc: localUsdc }).checkNetwork();
  const wallet = createEvmWallet(url);
  return {
    pay: ({ asset, address, units }) => {
      const to = address as `0x${string}`;
      return asset === 'ETH' ? wallet.sendEth(to, units) : wallet.sendToken(to, units);
    },
    mine: async (blocks) => {
      if (blocks > 0) await wallet.mine(blocks);
    },
  };
}

function isHere(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}
