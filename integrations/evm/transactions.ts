/**
 * What a node tells of a transaction, as transfers. A token's transfer is known by its log alone, whoever sent the transaction
 * and whatever it called: contract wallets, exchanges that pay many at once and signed authorisations all look the same.
 */
import { toEventSelector, toFunctionSelector } from 'viem/utils';
import type { ChainTransaction, ChainTransfer } from '../../domain/payments/chain-node.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { InternalTransfer } from './call-traces.ts';
import type { RpcLog, RpcReceipt, RpcTransaction } from './shapes.ts';

/** What a chain's coin and its USDC are to us. */
export type KnownAssets = {
  /** Null for a coin that is none of ours, like Polygon's. */
  coin: CryptoAsset | null;
  /** In lower case; null where there is none. */
  usdc: string | null;
};

export const transferTopic = toEventSelector('Transfer(address,address,uint256)');
const transferSelector = toFunctionSelector('transfer(address,uint256)');

/** A transaction in a block. Without a receipt it is one whose outcome moves nothing. */
export function minedTransaction({
  transaction,
  receipt,
  internal,
  known,
}: {
  transaction: RpcTransaction;
  receipt: RpcReceipt | undefined;
  internal: readonly InternalTransfer[];
  known: KnownAssets;
}): ChainTransaction {
  const { hash: txid } = transaction;
  const common = { txid, spends: spendsOf(transaction) };
  if (receipt?.status !== 1n) return { ...common, transfers: [] };
  return {
    ...common,
    transfers: [
      ...coinTransfer(transaction, transaction.to ?? receipt.contractAddress ?? null, known),
      ...internal.map(({ to, units }, index) => ({
        key: `${txid}:call:${index}`,
        to,
        asset: known.coin,
        token: null,
        units,
      })),
      ...tokenTransfers(receipt, known),
    ],
  };
}

/**
 * One that only the chain's own rules made, like the tokens that Polygon mints when a deposit arrives: it has a receipt, and is
 * not always among its block's transactions.
 */
export function systemTransaction(receipt: RpcReceipt, known: KnownAssets): ChainTransaction {
  const transfers = receipt.status === 1n ? tokenTransfers(receipt, known) : [];
  return { txid: receipt.transactionHash, spends: [], transfers };
}

/** What a transaction says it will do. Of tokens only what it asks USDC itself for, whose first log it then is. */
export function pendingTransaction(transaction: RpcTransaction, known: KnownAssets): ChainTransaction {
  const { hash: txid, to = null } = transaction;
  const asked = to !== null && to === known.usdc ? transferAskedFor(transaction.input) : null;
  return {
    txid,
    spends: spendsOf(transaction),
    transfers: [
      ...coinTransfer(transaction, to, known),
      ...(asked ? [{ key: `${txid}:log:0`, ...asked, asset: 'USDC' as const, token: to }] : []),
    ],
  };
}

/** Deposits of a rollup may have no nonce: they have no rivals. */
function spendsOf({ from, nonce }: RpcTransaction): string[] {
  return nonce === null || nonce === undefined ? [] : [`${from}:${nonce}`];
}

function coinTransfer(
  { hash, value }: RpcTransaction,
  to: string | null,
  { coin }: KnownAssets,
): ChainTransfer[] {
  if (to === null || value === 0n) return [];
  return [{ key: hash, to, asset: coin, token: null, units: value }];
}

function tokenTransfers({ transactionHash, logs }: RpcReceipt, { usdc }: KnownAssets): ChainTransfer[] {
  return logs.flatMap((log, index) => {
    const moved = transferOf(log);
    if (moved === null) return [];
    const asset = log.address === usdc ? ('USDC' as const) : null;
    return [{ key: `${transactionHash}:log:${index}`, ...moved, asset, token: log.address }];
  });
}

/** Null for other events: a collectible's transfer has four topics and no value. Nothing moved is no transfer. */
export function transferOf({
  topics,
  data,
  removed,
}: Pick<RpcLog, 'topics' | 'data' | 'removed'>): Pick<ChainTransfer, 'to' | 'units'> | null {
  const [topic, , to] = topics;
  if (topic !== transferTopic || topics.length !== 3 || to?.length !== WORD_HEX || removed) return null;
  if (data.length !== WORD_HEX) return null;
  const units = BigInt(data);
  return units === 0n ? null : { to: addressIn(to), units };
}

function transferAskedFor(input: string): Pick<ChainTransfer, 'to' | 'units'> | null {
  if (!input.startsWith(transferSelector) || input.length < TRANSFER_INPUT_HEX) return null;
  const units = BigInt(`0x${input.slice(TRANSFER_INPUT_HEX - 64, TRANSFER_INPUT_HEX)}`);
  return units === 0n ? null : { to: addressIn(input.slice(0, TRANSFER_INPUT_HEX - 64)), units };
}

/** The last 20 bytes. */
function addressIn(bytes: string): string {
  return `0x${bytes.slice(-40)}`;
}

/** With `0x`: 32 bytes, and a selector with two words. */
const WORD_HEX = 66;
const TRANSFER_INPUT_HEX = 138;
