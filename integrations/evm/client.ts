/**
 * A node of Ethereum, Base or Polygon. A block is read whole in a few requests, as many with one open invoice as with a hundred
 * thousand, and by its hash: what is told of it never mixes two branches of the chain.
 */
import { VendorError } from '../../domain/errors.ts';
import type { BlockRef, ChainNode } from '../../domain/payments/chain-node.ts';
import {
  assetsOn,
  type ChainName,
  type CryptoNetwork,
  chainIdOf,
  titleOf,
} from '../../domain/payments/crypto-chain.ts';
import { createCallTraces } from './call-traces.ts';
import { failureReason } from './failure-reason.ts';
import { createBlockReceipts } from './receipts.ts';
import { createEvmRequests, NodeRefusal } from './requests.ts';
import * as shapes from './shapes.ts';
import { type KnownAssets, minedTransaction, pendingTransaction, systemTransaction } from './transactions.ts';

export type EvmConnection = {
  /** With `http://` or `https://`; a key in it stays secret. */
  url: string;
  chain: Exclude<ChainName, 'bitcoin'>;
  network: CryptoNetwork;
  /** The contract whose transfers are USDC; null where there is none. */
  usdc: string | null;
  timeoutMs?: number;
  /** Milliseconds. */
  clock?: () => number;
};

export type EvmNode = ChainNode & {
  /**
   * Whether it tells of coins that contracts send on: without, such payments are not seen. Null until a block was read, and on
   * chains whose own coin nobody pays with.
   */
  readonly tracesCalls: boolean | null;
};

export function createEvmNode({
  url,
  chain,
  network,
  usdc,
  timeoutMs = 20_000,
  clock,
}: EvmConnection): EvmNode {
  const requests = createEvmRequests({ url, timeoutMs });
  const known: KnownAssets = {
    coin: chain === 'polygon' ? null : 'ETH',
    usdc: usdc?.toLowerCase() ?? null,
  };
  const receiptsOf = createBlockReceipts(requests, known);
  const traces = assetsOn(chain).includes('ETH') ? createCallTraces(requests, clock) : null;

  let checked = false;
  const checkNetwork = async () => {
    if (checked) return;
    const wanted = chainIdOf(chain, network);
    const found = await requests.ask(shapes.quantity, 'eth_chainId');
    if (found !== BigInt(wanted)) {
      throw new VendorError({
        code: 'vendor_rejected_request',
        message:
          `${requests.name} is a node of chain ${found}, not of ${titleOf(chain)} ${network} (${wanted}): ` +
          'give the address of another node, or set the network it is on.',
      });
    }
    checked = true;
  };

  const read: typeof requests.ask = async (...question) => {
    await checkNetwork();
    return requests.ask(...question);
  };

  const block: ChainNode['block'] = async (hash) => {
    const found = await read(shapes.block.nullable(), 'eth_getBlockByHash', hash, true);
    if (found === null) return null;
    const traced = traces?.ofBlock(found) ?? Promise.resolve(new Map());
    const [receipts, internal] = await Promise.all([receiptsOf(found, traced), traced]);
    if (receipts === null || internal === null) return null;
    const listed = new Set(found.transactions.map((transaction) => transaction.hash));
    return {
      height: found.height,
      hash: found.hash,
      parentHash: found.parentHash,
      time: new Date(found.timestamp * 1000).toISOString(),
      transactions: [
        ...found.transactions.map((transaction) =>
          minedTransaction({
            transaction,
            receipt: receipts.get(transaction.hash),
            internal: internal.get(transaction.hash) ?? [],
            known,
          }),
        ),
        ...[...receipts.values()]
          .filter(({ transactionHash }) => !listed.has(transactionHash))
          .map((receipt) => systemTransaction(receipt, known)),
      ],
    };
  };

  const waiting = async (txids: readonly string[]) => {
    await checkNetwork();
    const found = await requests.askAll(
      shapes.transaction.nullable(),
      txids.map((txid) => ({ method: 'eth_getTransactionByHash', params: [txid] })),
    );
    return found.filter((each) => each !== null).filter(({ blockHash }) => !blockHash);
  };

  return {
    name: requests.name,
    get tracesCalls() {
      return traces?.offered ?? null;
    },
    checkNetwork,
    block,

    tip: () => read(shapes.header, 'eth_getBlockByNumber', 'latest', false),

    async finalized() {
      try {
        return await read(shapes.header.nullable(), 'eth_getBlockByNumber', 'finalized', false);
      } catch (error) {
        if (error instanceof NodeRefusal && hasNoFinality(error)) return null;
        throw error;
      }
    },

    async hashAt(height) {
      const at = `0x${height.toString(16)}`;
      const found = await read(shapes.header.nullable(), 'eth_getBlockByNumber', at, false);
      return found?.hash ?? null;
    },

    async mempool() {
      try {
        const { pending } = await read(shapes.txpool, 'txpool_content');
        return Object.values(pending).flatMap((ofSender) => Object.values(ofSender).map(({ hash }) => hash));
      } catch (error) {
        if (!(error instanceof NodeRefusal && error.isNotOffered)) throw error;
      }
      const next = await unlessRefused(
        read(shapes.pendingBlock.nullable(), 'eth_getBlockByNumber', 'pending', false),
      );
      const mined = await read(shapes.quantity, 'eth_blockNumber');
      // Some nodes answer with the last block instead.
      const isNext = next !== null && (next.number ?? Number.MAX_SAFE_INTEGER) > Number(mined);
      return isNext ? next.transactions : [];
    },

    async pending(txids) {
      return (await waiting(txids)).map((transaction) => pendingTransaction(transaction, known));
    },

    async used(spends) {
      await checkNetwork();
      const counts = await requests.askAll(
        shapes.quantity,
        spends.map((spend) => ({
          method: 'eth_getTransactionCount',
          params: [spend.slice(0, spend.lastIndexOf(':')), 'latest'],
        })),
      );
      return spends.filter((spend, position) => {
        const count = counts[position];
        return count !== undefined && BigInt(spend.slice(spend.lastIndexOf(':') + 1)) < count;
      });
    },

    async find(txid) {
      const transaction = await read(shapes.transaction.nullable(), 'eth_getTransactionByHash', txid);
      if (transaction === null) return null;
      const unmined = { ...pendingTransaction(transaction, known), block: null, failure: null };
      if (!transaction.blockHash) return unmined;
      const receipt = await read(shapes.receipt.nullable(), 'eth_getTransactionReceipt', txid);
      const mined = receipt && (await block(receipt.blockHash));
      const found = mined?.transactions.find((each) => each.txid === transaction.hash);
      // Its block left the chain between one question and the next.
      if (!receipt || !mined || !found) return unmined;
      const at: BlockRef = { height: mined.height, hash: mined.hash };
      const failure = receipt.status === 1n ? null : await failureReason(requests, { transaction, receipt });
      return { ...found, block: at, failure };
    },

    feeRate: () => unlessRefused(read(shapes.quantity, 'eth_gasPrice')),
  };
}

/** Null for what the node does not offer. */
async function unlessRefused<Answer>(asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NodeRefusal && error.code === 'vendor_rejected_request') return null;
    throw error;
  }
}

/** It knows no such tag, or its chain has not finalised a block yet. */
function hasNoFinality({ rpcCode, rpcMessage }: NodeRefusal): boolean {
  return [-32602, -39001].includes(rpcCode) || /finali[sz]ed|unknown block|block not found/i.test(rpcMessage);
}
