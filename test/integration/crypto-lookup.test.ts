/** What an operator is told of a transaction somebody asks about: nodes that tests move, a real Ethereum, real processes. */
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import type { Client } from '@temporalio/client';
import type { Hex } from 'viem';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { pollChain } from '../../activities/payments/chain-poll.ts';
import type { WatchedChain } from '../../activities/payments/chain-watcher.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { withTenant } from '../../db/client.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { takeLease } from '../../db/queries/payments/chain-cursor.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { VendorError } from '../../domain/errors.ts';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import { createEvmNode } from '../../integrations/evm/client.ts';
import { localUsdc } from '../../scripts/chains/evm-wallet.ts';
import { startTestAnvil, type TestChain } from '../support/anvil.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';
import {
  bitcoinTransaction,
  createStillChain,
  evmTransaction,
  type StillNode,
} from '../support/still-chain.ts';
import { type Processes, startProcesses } from './api-processes.ts';
import { addAccount, offer, setChain, setPrices } from './crypto-scene.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let anvil: TestChain;
let tenant: TestTenant;
let now: Date;
/** Lines of the API's log. */
const logged: string[] = [];

const clock = () => now;
let bitcoin: StillNode;
let base: StillNode;
const chains: WatchedChain[] = [];

beforeAll(async () => {
  now = new Date();
  [temporal, anvil] = await Promise.all([openTemporal(), startTestAnvil()]);
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  api = await startTestApi({
    temporal,
    config: loadConfig({ NODE_ENV: 'test', CRYPTO_NETWORK: 'mainnet' }),
    clock,
    log: createLogger({ name: 'test', destination }),
  });
  processes = await startProcesses({ db: api.db, temporal, chainWatching: { network: 'mainnet', chains } });
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await anvil.stop();
  await temporal.connection.close();
});

/** New chains of ten blocks, and a tenant that takes coins on them. */
beforeEach(async () => {
  now = new Date();
  bitcoin = createStillChain({ clock }).node('bitcoin:8332');
  base = createStillChain({ clock }).node('base:8545');
  for (const node of [bitcoin, base]) node.mineEmpty(10);
  const ethereum = createEvmNode({ url: anvil.url, chain: 'ethereum', network: 'local', usdc: localUsdc });
  const watched = (chain: ChainName, node: ChainNode) => ({
    chain,
    nodes: [node],
    everyMs: 1,
    startHeight: null,
  });
  chains.splice(0, 9, watched('bitcoin', bitcoin), watched('ethereum', ethereum), watched('base', base));
  await api.sql('DELETE FROM chain_blocks');
  await api.sql('DELETE FROM chains');
  await setPrices(api, { at: now.toISOString() });
  tenant = await newTenant();
  await poll('bitcoin', bitcoin);
  await setChain(api, { chain: 'ethereum', height: 1, at: now.toISOString() });
});

async function newTenant(): Promise<TestTenant> {
  const made = await api.tenant();
  for (const family of ['bitcoin', 'evm'] as const) await addAccount(api, made.tenantId, family);
  return made;
}

/** One look of the chain's watcher. */
async function poll(chain: ChainName, node: ChainNode): Promise<void> {
  await api.sql('UPDATE chains SET lease_until = null WHERE name = $1', [chain]);
  const lease = await takeLease(api.db, { chain, network: 'mainnet', holder: 'test' });
  if (lease === null) throw new Error(`${chain} is watched by somebody else`);
  const mempool = createMempoolReader();
  const { signal } = new AbortController();
  await pollChain({ db: api.db, lease, node, second: null, startHeight: null, mempool, clock, signal });
}

async function offered(
  { token, tenantId } = tenant,
  differs: { asset?: CryptoAsset } = {},
): Promise<CryptoInvoiceRow & { target: string }> {
  const post = async (path: string, body: object) => (await api.request('POST', path, { token, body })).body;
  const email = `${randomUUID()}@example.com`;
  const { id: customerId } = await post('/v1/customers', { email, name: 'Ada', currency: 'USD' });
  const { id } = await post('/v1/subscriptions', { customerId, planCode: 'pro-monthly' });
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  const invoiceId = await withTenant(api.db, tenantId, async (tx) => {
    const context = await lockSubscription(tx, id);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: now })).id;
  });
  const row = await offer(api, { tenantId, invoiceId }, { at: now.toISOString(), ...differs });
  const [{ target }] = (await api.sql(
    'SELECT target FROM crypto_addresses WHERE crypto_invoice_id = $1 AND address = $2',
    [row.id, row.address],
  )) as [{ target: string }];
  return { ...row, target };
}

function lookUp(txid: string, chain?: ChainName, { token } = tenant): Promise<TestAnswer> {
  const body = { txid, ...(chain !== undefined && { chain }) };
  return api.request('POST', '/v1/crypto/lookup', { token, body });
}

const nobody = '0014ffffffffffffffffffffffffffffffffffffffff';

describe('a transaction that pays an invoice', () => {
  it('is told from the mempool to the depth it needs, with what it counts for', async () => {
    const { id, invoiceId, address, target, dueUnits } = await offered();
    const paying = bitcoinTransaction([
      { to: nobody, units: 5n },
      { to: target, units: dueUnits },
    ]);
    const { txid } = paying;
    bitcoin.send(paying);
    const amount = '0.00048334';
    expect(dueUnits).toBe(48_334n);
    const told = async () => (await lookUp(txid)).body;
    expect(await lookUp(txid.toUpperCase())).toMatchObject({
      status: 200,
      body: {
        txid,
        outcome: 'pays_invoice',
        summary: `It is on Bitcoin, and waits to be mined. It pays ${amount} BTC to ${id}, which is awaiting, and does not count: It waits to be mined, and is recorded at the next look at what waits.`,
        advice: null,
        network: 'mainnet',
        chain: 'bitcoin',
        block: null,
        payments: [
          {
            cryptoInvoiceId: id,
            invoiceId,
            address,
            key: `${txid}:1`,
            amount,
            asset: 'BTC',
            status: null,
            counts: false,
          },
        ],
        asked: ['bitcoin'],
      },
    });

    await poll('bitcoin', bitcoin);
    expect((await told()).payments).toMatchObject([
      { invoiceStatus: 'processing', status: 'seen', counts: true, why: 'In the mempool.' },
    ]);

    bitcoin.mine([paying]);
    expect(await told()).toMatchObject({
      block: { height: 11 },
      payments: [{ status: 'seen', counts: true }],
    });
    await poll('bitcoin', bitcoin);
    expect((await told()).payments).toMatchObject([
      { status: 'mined', counts: true, why: 'It is in a block: 1 confirmation of 3.' },
    ]);
    bitcoin.mineEmpty(2);
    await poll('bitcoin', bitcoin);
    expect(await told()).toMatchObject({
      summary: `It is on Bitcoin, in block 11. It pays ${amount} BTC to ${id}, which is settled, and counts: As deep in the chain as required.`,
      payments: [{ status: 'confirmed', counts: true }],
    });
  });

  it('that was mined again and pays another one than before is told under the key of that payment', async () => {
    const before = await offered(tenant, { asset: 'USDC' });
    const after = await offered(tenant, { asset: 'USDC' });
    await poll('base', base);
    const usdc = { asset: 'USDC', token: '0xusdc', units: after.dueUnits } as const;
    const paying = evmTransaction([{ to: before.target, ...usdc }]);
    base.mine([paying]);
    await poll('base', base);
    const transfers = paying.transfers.map((each) => ({ ...each, to: after.target }));
    base.reorganise(1, [[{ ...paying, transfers }], []]);
    await poll('base', base);
    expect((await lookUp(paying.txid, 'base')).body.payments).toMatchObject([
      {
        cryptoInvoiceId: after.id,
        key: `${paying.txid}:log:0@${after.target}@0xusdc`,
        status: 'unexpected_asset',
        why: 'It came on Base, and the invoice is to be paid on Ethereum: accept it at its value, or give it back.',
      },
    ]);
  });

  it('in a block that is still to be read, or was passed without it, says so', async () => {
    const { target, dueUnits } = await offered();
    const paying = bitcoinTransaction([{ to: target, units: dueUnits }]);
    bitcoin.mine([paying]);
    const why = async () =>
      (await lookUp(paying.txid)).body.payments.map((each: { why: string }) => each.why);
    expect(await why()).toEqual(['Its block 11 is still to be read; Bitcoin has been read up to 10.']);
    await api.sql("UPDATE chains SET height = 11 WHERE name = 'bitcoin'");
    expect(await why()).toEqual([
      'Its block 11 was passed without it: have it read again with POST /v1/crypto/chains/bitcoin/rescan and fromHeight 11.',
    ]);
  });

  it('that the wallet has replaced is known still, though no node knows it', async () => {
    const { id, target, dueUnits } = await offered();
    const first = bitcoinTransaction([{ to: target, units: dueUnits }]);
    const second = bitcoinTransaction([{ to: target, units: dueUnits }], { spends: first.spends });
    bitcoin.send(first);
    await poll('bitcoin', bitcoin);
    bitcoin.send(second);
    await poll('bitcoin', bitcoin);
    expect((await lookUp(first.txid)).body).toMatchObject({
      outcome: 'pays_invoice',
      summary: `No node knows it any more. It pays 0.00048334 BTC to ${id}, which is processing, and does not count: The same wallet has replaced it by ${second.txid}.`,
      payments: [{ status: 'replaced', counts: false }],
    });
  });

  it('that has ended does not count, and waits for an operator', async () => {
    const { id, target, dueUnits } = await offered();
    now = new Date(now.getTime() + 16 * 60_000);
    await poll('bitcoin', bitcoin);
    const late = bitcoinTransaction([{ to: target, units: dueUnits }]);
    bitcoin.mine([late]);
    await poll('bitcoin', bitcoin);
    expect((await lookUp(late.txid)).body).toMatchObject({
      outcome: 'pays_ended_invoice',
      payments: [
        {
          cryptoInvoiceId: id,
          invoiceStatus: 'expired',
          counts: false,
          why: 'It came after the expiry: accept it, extend the quote, or give it back.',
        },
      ],
    });
  });

  it('on another chain, or by another token, does not count, and says why', async () => {
    const { target } = await offered(tenant, { asset: 'USDC' });
    const usdc = { to: target, units: 29_000_000n, asset: 'USDC', token: '0xusdc' } as const;
    const fake = { to: target, units: 7n, asset: null, token: '0xfake' } as const;
    const paying = evmTransaction([usdc, fake]);
    await poll('base', base);
    base.mine([paying]);
    await poll('base', base);
    const { body } = await lookUp(paying.txid, 'ethereum');
    expect(body.summary).toMatch(/^It is on Base, not on Ethereum, in block 11[.] It pays 29 USDC to/);
    expect(body).toMatchObject({
      outcome: 'pays_invoice',
      chain: 'base',
      payments: [
        {
          amount: '29',
          status: 'unexpected_asset',
          counts: false,
          why: 'It came on Base, and the invoice is to be paid on Ethereum: accept it at its value, or give it back.',
        },
        {
          amount: null,
          asset: null,
          counts: false,
          why: 'The contract 0xfake is none whose tokens are taken, whatever it calls itself.',
        },
      ],
      asked: ['ethereum', 'base'],
    });
  });
});

describe('a transaction that pays nothing of the tenant', () => {
  it('is nobody else either: the invoice of another tenant is not named', async () => {
    const other = await newTenant();
    const { id, target, dueUnits } = await offered(other);
    const paying = bitcoinTransaction([{ to: target, units: dueUnits }]);
    bitcoin.mine([paying]);
    await poll('bitcoin', bitcoin);
    const mine = await lookUp(paying.txid);
    expect(mine.body).toMatchObject({
      outcome: 'pays_nothing_of_yours',
      summary: 'It is on Bitcoin, in block 11. It pays none of your addresses, so it is credited to nobody.',
      payments: [],
    });
    for (const secret of [id, target, other.tenantId])
      expect(JSON.stringify(mine.body)).not.toContain(secret);
    expect((await lookUp(paying.txid, 'bitcoin', other)).body.payments).toMatchObject([
      { cryptoInvoiceId: id },
    ]);
    bitcoin.rewindTo(10);
    bitcoin.drop(paying.txid);
    expect((await lookUp(paying.txid)).body).toMatchObject({ outcome: 'unknown', payments: [] });
  });

  it('has its id as the wallet shows it: in capitals, or without 0x where the chain is named', async () => {
    const paying = evmTransaction([{ to: '0xabc', units: 1n, asset: 'USDC', token: '0xusdc' }]);
    base.mine([paying]);
    const { txid } = paying;
    const found = { txid, outcome: 'pays_nothing_of_yours', chain: 'base' };
    expect((await lookUp(txid.slice(2).toUpperCase(), 'base')).body).toMatchObject(found);
    expect((await lookUp(txid, 'bitcoin')).body).toMatchObject({
      ...found,
      summary:
        'It is on Base, not on Bitcoin, in block 11. It pays none of your addresses, so it is credited to nobody.',
    });
  });

  it('that no node knows is perhaps on a test network, and the payer is told how to pay', async () => {
    const { body } = await lookUp('ab'.repeat(32), 'bitcoin');
    expect(body).toMatchObject({
      outcome: 'unknown',
      chain: null,
      block: null,
      summary: 'No node of Bitcoin knows it.',
    });
    expect(body.advice).toContain('it is on a test network (testnet or signet), whose coins have no value');
    const evm = (await lookUp(`0x${'ab'.repeat(32)}`)).body;
    expect(evm).toMatchObject({ outcome: 'unknown', asked: ['ethereum', 'base'] });
    expect(evm.advice).toContain('Sepolia');
  });

  it('is asked about as often as somebody asks, and credits nothing', async () => {
    const { target, dueUnits } = await offered();
    const paying = bitcoinTransaction([{ to: target, units: dueUnits }]);
    bitcoin.send(paying);
    const before = await api.rowCounts();
    const key = randomUUID();
    const ask = () =>
      api.request('POST', '/v1/crypto/lookup', { token: tenant.token, key, body: { txid: paying.txid } });
    const [first, second] = [await ask(), await ask()];
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await api.rowCounts()).toEqual({
      ...before,
      idempotency_keys: (before['idempotency_keys'] ?? 0) + 1,
    });
  });
});

describe('a transaction that failed', () => {
  const to: Hex = '0x00000000000000000000000000000000000abc01';

  it('for want of gas is told so, with what the payer can do', async () => {
    const txid = await anvil.wallet.sendTokenOutOfGas(to, 1_000_000n);
    const { body } = await lookUp(txid);
    expect(body).toMatchObject({ outcome: 'failed', failure: 'out of gas', chain: 'ethereum', payments: [] });
    expect(body.summary).toMatch(
      /^It is on Ethereum, in block \d+[.] It failed: out of gas[.] Nothing was moved but its fee[.]$/,
    );
    expect(body.advice).toContain('with a higher gas limit: 65,000 or more for USDC');
  });

  it('because its contract refused is told the reason', async () => {
    const txid = await anvil.wallet.forwardEthThenRevert(to, 1n);
    const { body } = await lookUp(txid, 'ethereum');
    expect(body).toMatchObject({ outcome: 'failed', failure: 'closed for today' });
    expect(body.advice).toContain('the contract refused this call');
  });
});

describe('a node that does not answer', () => {
  it('leaves the question open: nobody is told that a transaction is unknown', async () => {
    bitcoin.fail('find');
    const answer = await lookUp('ab'.repeat(32));
    expect(answer).toMatchObject({
      status: 503,
      body: {
        code: 'chain_unreachable',
        detail: 'Bitcoin cannot be asked now, and no other chain knows it: bitcoin:8332 does not answer.',
      },
    });
    expect(answer.headers.get('retry-after')).toBe('10');
  });

  it('refuses to, and that is no error of ours: what was asked is logged, as information', async () => {
    const message = 'bitcoin:8332 refuses the user or the password (status 401).';
    bitcoin.fail('find', 1, new VendorError({ code: 'vendor_rejected_request', message }));
    logged.length = 0;
    expect(await lookUp('ab'.repeat(32))).toMatchObject({
      status: 503,
      body: {
        code: 'chain_unreachable',
        detail: `Bitcoin cannot be asked now, and no other chain knows it: ${message}`,
      },
    });
    const lines = () => logged.map((line) => JSON.parse(line) as Json);
    // A request is logged once its answer is out.
    await vi.waitFor(() =>
      expect(lines().map(({ level, res }) => [level, res?.statusCode])).toEqual([['info', 503]]),
    );
  });

  it('keeps no other chain from answering', async () => {
    const [, ethereum] = chains;
    if (ethereum === undefined) throw new Error('Ethereum is not watched');
    const down = createStillChain({ clock }).node('down:8545');
    down.fail('find');
    chains.splice(1, 1, { ...ethereum, nodes: [down] });
    const paying = evmTransaction([{ to: '0xabc', units: 1n, asset: 'USDC', token: '0xusdc' }]);
    base.mine([paying]);
    expect((await lookUp(paying.txid)).body).toMatchObject({
      outcome: 'pays_nothing_of_yours',
      asked: ['base'],
    });
  });

  it('is not asked where no node of the chain is configured', async () => {
    chains.splice(0, 9);
    expect((await lookUp('ab'.repeat(32))).body).toMatchObject({
      outcome: 'unknown',
      summary: 'Nobody could be asked: no node of Bitcoin is configured.',
      asked: [],
    });
  });
});
