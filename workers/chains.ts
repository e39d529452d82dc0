/** The chains that this process watches, and the workflows that see to it. */
import type { Client } from '@temporalio/client';
import type { ChainWatching, WatchedChain } from '../activities/payments/chain-watcher.ts';
import type { Config } from '../config/env.ts';
import type { ChainNode } from '../domain/payments/chain-node.ts';
import {
  type ChainName,
  type CryptoNetwork,
  chainNames,
  usdcContractOn,
} from '../domain/payments/crypto-chain.ts';
import { createBitcoinNode } from '../integrations/bitcoin/client.ts';
import { createEvmNode } from '../integrations/evm/client.ts';
import { deliverToTemporal } from '../temporal/deliver.ts';
import { startChainWatcher } from '../workflows/payments/chain-watcher.contract.ts';

/** Every chain that has a node. */
export function composeChains({ network, watched, settings }: Config['chains']): ChainWatching {
  const chains = chainNames.flatMap((chain): WatchedChain[] => {
    const { nodes, startHeight, usdc } = watched[chain];
    if (nodes.length === 0) return [];
    const contract = usdc ?? usdcContractOn(chain, network);
    return [
      {
        chain,
        nodes: nodes.map((url) => createNode({ chain, network, url, usdc: contract })),
        everyMs: network === 'local' ? LOCAL_EVERY_MS : EVERY_MS[chain],
        startHeight,
      },
    ];
  });
  return { network, chains, settings };
}

/** Begins what is not watched yet. Safe to repeat, and beside other processes. */
export async function ensureChainWatchers(client: Client, { chains }: ChainWatching): Promise<ChainName[]> {
  for (const { chain } of chains) await deliverToTemporal(client, startChainWatcher(chain));
  return chains.map(({ chain }) => chain);
}

/** About a quarter of the time between blocks, and for Bitcoin as often as its mempool is worth a look. */
const EVERY_MS: Record<ChainName, number> = { bitcoin: 3_000, ethereum: 4_000, base: 2_000, polygon: 2_000 };
const LOCAL_EVERY_MS = 500;

function createNode({
  chain,
  network,
  url,
  usdc,
}: {
  chain: ChainName;
  network: CryptoNetwork;
  url: string;
  usdc: string | null;
}): ChainNode {
  return chain === 'bitcoin'
    ? createBitcoinNode({ url, network })
    : createEvmNode({ url, chain, network, usdc });
}
