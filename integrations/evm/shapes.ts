/** What nodes answer, as far as it is read. */
import { z } from 'zod';

const hex = z.string().regex(/^0x[0-9a-f]*$/i);
const lower = hex.toLowerCase();

/** An unsigned number. */
export const quantity = z
  .string()
  .regex(/^0x[0-9a-f]+$/i)
  .transform(BigInt);
const count = quantity.transform(Number);

export const transaction = z.object({
  hash: lower,
  blockHash: lower.nullish(),
  from: lower,
  /** Null where a contract is created. */
  to: lower.nullish(),
  value: quantity,
  /** Deposits of a rollup may have none. */
  nonce: quantity.nullish(),
  input: lower.default('0x'),
  gas: quantity,
});
export type RpcTransaction = z.output<typeof transaction>;

export const header = z
  .object({ number: count, hash: lower })
  .transform(({ number, hash }) => ({ height: number, hash }));

/** A block that is still to be mined has no hash. */
export const pendingBlock = z.object({ number: count.nullish(), transactions: z.array(lower) });

export const block = z
  .object({
    number: count,
    hash: lower,
    parentHash: lower,
    timestamp: count,
    transactions: z.array(transaction),
  })
  .transform(({ number, ...rest }) => ({ height: number, ...rest }));
export type RpcBlock = z.output<typeof block>;

export const log = z.object({
  address: lower,
  topics: z.array(lower),
  data: lower,
  logIndex: count,
  transactionHash: lower,
  removed: z.boolean().optional(),
});
export type RpcLog = z.output<typeof log>;

export const receipt = z.object({
  transactionHash: lower,
  blockHash: lower,
  blockNumber: count,
  /** `0x1` for one that succeeded. */
  status: quantity,
  gasUsed: quantity,
  contractAddress: lower.nullish(),
  logs: z.array(log),
});
export type RpcReceipt = z.output<typeof receipt>;

/** Of `callTracer`: calls within calls. */
export type CallFrame = {
  type: string;
  to?: string | null | undefined;
  value?: bigint | null | undefined;
  error?: string | null | undefined;
  calls?: CallFrame[] | undefined;
};
const callFrame: z.ZodType<CallFrame> = z.object({
  type: z.string(),
  to: lower.nullish(),
  value: quantity.nullish(),
  error: z.string().nullish(),
  get calls() {
    return z.array(callFrame).optional();
  },
});

export const tracedTransaction = z.object({
  txHash: lower.optional(),
  result: callFrame.optional(),
  error: z.string().optional(),
});

/** Of `trace_block`: a flat list, each entry with its place in the tree. */
export const flatTrace = z.object({
  type: z.string(),
  blockHash: lower,
  /** Null for rewards of blocks. */
  transactionHash: lower.nullish(),
  traceAddress: z.array(z.number()),
  error: z.string().nullish(),
  action: z.object({
    callType: z.string().nullish(),
    to: lower.nullish(),
    value: quantity.nullish(),
    refundAddress: lower.nullish(),
    balance: quantity.nullish(),
  }),
  result: z.object({ address: lower.nullish() }).nullish(),
});
export type FlatTrace = z.output<typeof flatTrace>;

export const txpool = z.object({
  pending: z.record(z.string(), z.record(z.string(), z.object({ hash: lower }))),
});
