// Anvil is a real Ethereum node for development, from its npm package. Every transaction is mined at once, two blocks make an
// epoch: what is four blocks deep is final, unless told otherwise.

import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { findOnPath, MissingProgramError } from '../../config/local-binaries.ts';

/** Its accounts have coins on every development node, and on no other. */
const developmentMnemonic = 'test test test test test test test test test test test junk';

/**
 * Command line of the node. With a `stateFile` it goes on from the chain kept there; a kill loses what happened in the last
 * seconds, which whoever follows it sees as a reorg. Throws where there is no anvil for this machine.
 */
export function anvilCommand({
  port,
  stateFile,
  blocksInEpoch = 2,
}: {
  port: number;
  stateFile?: string;
  /** What is two epochs deep is final. */
  blocksInEpoch?: number;
}): {
  command: string;
  args: string[];
} {
  return {
    command: findAnvil(),
    args: [
      ...['--host', '127.0.0.1', '--port', `${port}`],
      ...['--mnemonic', developmentMnemonic, '--slots-in-an-epoch', `${blocksInEpoch}`, '--silent'],
      ...(stateFile ? ['--state', stateFile, '--state-interval', '5', '--preserve-historical-states'] : []),
    ],
  };
}

/** Whether it answers. */
export async function anvilIsReady(port: number): Promise<boolean> {
  try {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body })).ok;
  } catch {
    return false;
  }
}

/** The program itself: the package's command would stand between it and its signals. */
function findAnvil(): string {
  const processor = arch() === 'x64' ? 'amd64' : arch();
  const program = `@foundry-rs/anvil-${platform()}-${processor}/bin/anvil${platform() === 'win32' ? '.exe' : ''}`;
  try {
    return createRequire(createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')).resolve(
      program,
    );
  } catch {
    const onPath = findOnPath('anvil');
    if (onPath) return onPath;
    throw new MissingProgramError(
      'anvil was not found. Run npm ci without --omit=optional, or put it on the PATH (https://getfoundry.sh).',
    );
  }
}
