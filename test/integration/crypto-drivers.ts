/** What payers and miners do on a real chain, in the same words for Bitcoin and for Ethereum. */
import type { Hex } from 'viem';
import { VendorError } from '../../domain/errors.ts';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import { createEvmNode } from '../../integrations/evm/client.ts';
import { bitcoinWalletAddress, type WalletPayment } from '../../scripts/chains/bitcoin-wallet.ts';
import { localUsdc } from '../../scripts/chains/evm-wallet.ts';
import { startTestAnvil } from '../support/anvil.ts';
import { joinNodes, partNodes, startBtcd } from '../support/btcd.ts';

export type Payee = { to: string; units: bigint; asset: CryptoAsset };

/** A payment that waits, or waited, to be mined. */
export type Sent = {
  txid: string;
  /** The same for a higher fee; null where the node takes none any more. */
  bump(): Promise<Sent | null>;
  /** What it spends goes to somebody else. False where the node takes none any more. */
  sendAway(): Promise<boolean>;
};

export type ChainDriver = {
  chain: ChainName;
  node: ChainNode;
  assets: readonly CryptoAsset[];
  /** Less than a dollar, and enough to be relayed. */
  dust: Record<CryptoAsset, bigint>;
  pay(payee: Payee): Promise<Sent>;
  mine(blocks: number): Promise<void>;
  /** Other blocks take the place of the last `depth`; `keeps` says of each payment in them whether it is mined again. */
  reorganise(depth: number, keeps: () => boolean): Promise<void>;
  /** Pays, mines it `depth` blocks deep, and then a longer branch has a double spend in its place. */
  doubleSpend(payee: Payee, depth: number, whenMined: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
};

const dust = { BTC: 900n, ETH: 10n ** 14n, USDC: 400_000n };

/** Two nodes: what the first has mined is taken back by the second, and stays in the mempool of the first. */
export async function startBitcoinDriver(): Promise<ChainDriver> {
  const btcd = await startBtcd();
  const rival = await startBtcd({ blocks: 0 });
  const elsewhere = bitcoinWalletAddress(7);
  const share = async () => {
    await joinNodes(btcd, rival);
    await partNodes(btcd, rival);
  };
  await share();

  const sent = (payment: WalletPayment): Sent => ({
    txid: payment.txid,
    bump: () => unlessRefused(async () => sent(await btcd.wallet.replace(payment))),
    sendAway: async () => {
      const payees = [{ to: elsewhere, units: 1_000n }];
      return (await unlessRefused(() => btcd.wallet.replace(payment, { payees }))) !== null;
    },
  });

  return {
    chain: 'bitcoin',
    node: btcd.node,
    assets: ['BTC'],
    dust,
    pay: async ({ to, units }) => sent(await btcd.wallet.pay({ to, units })),
    mine: async (blocks) => void (await btcd.mine(blocks)),
    async reorganise(depth) {
      const { height } = await btcd.node.tip();
      await btcd.invalidate((await btcd.node.hashAt(height - depth + 1)) ?? '');
      await btcd.mine(depth + 1);
    },
    async doubleSpend({ to, units }, depth, whenMined) {
      await share();
      const { coins } = await btcd.wallet.pay({ to, units });
      await btcd.mine(depth);
      await whenMined();
      await rival.wallet.pay({ to: elsewhere, units: 1_000n }, { coins });
      await rival.mine(depth + 1);
      await share();
    },
    stop: async () => void (await Promise.all([btcd.stop(), rival.stop()])),
  };
}

async function unlessRefused<Result>(send: () => Promise<Result>): Promise<Result | null> {
  try {
    return await send();
  } catch (error) {
    if (
      error instanceof VendorError ||
      (error instanceof Error && /nonce|underpriced|already imported/i.test(error.message))
    ) {
      return null;
    }
    throw error;
  }
}

const elsewhere = '0x00000000000000000000000000000000000000ee';

/** Every payment by another one of eight senders. Nothing is mined but by `mine`. */
export async function startEthereumDriver(): Promise<ChainDriver> {
  const { url, wallet, stop } = await startTestAnvil({ blocksInEpoch: 8 });
  const senders = (await wallet.rpc<Hex[]>('eth_accounts')).slice(1, 9);
  for (const sender of senders) await wallet.sendToken(sender, 100_000_000_000n);
  const node = createEvmNode({ url, chain: 'ethereum', network: 'local', usdc: localUsdc });
  const end = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const still = wallet.withoutMining(async () => {
    begun.resolve();
    await end.promise;
  });
  await begun.promise;
  let turn = 0;

  const send = ({ to, units, asset }: Payee, how: { from: Hex; nonce: number; gasPrice: bigint }) =>
    asset === 'ETH' ? wallet.sendEth(to as Hex, units, how) : wallet.sendToken(to as Hex, units, how);
  const sent = (payee: Payee, txid: string, how: { from: Hex; nonce: number; gasPrice: bigint }): Sent => {
    const more = { ...how, gasPrice: how.gasPrice * 2n };
    return {
      txid,
      bump: () => unlessRefused(async () => sent(payee, await send(payee, more), more)),
      sendAway: async () => (await unlessRefused(() => wallet.sendEth(elsewhere, 1n, more))) !== null,
    };
  };
  const pay = async (payee: Payee) => {
    const from = senders[turn % senders.length] ?? senders[0];
    if (from === undefined) throw new Error('Nobody can pay');
    turn += 1;
    const how = { from, nonce: await wallet.nextNonce(from), gasPrice: 10_000_000_000n };
    return sent(payee, await send(payee, how), how);
  };
  const reorganise = async (depth: number, keeps: (txid: string) => boolean) => {
    const { height } = await node.tip();
    const kept: { txid: string; place: number }[] = [];
    for (let place = 0; place < depth; place += 1) {
      const block = await node.block((await node.hashAt(height - depth + 1 + place)) ?? '');
      for (const { txid } of block?.transactions ?? []) if (keeps(txid)) kept.push({ txid, place });
    }
    await wallet.reorg(depth, kept);
  };

  return {
    chain: 'ethereum',
    node,
    assets: ['ETH', 'USDC'],
    dust,
    pay,
    mine: async (blocks) => void (await wallet.mine(blocks)),
    reorganise: (depth, keeps) => reorganise(depth, keeps),
    async doubleSpend(payee, depth, whenMined) {
      const payment = await pay(payee);
      await wallet.mine(depth);
      await whenMined();
      await reorganise(depth, (txid) => txid !== payment.txid);
      await payment.sendAway();
      await wallet.mine(1);
    },
    async stop() {
      end.resolve();
      await still;
      await stop();
    },
  };
}
