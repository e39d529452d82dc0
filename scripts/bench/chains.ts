// What a block costs the watcher of a chain, with 1,000 and with 100,000 open invoices: 5,000 transactions with 12,500 outputs,
// of which fifty pay us. Ratios hold on any machine; the times are printed with the machine's load.

import { pollChain } from '../../activities/payments/chain-poll.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { createDatabase, type Database, withSystem } from '../../db/client.ts';
import { type ChainLease, takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { findTouching } from '../../db/queries/payments/observe-chain.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { ChainNode, ChainTransaction } from '../../domain/payments/chain-node.ts';
import { cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';
import type { StillNode } from '../../test/support/still-chain.ts';
import { progress } from '../terminal.ts';
import { fillOpenInvoices, keepPolicy, scriptOf } from './chain-data.ts';

export type ChainCosts = {
  /** One look at a time over all open invoices, in times of one look at the whole block. */
  chainMatchVsScan: number;
  /** A look at a block with 100,000 open invoices, in times of one with 1,000. */
  chainMatch100kVs1k: number;
  nodeCallsPerBlock: { at1k: number; at100k: number };
  /** With 100,000 open and fifty hits: from the poll that sees a block to its commit. */
  blockToPaymentMs: { p50: number; p95: number };
  /** With 100,000 open: the first poll of a new watcher, and 144 blocks that were missed. */
  restartMs: number;
  catchUp144Ms: number;
};

const TRANSACTIONS = 5_000;
const OUTPUTS = 12_500;
const HITS = 50;
const ROUNDS = 7;
const BLOCKS = 20;
const [FEW, MANY] = [1_000, 100_000];

/** PostgreSQL must run, as `startTestServices` starts it. */
export async function measureChains(): Promise<ChainCosts> {
  const { createTestDatabase } = await import('../../test/support/database.ts');
  const { createStillChain } = await import('../../test/support/still-chain.ts');
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  try {
    const tenantId = await createTenant(db, { name: 'Bench' });
    await keepPolicy(database.adminUrl, cryptoPolicyOn('local'));
    const node = createStillChain({ clock: () => new Date() }).node();
    const watch = await watchWith(db, node);
    await watch();

    await fillOpenInvoices(database.adminUrl, { tenantId, from: 1, to: FEW });
    const fewMs = await matchMs(db, FEW);
    const at1k = await callsPerBlock(node, watch, FEW);
    progress(`Filling ${MANY.toLocaleString('en')} open invoices …`);
    await fillOpenInvoices(database.adminUrl, { tenantId, from: FEW + 1, to: MANY });
    const manyMs = await matchMs(db, MANY);
    const at100k = await callsPerBlock(node, watch, MANY);
    const times = await commitTimes(node, watch);
    const successor = await watchWith(db, node);
    const restartMs = await timed(successor);
    for (let n = 0; n < 144; n += 1) node.mine(blockOf(`missed${n}`, MANY, 0, 100));
    return {
      chainMatchVsScan: scanMs(MANY) / manyMs,
      chainMatch100kVs1k: manyMs / fewMs,
      nodeCallsPerBlock: { at1k, at100k },
      blockToPaymentMs: { p50: percentile(times, 0.5), p95: percentile(times, 0.95) },
      restartMs,
      catchUp144Ms: await timed(successor),
    };
  } finally {
    await db.close();
    await database.drop();
  }
}

/** A watcher's poll, as the activity makes it again and again. */
async function watchWith(db: Database, node: ChainNode): Promise<() => Promise<unknown>> {
  let lease: ChainLease | null = null;
  const mempool = createMempoolReader();
  const signal = new AbortController().signal;
  const clock = () => new Date();
  return async () => {
    lease ??= await takeLease(db, { chain: 'bitcoin', network: 'local', holder: 'bench' });
    if (lease === null) throw new Error('The bench watches its chain alone');
    return pollChain({ db, lease, node, second: null, startHeight: null, mempool, clock, signal });
  };
}

/** The middle of several looks for what concerns us. */
async function matchMs(db: Database, open: number): Promise<number> {
  const block = blockOf(`match${open}`, open, HITS);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    times.push(await timed(() => withSystem(db, (tx) => findTouching(tx, 'bitcoin', block))));
  }
  return percentile(times, 0.5);
}

/** Each invoice goes through the outputs by itself; measured over a part of them, as all alike cost the same. */
function scanMs(open: number): number {
  const outputs = blockOf('scan', open, HITS).flatMap(({ transfers }) => transfers.map(({ to }) => to));
  const part = open / 20;
  let found = 0;
  const began = performance.now();
  for (let n = 1; n <= part; n += 1) {
    const script = scriptOf(n);
    for (const to of outputs) if (to === script) found += 1;
  }
  const ms = performance.now() - began;
  if (found > HITS) throw new Error('An output was found twice');
  return ms * (open / part);
}

async function callsPerBlock(node: StillNode, watch: () => Promise<unknown>, open: number): Promise<number> {
  const total = () => Object.values(node.calls).reduce((sum, count) => sum + count, 0);
  await watch();
  node.mine(blockOf(`calls${open}`, open, HITS));
  const before = total();
  await watch();
  return total() - before;
}

async function commitTimes(node: StillNode, watch: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < BLOCKS; n += 1) {
    node.mine(blockOf(`commit${n}`, MANY, HITS));
    times.push(await timed(watch));
  }
  return times;
}

/** `hits` of the outputs pay open invoices, others each time. */
function blockOf(name: string, open: number, hits: number, transactions = TRANSACTIONS): ChainTransaction[] {
  const perTransaction = OUTPUTS / TRANSACTIONS;
  const offset = hash(name) % open;
  let outputs = 0;
  return Array.from({ length: transactions }, (_, index) => {
    const txid = hex(`${name}:${index}`);
    const count = Math.floor((index + 1) * perTransaction) - Math.floor(index * perTransaction);
    const transfers = Array.from({ length: count }, (_unused, vout) => {
      outputs += 1;
      const isHit = outputs <= hits;
      const to = isHit
        ? scriptOf(((offset + outputs * 37) % open) + 1)
        : `0014${hex(`${name}:${index}:${vout}`).slice(0, 40)}`;
      return { key: `${txid}:${vout}`, to, asset: 'BTC' as const, token: null, units: 100_000n };
    });
    return { txid, spends: [`${hex(`in:${name}:${index}`)}:0`], transfers };
  });
}

function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (value * 31 + character.charCodeAt(0)) >>> 0;
  return value;
}

/** 64 digits that differ with the text. */
function hex(text: string): string {
  return Array.from({ length: 8 }, (_, part) => hash(`${part}${text}`).toString(16).padStart(8, '0')).join(
    '',
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
