/**
 * A chain that moves only when a test moves it: blocks, branches, a mempool and every way in which a node may fail, in memory
 * and at the network's edge. Several nodes share one chain and may see different branches of it.
 */
import { VendorError } from '../../domain/errors.ts';
import type {
  BlockRef,
  ChainBlock,
  ChainNode,
  ChainTransaction,
  ChainTransfer,
  FoundTransaction,
} from '../../domain/payments/chain-node.ts';

export type NodeMethod = Exclude<keyof ChainNode, 'name' | 'tracesCalls'>;

export type StillNode = ChainNode & {
  /** Calls so far, by method. */
  calls: Record<NodeMethod, number>;
  /** Puts a block with these transactions on the node's own tip; `time` is the clock's where it is left out. */
  mine(transactions?: readonly ChainTransaction[], options?: { time?: string }): ChainBlock;
  /** The same several times, without transactions. */
  mineEmpty(count: number): void;
  /** Leaves the active chain after this height; what was mined above goes back to the mempool. */
  rewindTo(height: number): void;
  /** Takes `depth` blocks out of the chain and puts others in their place. */
  reorganise(depth: number, branch: readonly (readonly ChainTransaction[])[]): ChainBlock[];
  /** Follows another node's active chain. */
  follow(other: StillNode): void;
  /** Into the mempool; what it rivals leaves. */
  send(...transactions: ChainTransaction[]): void;
  /** Out of the mempool, as nodes drop what pays too little. */
  drop(...txids: string[]): void;
  /** Puts into the mempool whatever is there already: nodes keep the dead there, too. */
  keep(...transactions: ChainTransaction[]): void;
  /** The method fails so often; 0 mends it. */
  fail(method: NodeMethod, times?: number, error?: Error): void;
  /** It is a node of something else. */
  setWrongNetwork(isWrong: boolean): void;
  setFinalized(height: number | null): void;
  /** Whether it tells of coins that contracts send on; false leaves them out of its blocks. */
  setTraces(tracesCalls: boolean | null): void;
  /** What waits to be mined, without a call. */
  waiting(): ChainTransaction[];
  /** The end of its active chain, without a call. */
  peek(): BlockRef;
  /** Called before each answer. */
  onCall(hook: ((method: NodeMethod) => void) | null): void;
};

export type StillChain = { node(name?: string): StillNode };

/** `clock` gives blocks their time. */
export function createStillChain({ clock }: { clock: () => Date }): StillChain {
  const blocks = new Map<string, ChainBlock>();
  let count = 0;
  const add = (parent: ChainBlock | null, transactions: readonly ChainTransaction[], time: string) => {
    count += 1;
    const block: ChainBlock = {
      height: parent === null ? 0 : parent.height + 1,
      hash: count.toString(16).padStart(64, '0'),
      parentHash: parent?.hash ?? '0'.repeat(64),
      time,
      transactions,
    };
    blocks.set(block.hash, block);
    return block;
  };
  const first = add(null, [], clock().toISOString());
  return { node: (name = 'still:8332') => createNode({ name, blocks, add, first, clock }) };
}

type Shared = {
  name: string;
  blocks: Map<string, ChainBlock>;
  add: (parent: ChainBlock | null, transactions: readonly ChainTransaction[], time: string) => ChainBlock;
  first: ChainBlock;
  clock: () => Date;
};

function createNode({ name, blocks, add, first, clock }: Shared): StillNode {
  let active: ChainBlock[] = [first];
  const mempool = new Map<string, ChainTransaction>();
  const failures = new Map<NodeMethod, { times: number; error: Error }>();
  let isWrongNetwork = false;
  let finalizedHeight: number | null = null;
  let tracesCalls: boolean | null = null;
  let hook: ((method: NodeMethod) => void) | null = null;
  const calls: StillNode['calls'] = {
    checkNetwork: 0,
    tip: 0,
    finalized: 0,
    hashAt: 0,
    block: 0,
    mempool: 0,
    pending: 0,
    used: 0,
    find: 0,
    feeRate: 0,
  };

  const answer = async <T>(method: NodeMethod, give: () => T): Promise<T> => {
    calls[method] += 1;
    hook?.(method);
    const failure = failures.get(method);
    if (failure !== undefined && failure.times > 0) {
      failure.times -= 1;
      throw failure.error;
    }
    return give();
  };
  const tip = () => active[active.length - 1] ?? first;
  const ref = ({ height, hash }: ChainBlock): BlockRef => ({ height, hash });
  const forgetRivals = ({ txid, spends }: ChainTransaction) => {
    for (const [id, other] of mempool) {
      if (id !== txid && other.spends.some((spend) => spends.includes(spend))) mempool.delete(id);
    }
  };

  const node: StillNode = {
    name,
    calls,
    get tracesCalls() {
      return tracesCalls;
    },
    checkNetwork: () =>
      answer('checkNetwork', () => {
        if (!isWrongNetwork) return;
        throw new VendorError({
          code: 'vendor_rejected_request',
          message: `${name} is a node of another network.`,
        });
      }),
    tip: () => answer('tip', () => ref(tip())),
    finalized: () =>
      answer('finalized', () => {
        const block = finalizedHeight === null ? undefined : active[finalizedHeight];
        return block === undefined ? null : ref(block);
      }),
    hashAt: (height) => answer('hashAt', () => active[height]?.hash ?? null),
    block: (hash) =>
      answer('block', () => {
        const block = blocks.get(hash) ?? null;
        return block === null || tracesCalls !== false ? block : withoutCalls(block);
      }),
    mempool: () => answer('mempool', () => [...mempool.keys()]),
    pending: (txids) => answer('pending', () => txids.flatMap((txid) => mempool.get(txid) ?? [])),
    used: (spends) =>
      answer('used', () => {
        const mined = new Set(
          active.flatMap(({ transactions }) => transactions.flatMap((each) => each.spends)),
        );
        return spends.filter((spend) => mined.has(spend));
      }),
    find: (txid) =>
      answer('find', (): FoundTransaction | null => {
        for (const block of active) {
          const mined = block.transactions.find((each) => each.txid === txid);
          if (mined !== undefined) return { ...mined, block: ref(block), failure: null };
        }
        const waiting = mempool.get(txid);
        return waiting === undefined ? null : { ...waiting, block: null, failure: null };
      }),
    feeRate: () => answer('feeRate', () => 12n),

    mine(transactions = [], { time = clock().toISOString() } = {}) {
      const block = add(tip(), transactions, time);
      active.push(block);
      for (const transaction of transactions) {
        mempool.delete(transaction.txid);
        forgetRivals(transaction);
      }
      return block;
    },
    mineEmpty(count) {
      for (let i = 0; i < count; i += 1) node.mine();
    },
    rewindTo(height) {
      const gone = active.slice(height + 1);
      active = active.slice(0, height + 1);
      for (const { transactions } of gone) {
        for (const transaction of transactions) mempool.set(transaction.txid, transaction);
      }
    },
    reorganise(depth, branch) {
      node.rewindTo(tip().height - depth);
      return branch.map((transactions) => node.mine(transactions));
    },
    follow(other) {
      const { height, hash } = other.peek();
      let block = blocks.get(hash);
      const branch: ChainBlock[] = [];
      for (; block !== undefined && branch.length <= height; block = blocks.get(block.parentHash)) {
        branch.unshift(block);
      }
      active = branch;
    },
    send(...transactions) {
      for (const transaction of transactions) {
        forgetRivals(transaction);
        mempool.set(transaction.txid, transaction);
      }
    },
    drop(...txids) {
      for (const txid of txids) mempool.delete(txid);
    },
    keep(...transactions) {
      for (const transaction of transactions) mempool.set(transaction.txid, transaction);
    },
    fail(method, times = Number.POSITIVE_INFINITY, error = unreachable(name)) {
      failures.set(method, { times, error });
    },
    setWrongNetwork(isWrong) {
      isWrongNetwork = isWrong;
    },
    setFinalized(height) {
      finalizedHeight = height;
    },
    setTraces(next) {
      tracesCalls = next;
    },
    onCall(next) {
      hook = next;
    },
    waiting: () => [...mempool.values()],
    peek: () => ref(tip()),
  };
  return node;
}

function withoutCalls(block: ChainBlock): ChainBlock {
  const transactions = block.transactions.map((transaction) => ({
    ...transaction,
    transfers: transaction.transfers.filter(({ key }) => !key.includes(':call:')),
  }));
  return { ...block, transactions };
}

function unreachable(name: string): VendorError {
  return new VendorError({ code: 'vendor_unavailable', message: `${name} does not answer.` });
}

let transactionCount = 0;

/** A transaction of Bitcoin's form that pays these outputs. Spends one coin of its own unless told otherwise. */
export function bitcoinTransaction(
  outputs: readonly { to: string; units: bigint }[],
  { spends }: { spends?: readonly string[] } = {},
): ChainTransaction {
  const txid = nextTxid();
  const transfers = outputs.map(
    ({ to, units }, vout): ChainTransfer => ({
      key: `${txid}:${vout}`,
      to,
      asset: 'BTC',
      token: null,
      units,
    }),
  );
  return { txid, spends: spends ?? [`${nextTxid()}:0`], transfers };
}

/** A transaction of an EVM chain with these transfers by tokens, or of the chain's own coin where it has none. */
export function evmTransaction(
  transfers: readonly Pick<ChainTransfer, 'to' | 'units' | 'asset' | 'token'>[],
  { spends }: { spends?: readonly string[] } = {},
): ChainTransaction {
  const txid = `0x${nextTxid()}`;
  return {
    txid,
    spends: spends ?? [`0x${nextTxid().slice(-40)}:0`],
    transfers: transfers.map((transfer, n) => ({
      ...transfer,
      key: transfer.token === null ? txid : `${txid}:log:${n}`,
    })),
  };
}

function nextTxid(): string {
  transactionCount += 1;
  // Of one length before it is marked, so that a later one also sorts after an earlier one.
  return `a${transactionCount.toString(16).padStart(63, '0')}`;
}
