/** The receipts of a block: which transactions succeeded, and the logs they left. */
import { z } from 'zod';
import { VendorError } from '../../domain/errors.ts';
import type { InternalTransfers } from './call-traces.ts';
import { type EvmRequests, NodeRefusal } from './requests.ts';
import * as shapes from './shapes.ts';
import { type KnownAssets, tokenTransferMeant, transferTopic } from './transactions.ts';

/**
 * By transaction: of all that may have moved something, or meant to, those with `traced` transfers among them. Null for a
 * block that left the chain, where the node cannot tell any more.
 */
export type BlockReceipts = (
  block: shapes.RpcBlock,
  traced: Promise<InternalTransfers | null>,
) => Promise<ReadonlyMap<string, shapes.RpcReceipt> | null>;

/** In one request where the node offers that, else in batches; which of them is learned with the first block. */
export function createBlockReceipts(requests: EvmRequests, known: KnownAssets): BlockReceipts {
  let offersWhole = true;
  return async (block, traced) => {
    if (block.transactions.length === 0) return new Map();
    if (offersWhole) {
      try {
        return byTransaction(block, await whole(requests, block));
      } catch (error) {
        if (!(error instanceof NodeRefusal && error.isNotOffered)) throw error;
        offersWhole = false;
      }
    }
    const internal = await traced;
    return internal === null
      ? null
      : byTransaction(block, await oneByOne(requests, { block, internal, known }));
  };
}

async function whole(requests: EvmRequests, block: shapes.RpcBlock): Promise<shapes.RpcReceipt[]> {
  const receipts = await requests.ask(z.array(shapes.receipt).nullable(), 'eth_getBlockReceipts', block.hash);
  const known = new Set(receipts?.map(({ transactionHash }) => transactionHash));
  // Polygon's own transactions, from nobody, are not everywhere given one.
  const missing = block.transactions.filter(({ hash, from }) => from !== nobody && !known.has(hash));
  if (receipts === null || missing.length > 0) throw incomplete(requests, block);
  return receipts;
}

/** Those with coins, by a contract as well, with a token's transfer, or that asked USDC for one and failed perhaps. */
async function oneByOne(
  requests: EvmRequests,
  { block, internal, known }: { block: shapes.RpcBlock; internal: InternalTransfers; known: KnownAssets },
): Promise<shapes.RpcReceipt[]> {
  const filter = { blockHash: block.hash, topics: [transferTopic] };
  const logs = await requests.ask(z.array(shapes.log), 'eth_getLogs', filter);
  const wanted = new Set([
    ...block.transactions
      .filter((transaction) => transaction.value > 0n || tokenTransferMeant(transaction, known) !== null)
      .map(({ hash }) => hash),
    ...internal.keys(),
    ...logs.map(({ transactionHash }) => transactionHash),
  ]);
  const receipts = await requests.askAll(
    shapes.receipt.nullable(),
    [...wanted].map((txid) => ({ method: 'eth_getTransactionReceipt', params: [txid] })),
  );
  return receipts.map((receipt) => {
    if (receipt === null) throw incomplete(requests, block);
    return receipt;
  });
}

function byTransaction(block: shapes.RpcBlock, receipts: readonly shapes.RpcReceipt[]) {
  if (receipts.some(({ blockHash }) => blockHash !== block.hash)) return null;
  return new Map(receipts.map((receipt) => [receipt.transactionHash, receipt]));
}

const nobody = `0x${'0'.repeat(40)}`;

function incomplete({ name }: EvmRequests, { height }: shapes.RpcBlock): VendorError {
  return new VendorError({
    code: 'vendor_unavailable',
    message: `${name}: the receipts of block ${height} are incomplete`,
  });
}
