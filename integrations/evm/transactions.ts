/**
 * What a node tells of a transaction, as transfers. A token's transfer is known by its log alone, whoever sent the transaction
 * and whatever it called: contract wallets, exchanges that pay many at once and signed authorisations all look the same.
 */
import { toEventSelector, toFunctionSelector } from 'viem/utils';
import type { ChainTransaction, ChainTransfer, FailedTransfer } from '../../domain/payments/chain-node.ts';
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

/** A transaction in a block. Without a receipt it is one that meant to move nothing we know. */
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
  if (receipt?.status !== 1n) {
    const attempts = attemptsOf(transaction, receipt, known);
    return { ...common, transfers: [], ...(attempts.length > 0 && { attempts }) };
  }
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

/**
 * What a failed transaction had meant to move: the coins it carried itself, or a transfer that it asked USDC itself for. One that
 * asked another contract to send something on does not say to whom.
 */
function attemptsOf(
  transaction: RpcTransaction,
  receipt: RpcReceipt | undefined,
  known: KnownAssets,
): FailedTransfer[] {
  if (receipt === undefined) return [];
  const { to = null, gas } = transaction;
  const failure = receipt.gasUsed >= gas ? 'out of gas' : 'reverted';
  const asked = tokenTransferMeant(transaction, known);
  if (asked !== null) return [{ ...asked, asset: 'USDC', failure }];
  if (known.coin === null || to === null || transaction.value === 0n) return [];
  return [{ to, units: transaction.value, asset: known.coin, failure }];
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
  return input.startsWith(transferSelector) ? askedAt(input, 0) : null;
}

/** What a transaction asks USDC itself to pay, and whom, in every way in which that can be asked. Null for any other call. */
export function tokenTransferMeant(
  { to = null, input }: RpcTransaction,
  { usdc }: Pick<KnownAssets, 'usdc'>,
): Pick<ChainTransfer, 'to' | 'units'> | null {
  if (to === null || to !== usdc) return null;
  const word = receiverWord[input.slice(0, SELECTOR_HEX)];
  return word === undefined ? null : askedAt(input, word);
}

/** Which of the call's words is the receiver; the amount is the next one. */
const receiverWord: Readonly<Record<string, number>> = {
  [transferSelector]: 0,
  [toFunctionSelector('transferFrom(address,address,uint256)')]: 1,
  [toFunctionSelector(
    'transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)',
  )]: 1,
  [toFunctionSelector('transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)')]: 1,
};

function askedAt(input: string, word: number): Pick<ChainTransfer, 'to' | 'units'> | null {
  const start = SELECTOR_HEX + word * 64;
  const [receiver, amount] = [input.slice(start, start + 64), input.slice(start + 64, start + 128)];
  if (amount.length < 64) return null;
  const units = BigInt(`0x${amount}`);
  return units === 0n ? null : { to: addressIn(receiver), units };
}

/** The last 20 bytes. */
function addressIn(bytes: string): string {
  return `0x${bytes.slice(-40)}`;
}

/** With `0x`: 32 bytes, and a selector. */
const WORD_HEX = 66;
const SELECTOR_HEX = 10;
