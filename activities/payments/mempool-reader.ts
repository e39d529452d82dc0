/**
 * Reads what is new in a node's mempool, in pieces, so that neither a node nor we ever hold all of it, and so many at most in
 * one look: after a start everything is new, and blocks must not wait for hundreds of thousands of transactions. What has come
 * since the look before goes first, so that a customer who pays now does not queue behind them.
 *
 * Why it is safe to run twice: what was handed over is remembered in memory only. After a restart everything is new again,
 * and seen again; a piece that was fetched and could not be kept is handed over again, without another word of the node.
 */
import type { ChainNode, ChainTransaction } from '../../domain/payments/chain-node.ts';

export type MempoolReader = {
  /** Hands over what is new, piece by piece. Those whose ids `handle` returns are handed over again next time. */
  read(node: ChainNode, handle: Handle): Promise<MempoolRead>;
};

export type MempoolRead = {
  /** Of all that waits to be mined, whether it was handed over or not. */
  ids: readonly string[];
  /** False where some were left for the next look: what they pay is not known yet. */
  isComplete: boolean;
};

type Handle = (transactions: readonly ChainTransaction[]) => Promise<readonly string[]>;

/** Transactions asked for at once. */
const PIECE = 200;
/** Transactions asked for in one look: a second or two, far less than a watcher may be silent. */
const AT_ONCE = 4_000;
/** Times that a node is asked for one that it lists and does not give. */
const TRIES = 3;

export function createMempoolReader({
  piece = PIECE,
  atOnce = AT_ONCE,
}: {
  piece?: number;
  atOnce?: number;
} = {}): MempoolReader {
  let seen = new Set<string>();
  let listed: ReadonlySet<string> = new Set();
  let triesOf = new Map<string, number>();
  let fetched: { ids: readonly string[]; transactions: readonly ChainTransaction[] } | null = null;

  const handOver = async (taken: NonNullable<typeof fetched>, handle: Handle) => {
    const again = new Set(taken.transactions.length > 0 ? await handle(taken.transactions) : []);
    const given = new Set(taken.transactions.map(({ txid }) => txid));
    for (const id of taken.ids) {
      if (again.has(id)) continue;
      const tries = (triesOf.get(id) ?? 0) + 1;
      if (given.has(id) || tries >= TRIES) seen.add(id);
      else triesOf.set(id, tries);
    }
    fetched = null;
  };

  return {
    async read(node, handle) {
      if (fetched !== null) await handOver(fetched, handle);
      const ids = await node.mempool();
      const present = new Set(ids);
      seen = new Set(ids.filter((id) => seen.has(id)));
      triesOf = new Map([...triesOf].filter(([id]) => present.has(id)));
      const fresh = [...present].filter((id) => !seen.has(id));
      const before = listed;
      listed = present;
      const newestFirst = [...fresh.filter((id) => !before.has(id)), ...fresh.filter((id) => before.has(id))];
      const wanted = newestFirst.slice(0, atOnce);
      for (let from = 0; from < wanted.length; from += piece) {
        const asked = wanted.slice(from, from + piece);
        fetched = { ids: asked, transactions: await node.pending(asked) };
        await handOver(fetched, handle);
      }
      return { ids, isComplete: wanted.length === fresh.length };
    },
  };
}

/** Far more generations than nodes relay (25). */
const GENERATIONS_MAX = 30;

/** The unmined transactions that these build upon, however far back. Nodes relay chains of 25 at most. */
export async function unminedAncestors(
  node: ChainNode,
  transactions: readonly ChainTransaction[],
): Promise<ChainTransaction[]> {
  const known = new Map(transactions.map((each) => [each.txid, each]));
  const ancestors = new Map<string, ChainTransaction>();
  let generation = transactions;
  for (let depth = 0; depth < GENERATIONS_MAX && generation.length > 0; depth += 1) {
    const parents = new Set(
      generation.flatMap(({ spends }) => spends.map((spend) => spend.slice(0, spend.lastIndexOf(':')))),
    );
    const asked = [...parents].filter((txid) => !ancestors.has(txid));
    const unknown = asked.filter((txid) => !known.has(txid));
    const found: ChainTransaction[] = asked.flatMap((txid) => known.get(txid) ?? []);
    for (let from = 0; from < unknown.length; from += PIECE) {
      found.push(...(await node.pending(unknown.slice(from, from + PIECE))));
    }
    for (const parent of found) ancestors.set(parent.txid, parent);
    generation = found;
  }
  return [...ancestors.values()];
}
