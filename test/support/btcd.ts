/** Bitcoin nodes of a test's own, on a chain that begins with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import { createBitcoinNode } from '../../integrations/bitcoin/client.ts';
import { type BitcoinWallet, createBitcoinWallet } from '../../scripts/chains/bitcoin-wallet.ts';
import { type LocalBtcd, startLocalBtcd } from '../../scripts/chains/btcd.ts';
import { freePorts } from '../../scripts/ports.ts';
import { btcdPath } from './services.ts';

export type TestBtcd = Omit<LocalBtcd, 'process'> & {
  node: ChainNode;
  /** The development wallet; it is paid for every block. */
  wallet: BitcoinWallet;
  /** Nobody answers until `up`. */
  down(): Promise<void>;
  /** Starts it again after `down`, with the chain it had and an empty mempool. */
  up(): Promise<void>;
  /** Ends it and removes what it kept. */
  stop(): Promise<void>;
};

/**
 * Starts a node whose wallet has coins to spend, within a second. `blocks: 0` begins with nothing, as the second node of a
 * chain that it is to take over.
 */
export async function startBtcd({ blocks }: { blocks?: number } = {}): Promise<TestBtcd> {
  const dataDir = await mkdtemp(join(tmpdir(), 'perennial-btcd-'));
  const { rpcPort, peerPort } = await freePorts(['rpcPort', 'peerPort']);
  const settings = { executable: btcdPath(), rpcPort, peerPort, dataDir };
  const { process: first, ...btcd } = await startLocalBtcd({
    ...settings,
    ...(blocks !== undefined && { blocks }),
  });
  let running = first;
  const { url } = btcd;
  return {
    ...btcd,
    node: createBitcoinNode({ url, network: 'local' }),
    wallet: createBitcoinWallet({ url }),
    down: async () => void (await running.stop()),
    up: async () => {
      running = (await startLocalBtcd({ ...settings, blocks: 0 })).process;
    },
    stop: async () => {
      await running.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Connects the nodes and waits until both have the same chain: the longer one. */
export async function joinNodes(first: TestBtcd, second: TestBtcd): Promise<void> {
  await first.connect(second.peer);
  await sameTip(first, second);
}

/** Ends the connection that `joinNodes` made with the same first node: from here on each has a chain of its own. */
export async function partNodes(first: TestBtcd, second: TestBtcd): Promise<void> {
  await first.disconnect(second.peer);
  await eventually(async () => (await first.peers()) + (await second.peers()) === 0);
}

/** Waits until both nodes have the same tip. */
export async function sameTip(first: TestBtcd, second: TestBtcd): Promise<void> {
  await eventually(async () => {
    const [one, other] = await Promise.all([first.node.tip(), second.node.tip()]);
    return one.hash === other.hash;
  });
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 20_000, interval: 20 });
}
