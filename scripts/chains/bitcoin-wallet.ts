/**
 * A wallet that plays the customer on the local chain. Its key comes from a phrase that everybody knows: it is for chains
 * without value only, and signs for no other network. It keeps nothing; its coins are read from the chain and the mempool.
 */
import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { Address, OutScript, p2wpkh, Transaction } from '@scure/btc-signer';
import type { BlockRef, ChainBlock, ChainNode, ChainTransaction } from '../../domain/payments/chain-node.ts';
import { createBitcoinNode } from '../../integrations/bitcoin/client.ts';
import { btcdControl } from './btcd-control.ts';

/** The test phrase of many development tools. */
const DEVELOPMENT_PHRASE = 'test test test test test test test test test test test junk';

const regtest = { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef };

/** An output of the wallet's own. */
export type Coin = { txid: string; vout: number; units: bigint };

export type Payee = { to: string; units: bigint };

/** A transaction the wallet made. */
export type WalletPayment = {
  txid: string;
  hex: string;
  /** What it spends. */
  coins: readonly Coin[];
  payees: readonly Payee[];
  /** What came back; null where the rest was too small to be an output, and went to the miner. */
  change: Coin | null;
  /** Satoshi per vbyte. */
  feeRate: bigint;
};

export type PayOptions = {
  /** Satoshi per vbyte; 2 unless told otherwise. */
  feeRate?: bigint;
  /** Whether it may be replaced, as BIP 125 announces it; it may unless told otherwise. */
  rbf?: boolean;
  /** All of these are spent, and no others. Also coins of a payment that is not mined. */
  coins?: readonly Coin[];
  /** False: it is only signed. */
  send?: boolean;
};

export type BitcoinWallet = {
  address: string;
  /** Mined, ripe and unspent, as this node sees it; the oldest first. */
  coins(): Promise<Coin[]>;
  /** One transaction with an output for each payee, in their order, and the change last. Throws where the coins do not reach. */
  pay(payees: Payee | readonly Payee[], options?: PayOptions): Promise<WalletPayment>;
  /** Spends the same coins for more: to the same payees, or to others. Twice the fee unless told otherwise. */
  replace(
    payment: WalletPayment,
    change?: { payees?: readonly Payee[]; feeRate?: bigint; rbf?: boolean },
  ): Promise<WalletPayment>;
  /** Makes one coin of the given ones, or of all. */
  consolidate(options?: { coins?: readonly Coin[]; feeRate?: bigint }): Promise<WalletPayment>;
};

/**
 * The wallet with this number as the node behind `url` sees it; every number is a person of its own. It makes one payment after
 * the other: two at a time would choose the same coins.
 */
export function createBitcoinWallet({ url, index = 0 }: { url: string; index?: number }): BitcoinWallet {
  const { privateKey, publicKey } = keyOf(index);
  const { address, script } = addressOf(publicKey);
  const node = createBitcoinNode({ url, network: 'local', timeoutMs: 60_000 });
  const control = btcdControl(url);
  const chain = rememberChain(node);

  const coins = async (): Promise<Coin[]> => {
    const { blocks, waiting } = await chain.read();
    return ripeCoins({ blocks, waiting, script: Buffer.from(script).toString('hex') });
  };

  const make = async (
    payees: readonly Payee[],
    spent: readonly Coin[],
    { feeRate = 2n, rbf = true, send = true }: PayOptions,
  ): Promise<WalletPayment> => {
    const outputs = payees.map(({ to, units }) => ({ script: scriptOf(to), amount: units }));
    const given = sum(payees);
    const rest = sum(spent) - given - feeRate * vbytesOf(spent.length, [...outputs, { script }]);
    const hasChange = rest >= DUST;
    if (!hasChange && sum(spent) < given + feeRate * vbytesOf(spent.length, outputs)) {
      throw new RangeError(`The coins hold ${sum(spent)} satoshi: too little for ${given} and the fee`);
    }
    const transaction = new Transaction();
    for (const coin of spent) {
      transaction.addInput({
        txid: coin.txid,
        index: coin.vout,
        witnessUtxo: { script, amount: coin.units },
        sequence: rbf ? REPLACEABLE : FINAL,
      });
    }
    for (const output of outputs) transaction.addOutput(output);
    if (hasChange) transaction.addOutput({ script, amount: rest });
    transaction.sign(privateKey);
    transaction.finalize();
    if (send) await control.send(transaction.hex);
    const { id: txid, hex } = transaction;
    const change = hasChange ? { txid, vout: outputs.length, units: rest } : null;
    return { txid, hex, coins: spent, payees, change, feeRate };
  };

  return {
    address,
    coins,
    async pay(payees, options = {}) {
      const list = 'to' in payees ? [payees] : payees;
      const { feeRate = 2n } = options;
      return make(list, options.coins ?? enoughFor(list, feeRate, await coins()), options);
    },
    async replace(payment, { payees = payment.payees, feeRate = 2n * payment.feeRate, rbf = true } = {}) {
      return make(payees, payment.coins, { feeRate, rbf });
    },
    async consolidate({ coins: chosen, feeRate = 2n } = {}) {
      return make([], chosen ?? (await coins()), { feeRate });
    },
  };
}

/** Where the wallet with this number is paid; also who is paid for blocks. */
export function bitcoinWalletAddress(index = 0): string {
  return addressOf(keyOf(index).publicKey).address;
}

const REPLACEABLE = 0xfffffffd;
const FINAL = 0xffffffff;
const DUST = 546n;
/** Blocks until what a miner was paid may be spent. */
const RIPE_AFTER = 100;

function keyOf(index: number): { privateKey: Uint8Array; publicKey: Uint8Array } {
  const root = HDKey.fromMasterSeed(mnemonicToSeedSync(DEVELOPMENT_PHRASE));
  const { privateKey, publicKey } = root.derive(`m/84'/1'/0'/0/${index}`);
  if (!privateKey || !publicKey) throw new Error('The phrase gives no key');
  return { privateKey, publicKey };
}

function addressOf(publicKey: Uint8Array): { address: string; script: Uint8Array } {
  const { address, script } = p2wpkh(publicKey, regtest);
  if (!address) throw new Error('The key has no address');
  return { address, script };
}

function scriptOf(address: string): Uint8Array {
  return OutScript.encode(Address(regtest).decode(address));
}

/** Of a transaction whose inputs are all the wallet's own; never less than it really has. */
function vbytesOf(inputs: number, outputs: readonly { script: Uint8Array }[]): bigint {
  const counts = inputs < 253 && outputs.length < 253 ? 11 : 17;
  return BigInt(counts + 68 * inputs + outputs.reduce((bytes, { script }) => bytes + 9 + script.length, 0));
}

/** The largest first, so that a payment has few inputs. */
function enoughFor(payees: readonly Payee[], feeRate: bigint, coins: readonly Coin[]): Coin[] {
  const outputs = payees.map(({ to }) => ({ script: scriptOf(to) }));
  const chosen: Coin[] = [];
  for (const coin of coins.toSorted((a, b) => Number(b.units - a.units))) {
    chosen.push(coin);
    if (sum(chosen) >= sum(payees) + feeRate * vbytesOf(chosen.length, outputs)) break;
  }
  return chosen;
}

function sum(parts: readonly { units: bigint }[]): bigint {
  return parts.reduce((total, { units }) => total + units, 0n);
}

type ChainView = { blocks: ChainBlock[]; waiting: readonly ChainTransaction[] };

/** Reads each block once: what a block holds never changes, only which blocks make up the chain. */
function rememberChain(node: ChainNode): { read(): Promise<ChainView> } {
  const known = new Map<string, ChainBlock>();
  const blockOf = async (hash: string): Promise<ChainBlock> => {
    const block = known.get(hash) ?? (await node.block(hash));
    if (!block) throw new Error(`The node has no block ${hash}`);
    known.set(hash, block);
    return block;
  };
  return {
    async read() {
      const blocks: ChainBlock[] = [];
      let { hash, height }: BlockRef = await node.tip();
      for (; height > 0; height -= 1) {
        const block = await blockOf(hash);
        blocks.push(block);
        hash = block.parentHash;
      }
      return { blocks: blocks.toReversed(), waiting: await node.pending(await node.mempool()) };
    },
  };
}

function ripeCoins({ blocks, waiting, script }: ChainView & { script: string }): Coin[] {
  const tip = blocks.at(-1)?.height ?? 0;
  const spent = new Set(
    [...blocks.flatMap(({ transactions }) => transactions), ...waiting].flatMap(({ spends }) => spends),
  );
  return blocks.flatMap(({ height, transactions }) =>
    transactions
      .filter(({ spends }) => spends.length > 0 || tip - height >= RIPE_AFTER)
      .flatMap(({ txid, transfers }) =>
        transfers
          .filter(({ key, to }) => to === script && !spent.has(key))
          .map(({ key, units }) => ({ txid, vout: Number(key.slice(txid.length + 1)), units })),
      ),
  );
}
