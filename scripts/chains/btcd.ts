/**
 * A Bitcoin node of this machine, for development and tests: btcd on the regression test network, where blocks are made on
 * request and coins have no value. This file knows where the program comes from and how it is run.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GoProgram } from '../../config/local-binaries.ts';
import { type ManagedProcess, startProcess, untilReady } from '../managed-process.ts';
import { bitcoinWalletAddress } from './bitcoin-wallet.ts';
import { type BtcdControl, btcdControl } from './btcd-control.ts';

export const btcdProgram: GoProgram = {
  name: 'btcd',
  version: 'v0.26.2',
  source: 'github.com/btcsuite/btcd',
  home: 'https://github.com/btcsuite/btcd',
  takes: 'half a minute, once',
};

/** Public on purpose: the node listens on this machine only. */
const login = { user: 'perennial', password: 'development' };

function btcdCommand({
  executable,
  rpcPort,
  peerPort,
  dataDir,
}: {
  executable: string;
  rpcPort: number;
  peerPort: number | null;
  dataDir: string;
}): { command: string; args: string[] } {
  return {
    command: executable,
    args: [
      ...['--regtest', '--txindex', '--configfile=/dev/null'],
      ...[`--datadir=${chainIn(dataDir)}`, `--logdir=${join(dataDir, 'logs')}`, '--debuglevel=warn'],
      ...['--notls', `--rpclisten=127.0.0.1:${rpcPort}`],
      ...[`--rpcuser=${login.user}`, `--rpcpass=${login.password}`],
      ...(peerPort === null ? ['--nolisten'] : [`--listen=127.0.0.1:${peerPort}`]),
      ...['--nodnsseed', '--nobanning', '--trickleinterval=100ms'],
      `--miningaddr=${bitcoinWalletAddress()}`,
    ],
  };
}

/** The address of such a node, with user and password, as the product is configured with it. */
export function btcdUrl({ rpcPort }: { rpcPort: number }): string {
  return `http://${login.user}:${login.password}@127.0.0.1:${rpcPort}`;
}

/**
 * From here on a fresh chain knows SegWit and taproot, and the coins of its first two hundred blocks may be spent. Blocks made
 * faster than time passes claim times ahead of the clock, by about one second for every six of them.
 */
const MATURE_HEIGHT = 300;

export type LocalBtcd = BtcdControl & {
  url: string;
  /** Host and port for other nodes. */
  peer: string;
  process: ManagedProcess;
};

/** How a node is run that goes on with the chain in `dataDir`; see `startLocalBtcd`. */
export function describeBtcd({
  executable,
  rpcPort,
  peerPort = null,
  dataDir,
  blocks = MATURE_HEIGHT,
}: {
  executable: string;
  rpcPort: number;
  /** Where other nodes connect; null for a node that is alone. */
  peerPort?: number | null;
  dataDir: string;
  blocks?: number;
}) {
  const control = btcdControl(btcdUrl({ rpcPort }));
  let kept: string[] = [];
  return {
    ...btcdCommand({ executable, rpcPort, peerPort, dataDir }),
    cwd: dataDir,
    beforeStart: async () => {
      kept = await keptBlocks(dataDir);
    },
    isReady: control.isReady,
    afterReady: async () => {
      await control.submit(kept);
      kept = [];
      const missing = blocks - (await control.height());
      if (missing > 0) await control.mine(missing);
    },
  };
}

/**
 * Starts a node that goes on with the chain in `dataDir`, and sees to it that the chain has `blocks` at least. The development
 * wallet is paid for every block; the mempool begins empty.
 */
export async function startLocalBtcd(options: {
  executable: string;
  rpcPort: number;
  /** Where other nodes connect. */
  peerPort: number;
  dataDir: string;
  blocks?: number;
}): Promise<LocalBtcd> {
  const { rpcPort, peerPort, dataDir } = options;
  const { beforeStart, isReady, afterReady, ...described } = describeBtcd(options);
  await beforeStart();
  const started = await startProcess({
    name: 'btcd',
    ...described,
    env: process.env,
    logFile: join(dataDir, 'btcd.log'),
  });
  try {
    await untilReady({ process: started, isReady });
    await afterReady();
  } catch (error) {
    await started.stop();
    throw error;
  }
  const url = btcdUrl({ rpcPort });
  return { ...btcdControl(url), url, peer: `127.0.0.1:${peerPort}`, process: started };
}

function chainIn(dataDir: string): string {
  return join(dataDir, 'chain');
}

/**
 * The blocks that an earlier node left behind, in the order it got them: on this network btcd throws its chain away when it
 * starts. A block that was invalidated counts again. The files hold block after block, each between the network's mark with a length, and a checksum.
 */
async function keptBlocks(dataDir: string): Promise<string[]> {
  const folder = join(chainIn(dataDir), 'regtest', 'blocks_ffldb');
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith('.fdb')).toSorted();
  const contents = await Promise.all(files.map((name) => readFile(join(folder, name))));
  return contents.flatMap(blocksIn);
}

const BEFORE_BLOCK = 8;
const CHECKSUM = 4;

/** The last one may be cut off, where the node was killed. */
function blocksIn(file: Buffer): string[] {
  const blocks: string[] = [];
  for (let at = 0; at + BEFORE_BLOCK < file.length; ) {
    const from = at + BEFORE_BLOCK;
    const to = from + file.readUInt32LE(at + 4);
    if (to === from || to > file.length) break;
    blocks.push(file.toString('hex', from, to));
    at = to + CHECKSUM;
  }
  return blocks;
}
