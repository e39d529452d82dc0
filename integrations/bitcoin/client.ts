/**
 * A Bitcoin node, btcd or Bitcoin Core, as the chain's watcher asks it: whole raw blocks, read by us, and the mempool. The
 * node needs an index of all transactions (`txindex`) to find mined ones. Its word is not taken for what can be checked: the
 * network by its first block, a block by its hash and its transactions, a transaction by its id.
 *
 * Why it is safe to run twice: it is only read.
 */
import { z } from 'zod';
import { VendorError } from '../../domain/errors.ts';
import type {
  BlockRef,
  ChainBlock,
  ChainNode,
  ChainTransaction,
  FoundTransaction,
} from '../../domain/payments/chain-node.ts';
import type { CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import {
  hash,
  header,
  hexBytes,
  isHash,
  readable,
  take,
  takeIfKnown,
  toFeeRate,
  toTransaction,
  transaction,
  unspent,
} from './answers.ts';
import { parseBlock, type RawBlock } from './raw-block.ts';
import { createBitcoinRpc, type RpcAnswer, type RpcCall, unreadable } from './rpc.ts';

export type BitcoinNodeConnection = {
  /** `http://user:password@host:8332`. */
  url: string;
  network: CryptoNetwork;
  timeoutMs?: number;
};

/** Hashes of the first block: nothing else tells one network from another beyond doubt. */
const firstBlocks: Record<CryptoNetwork, readonly string[]> = {
  mainnet: ['000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'],
  /** Testnet 3, testnet 4 and signet. */
  testnet: [
    '000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943',
    '00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043',
    '00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6',
  ],
  local: ['0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206'],
};

/** What is asked for in one request at most. */
const BATCH_MAX = 100;
/** An answer taken while the chain changes may name a block that just left it; the next one does not. */
const ATTEMPTS = 3;
/** A fee that gets a transaction mined within about half an hour. */
const FEE_TARGET_BLOCKS = 3;

/** Throws a `RangeError` for an address that is none. The node itself is first asked by the first method that is called. */
export function createBitcoinNode({ url, network, timeoutMs = 15_000 }: BitcoinNodeConnection): ChainNode {
  const rpc = createBitcoinRpc({ url, timeoutMs });
  const { name } = rpc;
  let isChecked = false;

  /** Whoever does not answer may come back as another node, and is checked again. */
  const ask = async (calls: readonly RpcCall[]): Promise<RpcAnswer[]> => {
    try {
      return await rpc.ask(calls);
    } catch (error) {
      isChecked = false;
      throw error;
    }
  };
  const checkNetwork = async () => {
    if (isChecked) return;
    const call = { method: 'getblockhash', params: [0] };
    const first = take(name, call, hash, (await ask([call]))[0]);
    if (!firstBlocks[network].includes(first)) throw wrongNetwork(name, network, first);
    isChecked = true;
  };
  const askAll = async (calls: readonly RpcCall[]) => {
    await checkNetwork();
    return ask(calls);
  };
  const read = async <Shape extends z.ZodType>(shape: Shape, call: RpcCall): Promise<z.output<Shape>> =>
    take(name, call, shape, (await askAll([call]))[0]);
  const readIfKnown = async <Shape extends z.ZodType>(shape: Shape, call: RpcCall) =>
    takeIfKnown(name, call, shape, (await askAll([call]))[0]);
  const headerOf = (blockHash: string) => readIfKnown(header, calls.header(blockHash));

  return {
    name,
    checkNetwork,

    async tip() {
      return whenSettled(name, async () => {
        const best = await read(hash, { method: 'getbestblockhash', params: [] });
        return toBlockRef(best, await headerOf(best));
      });
    },

    finalized: async () => null,

    async hashAt(height) {
      return readIfKnown(hash, { method: 'getblockhash', params: [height] });
    },

    async block(blockHash) {
      if (!isHash(blockHash)) return null;
      const [block, ofHeader] = [calls.block(blockHash), calls.header(blockHash)];
      const [raw, headerAnswer] = await askAll([block, ofHeader]);
      const bytes = takeIfKnown(name, block, hexBytes, raw);
      if (!bytes) return null;
      const parsed = readable(name, () => parseBlock(bytes));
      if (parsed.hash !== blockHash)
        throw unreadable(name, new Error('Another block than the one asked for'));
      return toChainBlock(name, parsed, takeIfKnown(name, ofHeader, header, headerAnswer)?.height);
    },

    async mempool() {
      return read(z.array(hash), { method: 'getrawmempool', params: [] });
    },

    async pending(txids) {
      const known: ChainTransaction[] = [];
      const ids = [...new Set(txids)].filter(isHash);
      for (let from = 0; from < ids.length; from += BATCH_MAX) {
        const piece = ids.slice(from, from + BATCH_MAX);
        const found = await askAll(piece.map(calls.transaction));
        for (const [position, txid] of piece.entries()) {
          const json = takeIfKnown(name, calls.transaction(txid), transaction, found[position]);
          if (json && !json.blockhash) known.push(toTransaction(name, txid, json));
        }
      }
      return known;
    },

    async used(spends) {
      const used: string[] = [];
      for (let from = 0; from < spends.length; from += BATCH_MAX) {
        const piece = spends.slice(from, from + BATCH_MAX);
        const outputs = await askAll(piece.map(calls.output));
        const missing = piece.filter(
          (spend, position) => take(name, calls.output(spend), unspent, outputs[position]) === null,
        );
        // Of a transaction that is mined: it is spent. Of any other one it is not there yet.
        const made = missing.length === 0 ? [] : await askAll(missing.map(makerOf));
        for (const [position, spend] of missing.entries()) {
          const json = takeIfKnown(name, makerOf(spend), transaction, made[position]);
          if (json?.blockhash && json.confirmations !== 0) used.push(spend);
        }
      }
      return used;
    },

    async find(given) {
      const txid = given.toLowerCase();
      if (!isHash(txid)) return null;
      return whenSettled<FoundTransaction | null>(name, async () => {
        const json = await readIfKnown(transaction, calls.transaction(txid));
        // In a block that left the chain, and not waiting to be mined again.
        if (!json || (json.blockhash && json.confirmations === 0)) return null;
        const found = { ...toTransaction(name, txid, json), failure: null };
        if (!json.blockhash) return { ...found, block: null };
        const block = toBlockRef(json.blockhash, await headerOf(json.blockhash));
        return block && { ...found, block };
      });
    },

    async feeRate() {
      const [smart, plain] = await askAll([calls.smartFee, calls.fee]);
      return toFeeRate(name, calls.smartFee, smart) ?? toFeeRate(name, calls.fee, plain);
    },
  };
}

const calls = {
  block: (blockHash: string): RpcCall => ({ method: 'getblock', params: [blockHash, 0] }),
  header: (blockHash: string): RpcCall => ({ method: 'getblockheader', params: [blockHash, true] }),
  transaction: (txid: string): RpcCall => ({ method: 'getrawtransaction', params: [txid, 1] }),
  /** Without what waits to be mined; null where it is spent, or was never there. */
  output: (spend: string): RpcCall => {
    const [txid, vout] = outpointOf(spend);
    return { method: 'gettxout', params: [txid, vout, false] };
  },
  smartFee: { method: 'estimatesmartfee', params: [FEE_TARGET_BLOCKS] },
  /** Of btcd, and of Core before 0.17. */
  fee: { method: 'estimatefee', params: [FEE_TARGET_BLOCKS] },
};

function makerOf(spend: string): RpcCall {
  return calls.transaction(outpointOf(spend)[0]);
}

function outpointOf(spend: string): [txid: string, vout: number] {
  const colon = spend.lastIndexOf(':');
  return [spend.slice(0, colon), Number(spend.slice(colon + 1))];
}

/** Repeats what ended undefined, because two answers did not belong to the same state of the chain. */
async function whenSettled<Result>(
  name: string,
  attempt: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let left = ATTEMPTS; left > 0; left -= 1) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw unreadable(name, new Error('The chain changed between every two answers'));
}

/** Undefined for a block that left the chain. */
function toBlockRef(blockHash: string, found: z.output<typeof header> | null): BlockRef | undefined {
  return found && found.confirmations > 0 ? { height: found.height, hash: blockHash } : undefined;
}

/** A node may keep a block off its chain without its height: then the block's own word is taken. */
function toChainBlock(name: string, block: RawBlock, heightOfNode: number | undefined): ChainBlock {
  const { claimedHeight, ...rest } = block;
  const height = heightOfNode ?? claimedHeight;
  if (height === null) throw unreadable(name, new Error('A block without a height'));
  return { ...rest, height };
}

function wrongNetwork(name: string, network: CryptoNetwork, first: string): VendorError {
  const actual = Object.entries(firstBlocks).find(([, hashes]) => hashes.includes(first))?.[0];
  return new VendorError({
    code: 'vendor_rejected_request',
    message: `Bitcoin node ${name}: is on ${actual ?? 'another chain'}, not on ${network}; name a node of ${network}`,
  });
}
