/** What a Bitcoin node's answers look like, and what they are in our words. */
import { z } from 'zod';
import type { ChainTransaction } from '../../domain/payments/chain-node.ts';
import { parseTransaction } from './raw-block.ts';
import {
  INTERNAL_ERROR,
  METHOD_DEPRECATED,
  METHOD_NOT_FOUND,
  type RpcAnswer,
  type RpcCall,
  type RpcError,
  toVendorError,
  unreadable,
} from './rpc.ts';

/** Of a block or a transaction. */
const hashForm = /^[0-9a-f]{64}$/;
export const hash = z.string().regex(hashForm);

export function isHash(text: string): boolean {
  return hashForm.test(text);
}

export const hexBytes = z
  .string()
  .transform((text) => Buffer.from(text, 'hex'))
  .refine(({ length }) => length > 0);

/** A block that left the chain has -1 confirmations. */
export const header = z.object({ height: z.int().nonnegative(), confirmations: z.int() });

export const transaction = z.object({
  hex: hexBytes,
  /** Absent while it waits to be mined. */
  blockhash: z.union([hash, z.literal('').transform(() => undefined)]).optional(),
  /** 0 with a `blockhash`: that block left the chain. */
  confirmations: z.int().optional(),
});

/** What it holds is known already. */
export const unspent = z.object({}).nullable();

/** What the call was answered with. Throws where it was refused. */
export function take<Shape extends z.ZodType>(
  name: string,
  call: RpcCall,
  shape: Shape,
  answer: RpcAnswer | undefined,
): z.output<Shape> {
  if (answer?.error) throw toVendorError(name, call.method, answer.error);
  return readable(name, () => shape.parse(answer?.result));
}

/** Null where the node says that there is no such thing. */
export function takeIfKnown<Shape extends z.ZodType>(
  name: string,
  call: RpcCall,
  shape: Shape,
  answer: RpcAnswer | undefined,
): z.output<Shape> | null {
  return answer?.error && isUnknown(call, answer.error) ? null : take(name, call, shape, answer);
}

/** Unknown block or transaction; a height above the tip, by btcd and by Core; btcd's word for a block off its chain. */
const NOT_FOUND = -5;
const OUT_OF_RANGE = [-1, -8];

function isUnknown({ method }: RpcCall, { code, message }: RpcError): boolean {
  if (method === 'getblockhash') return OUT_OF_RANGE.includes(code) && /out of range/i.test(message);
  if (method === 'getblockheader' && code === INTERNAL_ERROR) return /not in the main chain/.test(message);
  return code === NOT_FOUND;
}

/** The transaction that was asked for, and no other. */
export function toTransaction(
  name: string,
  txid: string,
  { hex }: z.output<typeof transaction>,
): ChainTransaction {
  const parsed = readable(name, () => parseTransaction(hex));
  if (parsed.txid !== txid) throw unreadable(name, new Error('Another transaction than the one asked for'));
  return parsed;
}

/** Whole coins for a thousand vbytes; Core leaves it out, btcd says 0 where there is too little to learn from. */
const estimates = z.union([
  z.number(),
  z.object({ feerate: z.number().optional() }).transform(({ feerate }) => feerate ?? 0),
]);

/** Satoshi per vbyte, rounded up. Null where the node does not have the method, or no estimate. */
export function toFeeRate(name: string, call: RpcCall, answer: RpcAnswer | undefined): bigint | null {
  const code = answer?.error?.code;
  if (code === METHOD_NOT_FOUND || code === METHOD_DEPRECATED) return null;
  const coins = take(name, call, estimates, answer);
  // A fraction of a coin with eight digits is exact up to this point.
  const satoshi = BigInt(Math.round(coins * 1e8));
  return satoshi > 0n ? (satoshi + 999n) / 1000n : null;
}

/** Runs what fails only where the node's answer is not what it should be. */
export function readable<Result>(name: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw unreadable(name, cause instanceof z.ZodError ? new Error('Not the shape of this answer') : cause);
  }
}
