/**
 * Coins that contracts send on leave no log: they are found by running a block's transactions again, which not every node
 * offers. What it offers is learned with the first block, and asked again now and then where that was nothing. From then on a node that had traces must have them: a block without
 * would lose payments in silence.
 */
import { z } from 'zod';
import { VendorError } from '../../domain/errors.ts';
import { type EvmRequests, NodeRefusal } from './requests.ts';
import * as shapes from './shapes.ts';

/** Coins that moved by a call inside a transaction; never the transaction's own value. */
export type InternalTransfer = { to: string; units: bigint };

/** By transaction, in the order in which they happened. Transactions without are left out. */
export type InternalTransfers = ReadonlyMap<string, readonly InternalTransfer[]>;

export type CallTraces = {
  /** Null until the first block was asked for. */
  readonly offered: boolean | null;
  /** Empty where the node offers none; null for a block that left the chain, where the node can only tell of those on it. */
  ofBlock(block: shapes.RpcBlock): Promise<InternalTransfers | null>;
};

export function createCallTraces(requests: EvmRequests, clock: () => number = Date.now): CallTraces {
  let way: Way | null | undefined;
  let askedAt = 0;
  return {
    get offered() {
      return way === undefined ? null : way !== null;
    },

    async ofBlock(block) {
      if (block.transactions.length === 0) return new Map();
      if (way === null && clock() - askedAt < ASK_AGAIN_MS) return new Map();
      if (way) return way(requests, block);
      for (const candidate of [byCallTracer, byTraceModule]) {
        const traces = await unlessNotOffered(candidate(requests, block));
        if (traces === 'not_offered') continue;
        way = candidate;
        return traces;
      }
      way = null;
      askedAt = clock();
      return new Map();
    },
  };
}

/** A provider may have sent one question to a node that offers less than its others. */
const ASK_AGAIN_MS = 60_000;

type Way = (requests: EvmRequests, block: shapes.RpcBlock) => Promise<InternalTransfers | null>;

async function unlessNotOffered<Answer>(asked: Promise<Answer>): Promise<Answer | 'not_offered'> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NodeRefusal && error.isNotOffered) return 'not_offered';
    throw error;
  }
}

/** Geth and those that follow it. It is asked by hash: a block that left the chain has its traces still. */
const byCallTracer: Way = async (requests, block) => {
  const traces = await requests.ask(z.array(shapes.tracedTransaction), 'debug_traceBlockByHash', block.hash, {
    tracer: 'callTracer',
  });
  if (traces.length < block.transactions.length) throw incomplete(requests, block);
  return collected(
    traces.map(({ txHash, result, error }, index) => {
      if (!result) throw incomplete(requests, block, error);
      return [txHash ?? block.transactions[index]?.hash ?? '', transfersInside(result)];
    }),
  );
};

/** Pre-order, as they happened. A call that failed undid all that was done inside it. */
function transfersInside({ error, calls = [] }: shapes.CallFrame): InternalTransfer[] {
  if (error) return [];
  return calls.flatMap((call) => {
    if (call.error) return [];
    const own =
      movesCoins.has(call.type.toUpperCase()) && call.to && call.value
        ? [{ to: call.to, units: call.value }]
        : [];
    return [...own, ...transfersInside(call)];
  });
}

/** DELEGATECALL shows its caller's value, and CALLCODE pays oneself. */
const movesCoins: ReadonlySet<string> = new Set(['CALL', 'CREATE', 'CREATE2', 'SELFDESTRUCT']);

/** Parity's, which Erigon, Nethermind and Reth have too. Most of them take heights only. */
const byTraceModule: Way = async (requests, block) => {
  const height = `0x${block.height.toString(16)}`;
  const traces = await requests.ask(z.array(shapes.flatTrace), 'trace_block', height);
  if (traces.some(({ blockHash }) => blockHash !== block.hash)) return null;
  const byTransaction = new Map<string, shapes.FlatTrace[]>();
  for (const trace of traces) {
    if (!trace.transactionHash) continue;
    byTransaction.set(trace.transactionHash, [...(byTransaction.get(trace.transactionHash) ?? []), trace]);
  }
  if (byTransaction.size < block.transactions.length) throw incomplete(requests, block);
  return collected([...byTransaction].map(([txid, own]) => [txid, transfersOf(own)]));
};

function transfersOf(traces: readonly shapes.FlatTrace[]): InternalTransfer[] {
  const failed = traces.filter(({ error }) => error).map(({ traceAddress }) => traceAddress);
  const isUndone = ({ traceAddress }: shapes.FlatTrace) =>
    failed.some((place) => place.every((step, depth) => traceAddress[depth] === step));
  return traces
    .filter((trace) => trace.traceAddress.length > 0 && !isUndone(trace))
    .flatMap(({ type, action, result }) => {
      const [to, units] =
        type === 'suicide' || type === 'selfdestruct'
          ? [action.refundAddress, action.balance]
          : type === 'create'
            ? [result?.address, action.value]
            : [action.callType === 'call' ? action.to : null, action.value];
      return to && units ? [{ to, units }] : [];
    });
}

function collected(entries: readonly [string, InternalTransfer[]][]): InternalTransfers {
  return new Map(entries.filter(([, transfers]) => transfers.length > 0));
}

function incomplete({ name }: EvmRequests, { height }: shapes.RpcBlock, reason?: string): VendorError {
  return new VendorError({
    code: 'vendor_unavailable',
    message: `${name}: the traces of block ${height} are incomplete${reason ? ` (${reason})` : ''}`,
  });
}
