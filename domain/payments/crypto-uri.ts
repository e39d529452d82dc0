/**
 * Links that open a payer's wallet with everything filled in, and what a QR code of them holds: BIP21 for Bitcoin, ERC-681
 * for a chain's own coin and for tokens. The chain is named wherever the standard can, so that a wallet does not pay on
 * another one.
 */

import { checksummed } from './crypto-address.ts';
import { type CryptoAsset, coinsOf } from './crypto-asset.ts';
import { type ChainName, type CryptoNetwork, chainIdOf, usdcContractOn } from './crypto-chain.ts';

export type PaymentRequest = {
  chain: ChainName;
  network: CryptoNetwork;
  asset: CryptoAsset;
  /** Whom to pay. */
  address: string;
  /** In the asset's smallest unit, above 0. */
  units: bigint;
  /** Who asks; a wallet that can, shows it. Only Bitcoin's links have a place for it. */
  label?: string;
  /** The token's contract where it is not the one that is known, as on a local chain. */
  token?: string | null;
};

/** `link` is for tapping and copying, `qr` for a code: the same, as short as it can be. Throws a `RangeError` for no amount or no contract. */
export function paymentUri(request: PaymentRequest): { link: string; qr: string } {
  if (request.units <= 0n)
    throw new RangeError(`A payment link asks for an amount above 0: ${request.units}`);
  if (request.chain === 'bitcoin') return bitcoinUri(request);
  const link = evmUri(request, chainIdOf(request.chain, request.network));
  return { link, qr: link };
}

/**
 * BIP21. A code holds capitals in fewer dots, and a witness address means the same in them, as the scheme does; the names of
 * parameters do not, and an older address would be another one.
 */
function bitcoinUri({ address, units, label }: PaymentRequest): { link: string; qr: string } {
  const amount = `amount=${coinsOf(units, 'BTC')}`;
  const from = label === undefined ? '' : `&label=${encodeURIComponent(label.toWellFormed())}`;
  const isWitness = /^(?:bc|tb|bcrt)1/.test(address);
  return {
    link: `bitcoin:${address}?${amount}${from}`,
    qr: `${isWitness ? `BITCOIN:${address.toUpperCase()}` : `bitcoin:${address}`}?${amount}`,
  };
}

/** ERC-681: a transfer of the chain's own coin, or a call of a token's `transfer`; amounts are whole numbers of the smallest unit. */
function evmUri({ chain, network, asset, address, units, token }: PaymentRequest, chainId: number): string {
  if (asset === 'ETH') return `ethereum:${checksummed(address)}@${chainId}?value=${units}`;
  const contract = token ?? usdcContractOn(chain, network);
  if (contract === null) throw new RangeError(`No contract of ${asset} is known on ${chain} (${network})`);
  return `ethereum:${checksummed(contract)}@${chainId}/transfer?address=${checksummed(address)}&uint256=${units}`;
}
