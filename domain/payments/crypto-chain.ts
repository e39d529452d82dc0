/** The chains we watch, which assets live on each, and what tells the real network from one without value. */
import type { CryptoAsset } from './crypto-asset.ts';

export const chainNames = ['bitcoin', 'ethereum', 'base', 'polygon'] as const;

export type ChainName = (typeof chainNames)[number];

/** `local` is a chain on this machine: Bitcoin's regtest, or a development node. */
export const cryptoNetworks = ['mainnet', 'testnet', 'local'] as const;

export type CryptoNetwork = (typeof cryptoNetworks)[number];

export type ChainFamily = 'bitcoin' | 'evm';

export function familyOf(chain: ChainName): ChainFamily {
  return chain === 'bitcoin' ? 'bitcoin' : 'evm';
}

const assets: Record<ChainName, readonly CryptoAsset[]> = {
  bitcoin: ['BTC'],
  ethereum: ['ETH', 'USDC'],
  base: ['USDC'],
  polygon: ['USDC'],
};

/** What an invoice on this chain can be paid in. */
export function assetsOn(chain: ChainName): readonly CryptoAsset[] {
  return assets[chain];
}

/** Where an asset is taken when the customer names no chain. */
export function homeOf(asset: CryptoAsset): ChainName {
  return asset === 'BTC' ? 'bitcoin' : 'ethereum';
}

/** EIP-155; a development node answers 31337 on whatever chain it plays. */
const chainIds: Record<Exclude<ChainName, 'bitcoin'>, Record<CryptoNetwork, number>> = {
  ethereum: { mainnet: 1, testnet: 11_155_111, local: 31_337 },
  base: { mainnet: 8_453, testnet: 84_532, local: 31_337 },
  polygon: { mainnet: 137, testnet: 80_002, local: 31_337 },
};

export function chainIdOf(chain: Exclude<ChainName, 'bitcoin'>, network: CryptoNetwork): number {
  return chainIds[chain][network];
}

/** Circle's own contracts (developers.circle.com, "USDC contract addresses"). A local chain names its own. */
const usdcContracts: Partial<Record<ChainName, Partial<Record<CryptoNetwork, string>>>> = {
  ethereum: {
    mainnet: '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48',
    testnet: '0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238',
  },
  base: {
    mainnet: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    testnet: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  },
  polygon: {
    mainnet: '0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359',
    testnet: '0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582',
  },
};

/** The contract whose transfers are USDC; bridged look-alikes are not. Null where none is known. */
export function usdcContractOn(chain: ChainName, network: CryptoNetwork): string | null {
  return usdcContracts[chain]?.[network] ?? null;
}

const titles: Record<ChainName, string> = {
  bitcoin: 'Bitcoin',
  ethereum: 'Ethereum',
  base: 'Base',
  polygon: 'Polygon',
};

/** For people. */
export function titleOf(chain: ChainName): string {
  return titles[chain];
}
