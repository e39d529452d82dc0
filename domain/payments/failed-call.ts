/**
 * A transaction on an EVM chain that was to pay one of our addresses and failed in its block: nothing moved but its fee. The
 * payer's wallet may show it all the same, so the customer is told, once per transaction, and the invoice's list says it
 * (seed 002 §8.1, row 14). Only what the transaction itself says can be known without asking a node for more: what it sends,
 * and a call of the token itself. What a contract in between would have done is not in it.
 *
 * Why it is safe to run twice: the event's key is the transaction's id, wherever and however often it is mined.
 */
import type { ChainTransaction, FailedTransfer } from './chain-node.ts';
import type { ChainName } from './crypto-chain.ts';
import type { CryptoEvent } from './crypto-events.ts';
import type { CryptoDecision, CryptoInvoiceStatus } from './crypto-invoice.ts';

/** What a failed transaction had meant to send to an invoice's address. */
export type FailedCall = {
  cryptoInvoiceId: string;
  chain: ChainName;
  txid: string;
  units: bigint;
  failure: FailedTransfer['failure'];
};

/** Of an invoice so many are told of: a stranger may let as many fail as the gas is worth to them. */
export const FAILED_CALLS_MAX = 5;

/** Those to our addresses, each transaction once per invoice. */
export function failedCallsOf(
  chain: ChainName,
  {
    transactions,
    targets,
  }: {
    transactions: readonly ChainTransaction[];
    targets: readonly { target: string; cryptoInvoiceId: string }[];
  },
): FailedCall[] {
  const invoiceAt = new Map(targets.map(({ target, cryptoInvoiceId }) => [target, cryptoInvoiceId]));
  const calls = transactions.flatMap(({ txid, attempts = [] }) =>
    attempts.flatMap(({ to, units, failure }): FailedCall[] => {
      const cryptoInvoiceId = invoiceAt.get(to);
      return cryptoInvoiceId === undefined ? [] : [{ cryptoInvoiceId, chain, txid, units, failure }];
    }),
  );
  return [...new Map(calls.map((call) => [`${call.cryptoInvoiceId} ${failedCallKey(call)}`, call])).values()];
}

/** Under which the invoice keeps the event, once. */
export function failedCallKey({ chain, txid }: Pick<FailedCall, 'chain' | 'txid'>): string {
  return `call_failed:${chain}:${txid}`;
}

export function failedCallEvent(call: FailedCall, decision: CryptoDecision): CryptoEvent {
  const { chain, txid, units, failure } = call;
  return {
    key: failedCallKey(call),
    kind: 'call_failed',
    payment: { chain, key: txid, txid, units: String(units) },
    creditedUnits: String(decision.creditedUnits),
    excessUnits: String(decision.excessUnits),
    missingUnits: String(decision.missingUnits),
    failure,
  };
}

/** For the customer: why it failed, and what to do, as parts of sentences. */
export function failedCallInWords(
  failure: FailedTransfer['failure'],
  status: CryptoInvoiceStatus,
): { failedBecause: string; advice: string } {
  const isOutOfGas = failure === 'out of gas';
  const again = isOutOfGas
    ? 'send them again with a higher gas limit: 65,000 or more for USDC, or what your wallet proposes'
    : 'send them again from your wallet itself, straight to the address on the payment page';
  return {
    failedBecause: isOutOfGas ? 'the transaction ran out of gas' : 'the contract refused the call',
    advice:
      status === 'expired'
        ? 'the time to pay is over, so ask us for a new offer before you send them again'
        : again,
  };
}
