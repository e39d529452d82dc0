/**
 * A payout on a real chain, from the payment that was too much to the books: over the API, with a watcher that looks when a test
 * tells it to, and a wallet of the test's own that sends it.
 */
import type { Hex } from 'viem';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pollChain } from '../../activities/payments/chain-poll.ts';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { loadConfig } from '../../config/env.ts';
import { takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { coinsOf } from '../../domain/payments/crypto-asset.ts';
import { createEvmNode } from '../../integrations/evm/client.ts';
import { type EvmWallet, localUsdc } from '../../scripts/chains/evm-wallet.ts';
import { startTestAnvil, type TestChain } from '../support/anvil.ts';
import type { Json } from '../support/api.ts';
import { freshKey, setPrices } from './crypto-scene.ts';
import { createInvoiceScene, type InvoiceScene } from './invoice-scene.ts';
import { movedBy } from './payout-scene.ts';

const config = loadConfig({ NODE_ENV: 'test', ETHEREUM_USDC: localUsdc });
const customers = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
/** As deep as an invoice asks of a small payment. */
const DEPTH = 12;

let scene: InvoiceScene;
let anvil: TestChain;
let wallet: EvmWallet;
let poll: () => Promise<void>;
let another: string;

beforeAll(async () => {
  [scene, anvil] = await Promise.all([createInvoiceScene({ config }), startTestAnvil({ blocksInEpoch: 8 })]);
  ({ wallet } = anvil);
  const { db } = scene.api;
  const node = createEvmNode({ url: anvil.url, chain: 'ethereum', network: 'local', usdc: localUsdc });
  const lease = await takeLease(db, { chain: 'ethereum', network: 'local', holder: 'test' });
  if (lease === null) throw new Error('The lease is taken');
  const mempool = createMempoolReader();
  const { signal } = new AbortController();
  const watched = { db, lease, node, second: null, startHeight: null, mempool, clock: scene.now, signal };
  poll = async () => void (await pollChain(watched));
  await scene.ok('POST', '/v1/crypto_accounts', { family: 'evm', publicKey: freshKey('evm', 'local') });
  another = (await scene.api.key(scene.tenant.tenantId, ['billing:write'])).token;
});
afterAll(async () => {
  await Promise.all([scene?.close(), anvil?.stop()]);
});

/** Blocks, and a look at them; the invoice's process does what it is told. */
async function mine(blocks: number, { id }: { id: string }): Promise<void> {
  await wallet.mine(blocks);
  await poll();
  const { tenantId } = scene.tenant;
  const { decideCryptoInvoice } = createCryptoInvoiceActivities({ db: scene.api.db });
  await decideCryptoInvoice({ tenantId, cryptoInvoiceId: id, at: scene.now().toISOString() });
}

beforeEach(async () => {
  scene.at('2026-03-14T10:00:00.000Z');
  await setPrices(scene.api, { at: scene.now().toISOString() });
  await wallet.mine(1);
  await poll();
});

/** USD 900.00, offered in this coin. */
async function offered(asset: 'ETH' | 'USDC'): Promise<Json> {
  const { subscriptionId } = await scene.subscribed();
  const { id } = await scene.oneOff(subscriptionId);
  return scene.ok('POST', `/v1/invoices/${id}/crypto_invoices`, { asset });
}

/** As the customer's page says. */
async function page({ checkoutUrl }: Json): Promise<string> {
  const { body } = await scene.api.request('GET', new URL(checkoutUrl).pathname, { token: null });
  return body;
}

const read = ({ id }: Json) => scene.ok('GET', `/v1/crypto_payouts/${id}`);
const act = ({ id }: Json, name: string, body: object = {}) =>
  scene.ok('POST', `/v1/crypto_payouts/${id}/${name}`, body);

describe('what was paid too much', () => {
  it.each([
    // 0.3 ETH and 0.1 too much; 900 dollars and 300.
    ['ETH', 300_000_000_000_000_000n, 100_000_000_000_000_000n],
    ['USDC', 900_000_000n, 300_000_000n],
  ] as const)(
    'in %s goes back: asked for, approved, sent, told, mined, confirmed and booked',
    async (asset, due, excess) => {
      const coins = await offered(asset);
      const send = (to: Hex, units: bigint) =>
        asset === 'ETH' ? wallet.sendEth(to, units) : wallet.sendToken(to, units);
      await send(coins.address, due + excess);
      await mine(DEPTH, coins);
      expect(await scene.ok('GET', `/v1/crypto_invoices/${coins.id}`)).toMatchObject({
        status: 'settled',
        flags: ['over'],
      });
      const { customerId } = coins;
      expect((await scene.ok('GET', `/v1/customers/${customerId}`)).creditMinor).toBe(30_000);
      const { data } = await scene.ok('GET', '/v1/crypto_payouts?status=asked&limit=100');
      const asked = data.find(({ cryptoInvoiceId }: Json) => cryptoInvoiceId === coins.id);
      expect(asked).toMatchObject({ asset, amount: coinsOf(excess, asset), address: null });

      const wish = { address: customers, reason: 'the customer wants it back' };
      let payout: Json;
      expect(
        await movedBy(scene, async () => {
          payout = await scene.ok('POST', `/v1/crypto_invoices/${coins.id}/payouts`, wish);
        }),
      ).toEqual({ customer_credit: 30_000, refunds_pending: -30_000 });
      expect(payout).toMatchObject({ id: asked.id, status: 'requested', address: customers });
      expect(await act(payout, 'approve')).toMatchObject({ status: 'approved' });

      const txid = await send(customers, excess);
      expect(await act(payout, 'broadcast', { txid })).toMatchObject({ status: 'broadcast', txid });
      expect(await page(coins)).toContain('On its way back to you');
      expect(await movedBy(scene, () => mine(DEPTH - 2, coins))).toEqual({});
      expect(await read(payout)).toMatchObject({ status: 'broadcast', confirmedAt: null });
      expect(await movedBy(scene, () => mine(1, coins))).toEqual({
        'cash:crypto': -30_000,
        refunds_pending: 30_000,
      });
      expect(await read(payout)).toMatchObject({ status: 'confirmed', problem: null, waitingSeconds: null });
      expect(await scene.ok('GET', `/v1/refunds/${payout.refundId}`)).toMatchObject({
        status: 'succeeded',
        amountMinor: 30_000,
      });
      expect(await scene.ok('GET', `/v1/invoices/${coins.invoiceId}`)).toMatchObject({
        status: 'paid',
        paidMinor: 90_000,
      });
      const shown = await page(coins);
      expect(shown).toContain('Given back');
      expect(shown).not.toContain('On its way back to you');
      expect((await scene.ok('GET', `/v1/customers/${customerId}`)).creditMinor).toBe(0);
      expect(Object.values(await scene.books()).reduce((sum, minor) => sum + minor, 0)).toBe(0);
    },
  );

  it('and was sent with a fee too low is rejected, and told of when it is mined all the same', async () => {
    const coins = await offered('ETH');
    await wallet.sendEth(coins.address, 400_000_000_000_000_000n);
    await mine(DEPTH, coins);
    const payout = await scene.ok('POST', `/v1/crypto_invoices/${coins.id}/payouts`, {
      address: customers,
      reason: 'the customer wants it back',
    });
    await act(payout, 'approve');
    await wallet.withoutMining(async () => {
      const txid = await wallet.sendEth(customers, 100_000_000_000_000_000n);
      await act(payout, 'broadcast', { txid });
      await poll();
      const rejected = await scene.api.request('POST', `/v1/crypto_payouts/${payout.id}/reject`, {
        token: another,
        body: { reason: 'never mined' },
      });
      expect(rejected).toMatchObject({
        status: 200,
        body: { status: 'rejected', txid: null, problem: null },
      });
    });
    expect(await movedBy(scene, () => mine(DEPTH, coins))).toEqual({});
    expect(await read(payout)).toMatchObject({
      status: 'rejected',
      problem: { code: 'sent_after_rejection' },
    });
    expect(await page(coins)).not.toContain('back to you');
  });
});
