/** The client of Coinbase Business against the sandbox: every failure says whether it may have had its effect. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { newId } from '../../db/ids.ts';
import { money } from '../../domain/money.ts';
import type { CheckoutProvider, CheckoutRequest } from '../../domain/payments/coinbase-checkout.ts';
import { createCoinbaseCheckouts } from '../../integrations/coinbase-business/client.ts';
import { type CoinbaseSandbox, startCoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import { closedUrl } from '../support/closed-url.ts';
import { startTestCoinbase } from '../support/coinbase.ts';

let coinbase: CoinbaseSandbox;
let provider: CheckoutProvider;
/** The same, which does not wait for an answer that is delayed. */
let hasty: CheckoutProvider;

beforeAll(async () => {
  ({ coinbase, checkoutProvider: provider } = await startTestCoinbase());
  const { keyName, privateKey } = loadConfig({ NODE_ENV: 'test' }).coinbase;
  hasty = createCoinbaseCheckouts({ keyName, privateKey, apiBase: coinbase.url, timeoutMs: 1_000 });
});
afterEach(() => coinbase.setFaults({}));
afterAll(() => coinbase.close());

const request = (differs: Partial<CheckoutRequest> = {}): CheckoutRequest => ({
  tenantId: newId('ten'),
  invoiceId: newId('inv'),
  checkoutId: newId('cbc'),
  amount: money(2905, 'USD'),
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  ...differs,
});

describe('a checkout', () => {
  it('is made over exactly the amount asked for, and read back', async () => {
    const asked = request();
    const { tenantId, invoiceId, checkoutId } = asked;
    const made = await provider.createCheckout(asked);
    expect(made).toEqual({
      externalId: expect.stringMatching(/^[\da-f]{24}$/),
      status: 'active',
      owner: { tenantId, invoiceId, checkoutId },
      amount: asked.amount,
      url: expect.stringMatching(/^https:/),
      expiresAt: asked.expiresAt,
      payments: [],
      createdAt: expect.any(String),
    });
    expect(await provider.findCheckout(asked)).toEqual(made);
    expect(await provider.fetchCheckout(made.externalId)).toEqual(made);
  });

  it('that nobody asked for is not found', async () => {
    expect(await provider.findCheckout(request())).toBeNull();
    await expect(provider.fetchCheckout('0'.repeat(24))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('asked for twice is one: its key is made of our id', async () => {
    const asked = request();
    const first = await provider.createCheckout(asked);
    expect(await provider.createCheckout(asked)).toEqual(first);
    const other = provider.createCheckout({ ...asked, amount: money(1, 'USD') });
    await expect(other).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  });

  it.each([
    ['of another currency', { amount: money(2900, 'EUR') }, 'currency_not_supported'],
    ['over nothing', { amount: money(0, 'USD') }, 'invalid_request'],
    ['that has expired', { expiresAt: '2020-01-01T00:00:00.000Z' }, 'invalid_request'],
  ])('%s is refused for good', async (_, differs, reason) => {
    await expect(provider.createCheckout(request(differs))).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_rejected_request',
      reason,
    });
  });

  it('is let in with a key of either kind', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const key = {
      keyName: 'organizations/1/apiKeys/2',
      privateKey: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
    };
    const own = await startCoinbaseSandbox({ port: 0, ...key });
    const made = await createCoinbaseCheckouts({ ...key, apiBase: own.url }).createCheckout(request());
    expect(made.status).toBe('active');
    await own.close();
  });
});

describe('a request that fails', () => {
  it.each([
    ['drop_answer', 'outcome_unknown', true],
    ['error_after', 'outcome_unknown', true],
    ['malformed', 'outcome_unknown', true],
    ['delay', 'outcome_unknown', true],
    ['error_before', 'outcome_unknown', false],
    ['refuse', 'outcome_unknown', false],
    ['rate_limit', 'rate_limited', false],
  ] as const)('by %s is %s, and a look tells whether it happened', async (fault, code, happened) => {
    const asked = request();
    coinbase.setFaults({ next: [{ fault, op: 'checkouts.create' }], delayMs: 5_000, retryAfterSeconds: 7 });
    const asking = fault === 'delay' ? hasty : provider;
    await expect(asking.createCheckout(asked)).rejects.toMatchObject({
      name: 'VendorError',
      code,
      ...(fault === 'rate_limit' && { retryAfterMs: 7_000 }),
    });
    expect((await provider.findCheckout(asked)) !== null).toBe(happened);
  });

  it.each(['drop_answer', 'error_after', 'malformed', 'error_before', 'refuse'] as const)(
    'by %s while it only reads may simply be repeated',
    async (fault) => {
      coinbase.setFaults({ next: [{ fault }] });
      await expect(provider.findCheckout(request())).rejects.toMatchObject({ code: 'vendor_unavailable' });
    },
  );

  it('because nobody listens had no effect', async () => {
    const nowhere = createCoinbaseCheckouts({ ...strangerKey(), apiBase: await closedUrl() });
    await expect(nowhere.createCheckout(request())).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_unavailable',
    });
  });

  it('because the key is another one is for a person to look at, and tells nothing of the key', async () => {
    const key = strangerKey();
    const stranger = createCoinbaseCheckouts({ ...key, apiBase: coinbase.url });
    const failure = await stranger.createCheckout(request()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'vendor_rejected_request', message: 'Coinbase: Unauthorized' });
    expect(JSON.stringify([failure, String(failure)])).not.toContain(key.privateKey.slice(0, 20));
  });
});

it('a bearer that somebody overhears opens no other request', async () => {
  const { externalId } = await provider.createCheckout(request());
  let bearer = '';
  const spy = createServer((message, response) => {
    bearer = message.headers.authorization ?? '';
    response.end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => spy.once('listening', resolve));
  const { port } = spy.address() as AddressInfo;
  const { keyName, privateKey } = loadConfig({ NODE_ENV: 'test' }).coinbase;
  const overheard = createCoinbaseCheckouts({ keyName, privateKey, apiBase: `http://127.0.0.1:${port}` });
  await overheard.fetchCheckout(externalId).catch(() => {});
  spy.close();
  expect(bearer).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  const replayed = await fetch(`${coinbase.url}/api/v1/checkouts/${externalId}`, {
    headers: { authorization: bearer },
  });
  expect(replayed.status, 'the token names another host').toBe(401);
});

function strangerKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    keyName: 'organizations/9/apiKeys/9',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
