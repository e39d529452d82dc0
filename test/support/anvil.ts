/** A local Ethereum chain of a test's own, with the contracts of `localContracts` on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anvilCommand, anvilIsReady } from '../../scripts/chains/anvil.ts';
import { createEvmWallet, type EvmWallet } from '../../scripts/chains/evm-wallet.ts';
import { startProcess, untilReady } from '../../scripts/managed-process.ts';
import { freePorts } from '../../scripts/ports.ts';

export type TestChain = { url: string; wallet: EvmWallet; stop: () => Promise<void> };

/** Starts it on a free port. What is two epochs deep is final. */
export async function startTestAnvil({ blocksInEpoch }: { blocksInEpoch?: number } = {}): Promise<TestChain> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-anvil-'));
  const { anvil: port } = await freePorts(['anvil']);
  const started = await startProcess({
    name: 'anvil',
    ...anvilCommand({ port, ...(blocksInEpoch !== undefined && { blocksInEpoch }) }),
    env: process.env,
    cwd: folder,
    logFile: join(folder, 'anvil.log'),
  });
  await untilReady({ process: started, isReady: () => anvilIsReady(port) });
  const url = `http://127.0.0.1:${port}`;
  const wallet = createEvmWallet(url);
  await wallet.deploy();
  return {
    url,
    wallet,
    async stop() {
      await started.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
