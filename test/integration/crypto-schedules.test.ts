/**
 * Whatever happens to payments in coins, and whenever the watcher dies, the end is what the chain says, and the books have it
 * once. `SEED` repeats a run, `SCHEDULES` sets how many lives are lived.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import { type ChainDriver, startBitcoinDriver, startEthereumDriver } from './crypto-drivers.ts';
import { type Act, faultsOf, randomActs, randomFrom } from './crypto-schedules.ts';
import { createRealChainScene, type RealChainScene } from './real-chain-scene.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
const schedules = Number(process.env['SCHEDULES'] ?? 12);
/** The scene's clock is not to overtake that of the nodes: its months are used up after so many. */
const PER_SCENE = 30;

let scene: RealChainScene;
let drivers: [ChainDriver, ChainDriver];

beforeAll(async () => {
  drivers = await Promise.all([startBitcoinDriver(), startEthereumDriver()]);
  scene = await createRealChainScene();
});
afterAll(async () => {
  await Promise.all([scene?.close(), ...(drivers ?? []).map((driver) => driver.stop())]);
});

describe('invoices in coins', () => {
  it(`end as the chain says, and are booked once, in ${schedules} random lives (SEED=${seed})`, {
    timeout: 20_000 * schedules,
  }, async () => {
    process.stdout.write(`SEED=${seed} SCHEDULES=${schedules}\n`);
    for (let n = 0; n < schedules; n += 1) {
      if (n > 0 && n % PER_SCENE === 0) {
        await scene.close();
        scene = await createRealChainScene();
      }
      const driver = drivers[(seed + n) % 2 === 0 ? 0 : 1];
      const acts = randomActs(randomFrom(seed + n));
      const told = `SEED=${seed + n} on ${driver.chain}: ${acts.map((act) => JSON.stringify(act)).join(' ')}`;
      expect(
        await faultsOf({ scene, driver }, acts).catch((error: Error) => [`${told}\n${error.stack}`]),
        told,
      ).toEqual([]);
    }
  });

  it.each<[string, (node: ChainNode) => ChainNode, isSeen: boolean, end: string]>([
    ['an orphan in the mempool counted as alive', blindToRivals, true, 'orphaned'],
    ['one that was dead when it was first seen did', blindToUse, false, 'seen'],
  ])('would end otherwise if %s', async (_, seenThrough, isSeen, end) => {
    const acts: Act[] = [{ do: 'double_spend', which: 0, depth: 2, isSeen }];
    const [driver] = drivers;
    const faults = await faultsOf({ scene, driver, seenThrough }, acts);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^lived: .* ${end} .*\nreplayed: expired .* double_spent `));
  });
});

/** What a block uses up kills nothing: whatever waits in the mempool is alive. */
function blindToRivals(node: ChainNode): ChainNode {
  return {
    ...node,
    async block(hash) {
      const block = await node.block(hash);
      return block && { ...block, transactions: block.transactions.map((each) => ({ ...each, spends: [] })) };
    },
  };
}

/** What waits in the mempool is believed to be spendable. */
function blindToUse(node: ChainNode): ChainNode {
  return { ...node, used: async () => [] };
}
