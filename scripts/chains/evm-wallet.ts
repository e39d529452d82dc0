// Plays the payers and the miners of a local Ethereum chain: whatever can happen to a payment on a real one is one call here.
// The node signs for the accounts of the development mnemonic, and does so only on this machine.

import { setTimeout as delay } from 'node:timers/promises';
import { type Abi, encodeDeployData, encodeFunctionData, getContractAddress, type Hex } from 'viem';
import contractWallet from '../../test/fixtures/contracts/ContractWallet.json' with { type: 'json' };
import dollarToken from '../../test/fixtures/contracts/DollarToken.json' with { type: 'json' };
import forwarder from '../../test/fixtures/contracts/Forwarder.json' with { type: 'json' };

/** The first accounts of the development mnemonic. */
const payer = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
/** The tenth, which does nothing else: what it deploys has the same address on every new chain. */
const issuer = '0xa0Ee7A142d267C1f36714E4a8F75612F20a79720';

const contracts = { token: dollarToken, wallet: contractWallet, forwarder, otherToken: dollarToken };
export type LocalContract = keyof typeof contracts;

/** Where each contract is on a local chain, known before the chain is there. */
export const localContracts = Object.fromEntries(
  Object.keys(contracts).map((name, nonce) => [
    name,
    getContractAddress({ from: issuer, nonce: BigInt(nonce) }).toLowerCase(),
  ]),
) as Record<LocalContract, Hex>;

/** What stands for USDC on a local chain. */
export const localUsdc = localContracts.token;

/** Part of a transaction. `gas` is the limit; without a nonce it is the sender's next. */
export type Sending = { from?: Hex; nonce?: number; gas?: bigint; gasPrice?: bigint };

export type EvmWallet = ReturnType<typeof createEvmWallet>;

/** `url` is that of an anvil; see `localContracts` for what `deploy` puts there. */
export function createEvmWallet(url: string) {
  const rpc = async <Result = unknown>(method: string, ...params: unknown[]): Promise<Result> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    const answer = (await response.json()) as { result?: Result; error?: { message: string } };
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result as Result;
  };

  let mines = true;

  /**
   * Sends without asking first whether it will succeed. The answer is its id, once it is mined: the node takes a transaction
   * a moment before it makes the block.
   */
  const send = async ({
    from = payer,
    to,
    value = 0n,
    data,
    nonce,
    gas = GAS,
    gasPrice,
  }: Sending & { to?: Hex; value?: bigint; data?: Hex }): Promise<string> => {
    const txid = await rpc<string>('eth_sendTransaction', {
      from,
      ...(to && { to }),
      ...(data && { data }),
      value: hex(value),
      gas: hex(gas),
      ...(nonce !== undefined && { nonce: hex(nonce) }),
      ...(gasPrice !== undefined && { gasPrice: hex(gasPrice) }),
    });
    if (mines) await untilMined(txid);
    return txid;
  };

  const untilMined = async (txid: string) => {
    const deadline = Date.now() + MINED_WITHIN_MS;
    while ((await rpc('eth_getTransactionReceipt', txid)) === null) {
      if (Date.now() > deadline) throw new Error(`${txid} is not mined: is its nonce the next one?`);
      await delay(2);
    }
  };

  const call = (
    contract: LocalContract,
    functionName: string,
    args: readonly unknown[],
    sending: Sending & { value?: bigint } = {},
  ) =>
    send({
      ...sending,
      to: localContracts[contract],
      data: encodeFunctionData({ abi: contracts[contract].abi as Abi, functionName, args }),
    });

  const tokenBalance = async (token: 'token' | 'otherToken', holder: Hex) => {
    const data = encodeFunctionData({
      abi: dollarToken.abi as Abi,
      functionName: 'balanceOf',
      args: [holder],
    });
    return BigInt(await rpc<Hex>('eth_call', { to: localContracts[token], data }, 'latest'));
  };

  const transferData = (to: Hex, units: bigint) =>
    encodeFunctionData({ abi: dollarToken.abi as Abi, functionName: 'transfer', args: [to, units] });

  return {
    rpc,
    payer: payer as Hex,
    send,
    call,

    /**
     * Puts the contracts where `localContracts` says, and dollars and ether into the wallets. What is there already stays: it
     * may be called again on the same chain, and carries on where it was interrupted.
     */
    async deploy(): Promise<void> {
      const deployed = Number(await rpc<Hex>('eth_getTransactionCount', issuer, 'latest'));
      for (const { abi, bytecode } of Object.values(contracts).slice(deployed)) {
        await send({ from: issuer, data: encodeDeployData({ abi: abi as Abi, bytecode: bytecode as Hex }) });
      }
      for (const token of ['token', 'otherToken'] as const) {
        for (const holder of [payer, localContracts.wallet] as const) {
          if ((await tokenBalance(token, holder)) > 0n) continue;
          await call(token, 'mint', [holder, MINTED], { from: issuer });
        }
      }
      if (BigInt(await rpc<Hex>('eth_getBalance', localContracts.wallet, 'latest')) === 0n) {
        await send({ to: localContracts.wallet, value: 10n ** 20n });
      }
    },

    /** Wei from the payer's account. */
    sendEth: (to: Hex, wei: bigint, sending: Sending = {}) => send({ ...sending, to, value: wei }),

    /** Millionths of a dollar. */
    sendToken: (to: Hex, units: bigint, sending: Sending = {}) =>
      call('token', 'transfer', [to, units], sending),

    /** Of a token that is not USDC, and calls itself so. */
    sendOtherToken: (to: Hex, units: bigint, sending: Sending = {}) =>
      call('otherToken', 'transfer', [to, units], sending),

    /** Dollars to several receivers in one transaction of a contract that holds them. */
    sendTokenByContract: (payments: readonly { to: Hex; units: bigint }[], sending: Sending = {}) =>
      call(
        'wallet',
        'batch',
        [
          payments.map(({ to, units }) => ({
            target: localContracts.token,
            value: 0n,
            data: transferData(to, units),
          })),
        ],
        sending,
      ),

    /** Wei that a contract wallet holds, to several receivers; with `attempt` one that fails stops no other. */
    sendEthByContract: (
      payments: readonly { to: Hex; wei: bigint; data?: Hex }[],
      { way = 'batch', ...sending }: Sending & { way?: 'batch' | 'attempt' } = {},
    ) =>
      call(
        'wallet',
        way,
        [payments.map(({ to, wei, data = '0x' }) => ({ target: to, value: wei, data }))],
        sending,
      ),

    /** Wei through a contract. */
    forwardEth: (to: Hex, wei: bigint, sending: Sending = {}) =>
      call('forwarder', 'forward', [to], { ...sending, value: wei }),

    /** Wei through a contract that passes them on and then undoes it: `closed for today`. */
    forwardEthThenRevert: (to: Hex, wei: bigint, sending: Sending = {}) =>
      call('forwarder', 'forwardThenRevert', [to], { ...sending, value: wei }),

    /** Wei that a contract leaves behind when it ends itself. */
    leaveEthTo: (to: Hex, wei: bigint, sending: Sending = {}) =>
      call('forwarder', 'leaveTo', [to], { ...sending, value: wei }),

    /** A dollar transfer with too little gas. */
    sendTokenOutOfGas: (to: Hex, units: bigint) => call('token', 'transfer', [to, units], { gas: 30_000n }),

    setBlocked: (holder: Hex, blocked: boolean) =>
      call('token', 'setBlocked', [holder, blocked], { from: issuer }),

    /** The next nonce of an account, those waiting counted. */
    nextNonce: async (account: Hex = payer) =>
      Number(await rpc<Hex>('eth_getTransactionCount', account, 'pending')),

    /** While `work` runs nothing is mined but by `mine`. */
    async withoutMining<Result>(work: () => Promise<Result>): Promise<Result> {
      await rpc('evm_setAutomine', false);
      mines = false;
      try {
        return await work();
      } finally {
        mines = true;
        await rpc('evm_setAutomine', true);
      }
    },

    mine: (blocks = 1) => rpc('anvil_mine', hex(blocks)),

    /**
     * Replaces the last blocks by as many others. They are empty but for the transactions that are kept: each with the place
     * of its new block, 0 the oldest.
     */
    async reorg(depth: number, kept: readonly { txid: string; place: number }[] = []): Promise<void> {
      const raw = await Promise.all(kept.map(({ txid }) => rpc('eth_getRawTransactionByHash', txid)));
      await rpc(
        'anvil_reorg',
        depth,
        kept.map(({ place }, index) => [raw[index], place]),
      );
    },

    /** Forgets a transaction that waits to be mined. */
    drop: (txid: string) => rpc('anvil_dropTransaction', txid),

    snapshot: () => rpc<Hex>('evm_snapshot'),
    revert: (snapshot: Hex) => rpc<boolean>('evm_revert', snapshot),
  };
}

/** More than anything here needs, and little enough to be used up quickly. */
const GAS = 1_000_000n;

const MINED_WITHIN_MS = 10_000;

/** Ten million dollars. */
const MINTED = 10_000_000_000_000n;

function hex(value: bigint | number): Hex {
  return `0x${value.toString(16)}`;
}
