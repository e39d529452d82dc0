import { beforeEach, expect, test } from 'vitest';
import { bitcoinTransaction, createStillChain, type StillNode } from '../../test/support/still-chain.ts';
import { createMempoolReader } from './mempool-reader.ts';

let node: StillNode;
let handed: string[];

beforeEach(() => {
  node = createStillChain({ clock: () => new Date('2026-03-01T12:00:00.000Z') }).node();
  handed = [];
});

test('a mempool that is larger than one look is read over several, each transaction once, and is complete with the last', async () => {
  const txids = send(23);
  const reader = createMempoolReader({ piece: 4, atOnce: 10 });
  const looks = [await look(reader), await look(reader), await look(reader), await look(reader)];
  expect(looks).toEqual([
    { waiting: 23, isComplete: false, handed: 10 },
    { waiting: 23, isComplete: false, handed: 20 },
    { waiting: 23, isComplete: true, handed: 23 },
    { waiting: 23, isComplete: true, handed: 23 },
  ]);
  expect(handed).toEqual(txids);
  // 4 + 4 + 2, the same again, and 3.
  expect(node.calls.pending).toBe(7);
});

test('what has come since the last look goes before what was left over', async () => {
  const old = send(12);
  const reader = createMempoolReader({ atOnce: 5 });
  await look(reader);
  const [paying = ''] = send(1);
  await look(reader);
  expect(handed.slice(5)).toEqual([paying, ...old.slice(5, 9)]);
});

test('what is mined before its turn is not asked for, and does not keep the mempool from being complete', async () => {
  const txids = send(12);
  const reader = createMempoolReader({ atOnce: 10 });
  await look(reader);
  node.mine(await node.pending(txids.slice(8)));
  expect(await look(reader)).toEqual({ waiting: 8, isComplete: true, handed: 10 });
});

test('a transaction that is handed over again takes no turn of another one for ever', async () => {
  const [first = '', ...others] = send(6);
  const reader = createMempoolReader({ atOnce: 2 });
  for (let i = 0; i < 5; i += 1) {
    await reader.read(node, async (transactions) => {
      handed.push(...transactions.map(({ txid }) => txid));
      return [first];
    });
  }
  expect(new Set(handed)).toEqual(new Set([first, ...others]));
});

async function look(reader: ReturnType<typeof createMempoolReader>) {
  const { ids, isComplete } = await reader.read(node, async (transactions) => {
    handed.push(...transactions.map(({ txid }) => txid));
    return [];
  });
  return { waiting: ids.length, isComplete, handed: handed.length };
}

function send(count: number): string[] {
  return Array.from({ length: count }, () => {
    const transaction = bitcoinTransaction([{ to: '0014aa', units: 1n }]);
    node.send(transaction);
    return transaction.txid;
  });
}
