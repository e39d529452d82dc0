/** Answers lost, late, broken or refused: what our client makes of them, and what Stripe's log says happened. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CardChargeRequest, CardVendor } from '../../domain/payments/card-payment.ts';
import type { FaultKind } from '../../integrations/sandbox/faults.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';

let sandbox: StripeSandbox;
let vendor: CardVendor;
let customer: { vendorCustomerId: string; paymentMethodId: string };

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
  vendor = connect(sandbox.url);
});

beforeEach(async () => {
  sandbox.reset();
  customer = await newCustomer();
});

afterAll(() => sandbox.close());

function connect(apiBase: string, timeoutMs = 5_000): CardVendor {
  const returnUrl = 'https://billing.example.com/return';
  return createStripeCardVendor({ secretKey: 'sk_test_sandbox', apiBase, returnUrl, timeoutMs });
}

async function newCustomer() {
  const vendorCustomerId = await vendor.ensureCustomer({
    tenantId: 'ten_1',
    customerId: 'cus_1',
    email: 'ada@example.com',
    name: 'Ada',
  });
  const method = await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: 'pm_card_visa' });
  return { vendorCustomerId, paymentMethodId: method.externalId };
}

function request(idempotencyKey = 'invoice:inv_1:charge:1'): CardChargeRequest {
  return {
    tenantId: 'ten_1',
    customerId: 'cus_1',
    invoiceId: 'inv_1',
    attemptId: 'att_1',
    amount: { amountMinor: 2900, currency: 'USD' },
    description: 'Invoice 2025-0001',
    idempotencyKey,
    ...customer,
  };
}

function meet(fault: FaultKind, op = 'payment_intents.create', times = 1, more: object = {}): void {
  sandbox.setFaults({ next: [{ fault, op, times }], ...more });
}

const findCharge = () =>
  vendor.findCharge({ ...customer, attemptId: 'att_1', createdAfter: '2020-01-01T00:00:00Z' });

describe('a charge that meets a fault before its effect', () => {
  it.each<[FaultKind, string]>([
    ['refuse', 'outcome_unknown'],
    ['error_before', 'outcome_unknown'],
    ['rate_limit', 'rate_limited'],
  ])('%s: takes nothing, is not found, and succeeds when it is repeated', async (fault, code) => {
    meet(fault);
    await expect(vendor.charge(request())).rejects.toMatchObject({ code });
    expect(sandbox.charges()).toEqual([]);
    expect(await findCharge()).toBeNull();

    expect((await vendor.charge(request())).status).toBe('succeeded');
    expect(sandbox.charges()).toHaveLength(1);
  });

  it('says how long to wait when it is told so', async () => {
    meet('rate_limit', 'payment_intents.create', 1, { retryAfterSeconds: 7 });
    await expect(vendor.charge(request())).rejects.toMatchObject({ retryAfterMs: 7_000 });
  });

  it('is known not to have been sent when nothing listens', async () => {
    const unused = connect(await unusedAddress());
    await expect(unused.charge(request())).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });
});

describe('a charge whose answer is lost after its effect', () => {
  it.each<FaultKind>(['error_after', 'drop_answer', 'malformed'])(
    '%s: is an unknown outcome, is found, and is never taken twice',
    async (fault) => {
      meet(fault);
      await expect(vendor.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(await findCharge()).toMatchObject({ status: 'succeeded' });
      expect(sandbox.charges()).toHaveLength(1);
    },
  );

  it.each<FaultKind>(['drop_answer', 'malformed'])(
    '%s: a repeat with its key gets the stored answer',
    async (fault) => {
      meet(fault);
      await expect(vendor.charge(request())).rejects.toThrow();
      expect((await vendor.charge(request())).status).toBe('succeeded');
      expect(sandbox.charges()).toHaveLength(1);
    },
  );

  it('a 500 is repeated under its key, as Stripe does, so that only looking it up helps', async () => {
    meet('error_after');
    await expect(vendor.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expect(vendor.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await findCharge()).toMatchObject({ status: 'succeeded' });
    expect(sandbox.charges()).toHaveLength(1);
  });

  it('an answer later than our patience is an unknown outcome; the key in flight is one too', async () => {
    const impatient = connect(sandbox.url, 100);
    meet('delay', 'payment_intents.create', 1, { delayMs: 60_000 });
    await expect(impatient.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expect(impatient.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(sandbox.effects().at(-1)).toMatchObject({ outcome: 'conflict' });
    expect(await findCharge()).toMatchObject({ status: 'succeeded' });
    expect(sandbox.charges()).toHaveLength(1);
  });

  it('more than 24 hours later the key is forgotten, and looking it up still finds it', async () => {
    meet('drop_answer');
    await expect(vendor.charge(request())).rejects.toMatchObject({ code: 'outcome_unknown' });
    sandbox.clock.advance(25 * 60 * 60);
    expect(await findCharge()).toMatchObject({ status: 'succeeded' });
    expect(sandbox.charges()).toHaveLength(1);
  });
});

describe('the detector', () => {
  it('sees a second charge of the same invoice when the key is made anew (negative control)', async () => {
    meet('drop_answer');
    await expect(vendor.charge(request('random-1'))).rejects.toMatchObject({ code: 'outcome_unknown' });
    await vendor.charge(request('random-2'));
    expect(sandbox.charges().map((effect) => effect.businessRef)).toEqual(['inv_1', 'inv_1']);
  });

  it('sees a second charge after 24 hours when nobody looks it up (negative control)', async () => {
    await vendor.charge(request());
    sandbox.clock.advance(25 * 60 * 60);
    await vendor.charge(request());
    expect(sandbox.charges()).toHaveLength(2);
  });
});

describe('other requests', () => {
  it.each<FaultKind>(['refuse', 'error_before', 'drop_answer', 'malformed'])(
    'a read that meets %s is an outage, not an unknown outcome',
    async (fault) => {
      const { externalId } = await vendor.charge(request());
      meet(fault, 'payment_intents.retrieve');
      await expect(vendor.fetchCharge(externalId)).rejects.toMatchObject({ code: 'vendor_unavailable' });
      expect(await vendor.fetchCharge(externalId)).toMatchObject({ status: 'succeeded' });
    },
  );

  it('a customer whose creation was answered with a 500 is found and not made twice', async () => {
    sandbox.reset();
    meet('error_after', 'customers.create');
    const { vendorCustomerId } = await newCustomer();
    expect(vendorCustomerId).toMatch(/^cus_/);
    const made = sandbox
      .effects()
      .filter(({ op, outcome }) => op === 'customers.create' && outcome === 'effect');
    expect(made).toHaveLength(1);
  });

  it('a card whose attaching was answered with a 500 turns out to be attached', async () => {
    const card = sandbox.createCard({ outcomes: ['succeeded'] });
    meet('error_after', 'payment_methods.attach');
    const { vendorCustomerId } = customer;
    const method = await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: card });
    expect(method.externalId).toBe(card);
  });

  it('a cancellation answered with a 500 turns out to be done', async () => {
    const card = sandbox.createCard({ outcomes: ['authentication_required'] });
    const { vendorCustomerId } = customer;
    await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: card });
    const { externalId } = await vendor.charge({ ...request(), paymentMethodId: card });
    meet('error_after', 'payment_intents.cancel');
    expect((await vendor.cancelCharge(externalId)).status).toBe('canceled');
  });
});

/** An address on which nothing listens any more. */
async function unusedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (address === null || typeof address === 'string') throw new Error('No port');
  return `http://127.0.0.1:${address.port}`;
}
