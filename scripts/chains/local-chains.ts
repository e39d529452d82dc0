/**
 * The chains that a stack runs beside its servers: a Bitcoin and an Ethereum, whose coins have no value. Both go on where the
 * last start ended, and what they need once (coins that may be spent, contracts) is there when they are ready.
 *
 * Why it is safe to run twice: blocks and contracts that are there already are counted first, so a preparation that was
 * interrupted is carried on by the next start.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/env.ts';
import { findGoProgram, type Report } from '../../config/local-binaries.ts';
import type { ChainProcess } from '../processes.ts';
import { anvilCommand, anvilIsReady } from './anvil.ts';
import { btcdProgram, btcdUrl, describeBtcd } from './btcd.ts';
import { createEvmWallet, localUsdc } from './evm-wallet.ts';

export type LocalChain = {
  command: string;
  args: readonly string[];
  cwd: string;
  /** Each time before it is started. */
  beforeStart: () => Promise<void>;
  isReady: () => Promise<boolean>;
  /** Each time it answers, before anybody else asks it. */
  afterReady: () => Promise<void>;
};

/**
 * Those of the wanted chains that can run here: no node of the chain was named, the network is a local one, and the program is
 * there or can be built. A chain without its program is told with what to do, and left out.
 */
export async function findChains({
  wanted,
  config: { environment, chains, cacheDir },
  report,
}: {
  wanted: readonly ChainProcess[];
  config: Config;
  report: Report;
}): Promise<ChainProcess[]> {
  if (environment === 'production' || chains.network !== 'local') return [];
  const found: ChainProcess[] = [];
  for (const name of wanted) {
    if (chains.watched[chainOf[name]].nodes.length > 0) continue;
    try {
      await findProgram(name, { cacheDir, report });
      found.push(name);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report(`Nothing can be paid on ${chainOf[name]} here: ${reason}`);
    }
  }
  return found;
}

/** What workers and API are told of these chains. */
export function chainSettings(
  names: readonly ChainProcess[],
  ports: Config['chains']['localPorts'],
): Record<string, string> {
  return {
    ...(names.length > 0 && { CRYPTO_NETWORK: 'local' }),
    ...(names.includes('btcd') && { BITCOIN_NODES: localNodeUrl('btcd', ports) }),
    ...(names.includes('anvil') && {
      ETHEREUM_NODES: localNodeUrl('anvil', ports),
      ETHEREUM_USDC: localUsdc,
    }),
  };
}

/** Where the chain answers, with user and password. */
export function localNodeUrl(name: ChainProcess, ports: Config['chains']['localPorts']): string {
  return name === 'btcd' ? btcdUrl({ rpcPort: ports.bitcoin }) : `http://127.0.0.1:${ports.ethereum}`;
}

/** How the chain is run; what it keeps is in a folder of `home`. */
export async function localChain(
  name: ChainProcess,
  { home, config: { chains, cacheDir }, report }: { home: string; config: Config; report: Report },
): Promise<LocalChain> {
  const folder = join(home, name);
  await mkdir(folder, { recursive: true });
  if (name === 'btcd') {
    const executable = await findGoProgram(btcdProgram, { cacheDir, report });
    return describeBtcd({ executable, rpcPort: chains.localPorts.bitcoin, dataDir: folder });
  }
  const port = chains.localPorts.ethereum;
  return {
    ...anvilCommand({ port, stateFile: join(folder, 'state.json') }),
    cwd: folder,
    beforeStart: async () => {},
    isReady: () => anvilIsReady(port),
    afterReady: () => createEvmWallet(localNodeUrl(name, chains.localPorts)).deploy(),
  };
}

const chainOf = { btcd: 'bitcoin', anvil: 'ethereum' } as const;

async function findProgram(
  name: ChainProcess,
  options: { cacheDir: string; report: Report },
): Promise<string> {
  return name === 'btcd' ? findGoProgram(btcdProgram, options) : anvilCommand({ port: 1 }).command;
}
