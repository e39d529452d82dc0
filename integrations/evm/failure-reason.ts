/** Why a mined transaction failed. Its receipt does not tell: the call is made again on the state its block left. */
import type { Hex } from 'viem';
import { decodeErrorResult } from 'viem/utils';
import { z } from 'zod';
import { type EvmRequests, NodeRefusal } from './requests.ts';
import type { RpcReceipt, RpcTransaction } from './shapes.ts';

/** `out of gas`, the contract's own words, or `reverted` where it gave none or would not fail again. */
export async function failureReason(
  requests: EvmRequests,
  { transaction, receipt }: { transaction: RpcTransaction; receipt: RpcReceipt },
): Promise<string> {
  if (receipt.gasUsed >= transaction.gas) return 'out of gas';
  const { from, to, value, input, gas } = transaction;
  const call = { from, ...(to && { to }), value: hexOf(value), data: input, gas: hexOf(gas) };
  try {
    await requests.ask(z.unknown(), 'eth_call', call, hexOf(BigInt(receipt.blockNumber)));
    return 'reverted';
  } catch (error) {
    // A node that has pruned the state cannot tell, and one that is busy will tell another time.
    if (!(error instanceof NodeRefusal) || error.code === 'rate_limited') throw error;
    return reasonIn(error.data) ?? 'reverted';
  }
}

/** Of `Error(string)` or `Panic(uint256)`, wherever in its answer a node puts the bytes. The words are a stranger's. */
export function reasonIn(data: unknown): string | null {
  const [bytes] = /0x(?:08c379a0|4e487b71)[0-9a-f]*/i.exec(JSON.stringify(data) ?? '') ?? [];
  if (!bytes) return null;
  try {
    const { errorName, args } = decodeErrorResult({ data: bytes.toLowerCase() as Hex });
    const [said] = args ?? [];
    if (errorName === 'Panic') return `panic ${hexOf(z.bigint().parse(said))}`;
    const reason = z
      .string()
      .parse(said)
      .replace(/\p{C}+/gu, ' ')
      .trim();
    return reason === '' ? null : reason.slice(0, REASON_MAX);
  } catch {
    return null;
  }
}

const REASON_MAX = 200;

function hexOf(value: bigint): string {
  return `0x${value.toString(16)}`;
}
