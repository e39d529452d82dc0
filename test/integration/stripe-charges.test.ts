/** Our Stripe client against the sandbox: every end a charge can take, told by the sandbox's own log. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CardChargeRequest, CardVendor } from '../../domain/payments/card-payment.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';

let sandbox: StripeSandbox;
let vendor: CardVendor;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
  vendor = createStripeCardVendor({
    secretKey: 'sk_test_sandbox',
    apiBase: sandbox.url,
    returnUrl: 'https://billing.example.com/return',
  });
});

beforeEach(() => sandbox.reset());
afterAll(() => sandbox.close());

async function newCustomer(paymentMethodId = 'pm_card_visa') {
  const vendorCustomerId = await vendor.ensureCustomer({
    tenantId: 'ten_1',
    customerId: 'cus_1',
    email: 'ada@example.com',
    name: 'Ada',
  });
  const method = await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId });
  return { vendorCustomerId, paymentMethodId: method.externalId };
}

function request(
  customer: { vendorCustomerId: string; paymentMethodId: string },
  overrides: Partial<CardChargeRequest> = {},
): CardChargeRequest {
  return {
    tenantId: 'ten_1',
    customerId: 'cus_1',
    invoiceId: 'inv_1',
    attemptId: 'att_1',
    amount: { amountMinor: 2900, currency: 'USD' },
    description: 'Invoice 2025-0001',
    idempotencyKey: 'invoice:inv_1:charge:1',
    ...customer,
    ...overrides,
  };
}

const amountsTaken = () => sandbox.charges().map((effect) => [effect.businessRef, effect.amountMinor]);

describe('a charge', () => {
  it('that succeeds takes the money once, with what we wrote on it', async () => {
    const customer = await newCustomer();
    const charge = await vendor.charge(request(customer));

    expect(charge).toMatchObject({
      status: 'succeeded',
      amount: { amountMinor: 2900, currency: 'USD' },
      refundedMinor: 0,
      refunds: [],
      metadata: { tenantId: 'ten_1', customerId: 'cus_1', invoiceId: 'inv_1', attemptId: 'att_1' },
    });
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
    expect(await vendor.fetchCharge(charge.externalId)).toEqual(charge);
  });

  it('repeated with its key gets the first answer and takes nothing more', async () => {
    const customer = await newCustomer();
    const first = await vendor.charge(request(customer));
    const second = await vendor.charge(request(customer));

    expect(second).toEqual(first);
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
    expect(sandbox.effects().at(-1)).toMatchObject({ outcome: 'replay', businessRef: 'inv_1' });
  });

  it('with the key of another charge is refused', async () => {
    const customer = await newCustomer();
    await vendor.charge(request(customer));
    const other = request(customer, { amount: { amountMinor: 3900, currency: 'USD' } });

    await expect(vendor.charge(other)).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
  });

  it.each([
    ['insufficient_funds', 'soft'],
    ['generic_decline', 'soft'],
    ['stolen_card', 'hard'],
    ['expired_card', 'hard'],
    ['processing_error', 'technical'],
  ])('declined with %s is an answer of class %s, not an error', async (code, declineClass) => {
    const customer = await newCustomer(sandbox.createCard({ outcomes: [code] }));
    const charge = await vendor.charge(request(customer));

    expect(charge).toMatchObject({ status: 'failed', decline: { code, class: declineClass } });
    expect(amountsTaken()).toEqual([]);
  });

  it('follows the script of its card, attempt by attempt', async () => {
    const card = sandbox.createCard({ outcomes: ['insufficient_funds', 'insufficient_funds', 'succeeded'] });
    const customer = await newCustomer(card);
    const statuses = [];
    for (const ordinal of [1, 2, 3, 4]) {
      const idempotencyKey = `invoice:inv_1:charge:${ordinal}`;
      statuses.push((await vendor.charge(request(customer, { idempotencyKey }))).status);
    }
    expect(statuses).toEqual(['failed', 'failed', 'succeeded', 'succeeded']);
  });

  it('in process is neither success nor failure until the bank answers', async () => {
    const customer = await newCustomer(sandbox.createCard({ outcomes: ['processing'] }));
    const charge = await vendor.charge(request(customer));
    expect(charge.status).toBe('processing');
    expect(amountsTaken()).toEqual([]);

    sandbox.settle(charge.externalId, 'succeeded');
    expect(await vendor.fetchCharge(charge.externalId)).toMatchObject({ status: 'succeeded' });
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
  });

  it('on a card that is not the customer’s any more asks for another method', async () => {
    const customer = await newCustomer();
    const gone = request(customer, { paymentMethodId: 'pm_gone' });
    await expect(vendor.charge(gone)).rejects.toMatchObject({
      decline: { code: 'payment_method_invalid', class: 'hard' },
    });
  });

  it('on a customer who is gone at Stripe asks for another method', async () => {
    const gone = request({ ...(await newCustomer()), vendorCustomerId: 'cus_gone' });
    await expect(vendor.charge(gone)).rejects.toMatchObject({
      decline: { code: 'payment_method_invalid', class: 'hard' },
    });
  });

  it('below Stripe’s minimum is refused, and nothing is wrong with the card', async () => {
    const customer = await newCustomer();
    const small = request(customer, { amount: { amountMinor: 30, currency: 'USD' } });
    await expect(vendor.charge(small)).rejects.toMatchObject({
      decline: { code: 'amount_too_small', class: 'soft' },
    });
  });

  it('Stripe cannot represent never reaches Stripe', async () => {
    const customer = await newCustomer();
    const callsBefore = sandbox.calls();
    const odd = request(customer, { amount: { amountMinor: 5124, currency: 'KWD' } });

    await expect(vendor.charge(odd)).rejects.toMatchObject({ decline: { code: 'amount_too_small' } });
    expect(sandbox.calls()).toEqual(callsBefore);
  });

  it('in krónur takes the amount of the invoice, not a hundred times it', async () => {
    const customer = await newCustomer();
    const charge = await vendor.charge(request(customer, { amount: { amountMinor: 4900, currency: 'ISK' } }));
    expect(charge.amount).toEqual({ amountMinor: 4900, currency: 'ISK' });
    expect(sandbox.charges()).toMatchObject([{ amountMinor: 490_000, currency: 'isk' }]);
  });

  it('is made with one request, and so is everything else on the quiet path', async () => {
    const customer = await newCustomer();
    await vendor.charge(request(customer));
    expect(sandbox.calls()).toEqual({
      // Looked for before it is made.
      'customers.list': 1,
      'customers.create': 1,
      'payment_methods.attach': 1,
      'customers.update': 1,
      'payment_intents.create': 1,
    });
  });
});

describe('a charge the bank wants confirmed', () => {
  it('comes back with the link where the customer confirms, and takes nothing yet', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const charge = await vendor.charge(request(customer));

    expect(charge.status).toBe('requires_action');
    expect(charge.actionUrl).toMatch(new RegExp(`^${sandbox.url}/3ds/pi_`));
    expect(amountsTaken()).toEqual([]);
    expect(sandbox.effects().map((effect) => effect.idempotencyKey)).toEqual(
      expect.arrayContaining(['invoice:inv_1:charge:1', 'invoice:inv_1:charge:1:authenticate']),
    );
  });

  it('has the same link when it is asked for again', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const first = await vendor.charge(request(customer));
    expect(await vendor.charge(request(customer))).toEqual(first);
  });

  it('succeeds on the bank’s page and leads the customer back', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const { externalId, actionUrl = '' } = await vendor.charge(request(customer));

    const page = await fetch(actionUrl);
    expect(await page.text()).toContain('Confirm');
    const answer = await fetch(actionUrl, {
      method: 'POST',
      body: new URLSearchParams({ answer: 'confirm' }),
      redirect: 'manual',
    });
    expect(answer.status).toBe(303);
    const back = new URL(answer.headers.get('location') ?? '');
    expect(back.origin + back.pathname).toBe('https://billing.example.com/return');
    expect(back.searchParams.get('payment_intent')).toBe(externalId);
    expect(back.searchParams.get('redirect_status')).toBe('succeeded');

    expect(await vendor.fetchCharge(externalId)).toMatchObject({ status: 'succeeded' });
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
  });

  it('confirmed twice on the bank’s page takes the money once', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const { externalId } = await vendor.charge(request(customer));
    expect(sandbox.authenticate(externalId, 'confirm')).toBe('succeeded');
    expect(sandbox.authenticate(externalId, 'confirm')).toBe('succeeded');
    expect(amountsTaken()).toEqual([['inv_1', 2900]]);
  });

  it('fails when the customer does not confirm', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const { externalId } = await vendor.charge(request(customer));
    sandbox.authenticate(externalId, 'fail');

    expect(await vendor.fetchCharge(externalId)).toMatchObject({
      status: 'failed',
      decline: { code: 'payment_intent_authentication_failure' },
    });
    expect(amountsTaken()).toEqual([]);
  });

  it('may be declined after the customer has confirmed', async () => {
    const customer = await newCustomer('pm_card_authenticationRequiredChargeDeclinedInsufficientFunds');
    const { externalId } = await vendor.charge(request(customer));
    sandbox.authenticate(externalId, 'confirm');

    expect(await vendor.fetchCharge(externalId)).toMatchObject({
      status: 'failed',
      decline: { code: 'insufficient_funds', class: 'soft' },
    });
  });

  it('can be cancelled, and then takes nothing however late the customer comes', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const { externalId } = await vendor.charge(request(customer));

    expect((await vendor.cancelCharge(externalId)).status).toBe('canceled');
    expect((await vendor.cancelCharge(externalId)).status).toBe('canceled');
    expect(sandbox.authenticate(externalId, 'confirm')).toBe('canceled');
    expect(amountsTaken()).toEqual([]);
  });

  it('that was paid before it could be cancelled answers that it was paid', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    const { externalId } = await vendor.charge(request(customer));
    sandbox.authenticate(externalId, 'confirm');
    expect((await vendor.cancelCharge(externalId)).status).toBe('succeeded');
  });
});

describe('a lost charge', () => {
  const lookUp = (vendorCustomerId: string, attemptId = 'att_1') =>
    vendor.findCharge({ vendorCustomerId, attemptId, createdAfter: '2020-01-01T00:00:00Z' });

  it('is found by its attempt, whatever became of it', async () => {
    const card = sandbox.createCard({ outcomes: ['insufficient_funds', 'succeeded'] });
    const customer = await newCustomer(card);
    await vendor.charge(request(customer, { attemptId: 'att_1', idempotencyKey: 'invoice:inv_1:charge:1' }));
    await vendor.charge(request(customer, { attemptId: 'att_2', idempotencyKey: 'invoice:inv_1:charge:2' }));

    expect(await lookUp(customer.vendorCustomerId, 'att_1')).toMatchObject({ status: 'failed' });
    expect(await lookUp(customer.vendorCustomerId, 'att_2')).toMatchObject({ status: 'succeeded' });
    expect(await lookUp(customer.vendorCustomerId, 'att_3')).toBeNull();
  });

  it('is found by a clock ahead of Stripe’s', async () => {
    const customer = await newCustomer();
    await vendor.charge(request(customer));
    const createdAfter = new Date(Date.now() + 86_400_000).toISOString();
    const found = await vendor.findCharge({
      vendorCustomerId: customer.vendorCustomerId,
      attemptId: 'att_1',
      createdAfter,
    });
    expect(found?.status).toBe('succeeded');
  });

  it('is found behind a page of later payments', async () => {
    const customer = await newCustomer();
    for (let ordinal = 0; ordinal <= 100; ordinal += 1) {
      const idempotencyKey = `invoice:inv_1:charge:${ordinal}`;
      await vendor.charge(request(customer, { attemptId: `att_${ordinal}`, idempotencyKey }));
    }
    expect((await lookUp(customer.vendorCustomerId, 'att_0'))?.metadata.attemptId).toBe('att_0');
  });

  it('of another customer is not found', async () => {
    const customer = await newCustomer();
    await vendor.charge(request(customer));
    const otherId = await vendor.ensureCustomer({
      tenantId: 'ten_1',
      customerId: 'cus_2',
      email: 'bob@example.com',
      name: 'Bob',
    });
    expect(await lookUp(otherId)).toBeNull();
  });

  it('that was cut between the decline and the link gets its link', async () => {
    const customer = await newCustomer('pm_card_authenticationRequired');
    sandbox.setFaults({ next: [{ fault: 'refuse', op: 'payment_intents.confirm' }] });
    await expect(vendor.charge(request(customer))).rejects.toMatchObject({ code: 'outcome_unknown' });

    expect(await lookUp(customer.vendorCustomerId)).toMatchObject({
      status: 'requires_action',
      actionUrl: expect.stringContaining('/3ds/'),
    });
  });
});

describe('refunds made in the dashboard', () => {
  it('show on the charge, with their sum', async () => {
    const customer = await newCustomer();
    const { externalId } = await vendor.charge(request(customer));
    sandbox.refund({ paymentIntent: externalId, amount: 900 });
    sandbox.refund({ paymentIntent: externalId });

    const charge = await vendor.fetchCharge(externalId);
    expect(charge?.refundedMinor).toBe(2900);
    expect(charge?.refunds.map((refund) => refund.amount.amountMinor)).toEqual([2000, 900]);
    expect(() => sandbox.refund({ paymentIntent: externalId })).toThrow();
  });

  it('are all read when there are more than fit into one answer', async () => {
    const customer = await newCustomer();
    const { externalId } = await vendor.charge(request(customer));
    for (let count = 0; count < 12; count += 1) sandbox.refund({ paymentIntent: externalId, amount: 100 });
    expect((await vendor.fetchCharge(externalId))?.refunds).toHaveLength(12);
  });
});

describe('payment methods', () => {
  it('are attached and become the default', async () => {
    const vendorCustomerId = await vendor.ensureCustomer({
      tenantId: 'ten_1',
      customerId: 'cus_1',
      email: 'ada@example.com',
      name: 'Ada',
    });
    const method = await vendor.attachPaymentMethod({
      vendorCustomerId,
      paymentMethodId: 'pm_card_mastercard',
    });
    expect(method).toEqual({
      externalId: expect.stringMatching(/^pm_/),
      type: 'card',
      brand: 'mastercard',
      last4: '4444',
      expMonth: 12,
      expYear: 2034,
    });
  });

  it('may be attached again, after the key is forgotten too', async () => {
    const card = sandbox.createCard({ outcomes: ['succeeded'] });
    const { vendorCustomerId } = await newCustomer(card);
    const again = () => vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: card });
    expect((await again()).externalId).toBe(card);
    sandbox.forgetIdempotencyKeys();
    expect((await again()).externalId).toBe(card);
  });

  it('become the default again when the customer goes back to an earlier one', async () => {
    const [first, second] = [1, 2].map(() => sandbox.createCard({ outcomes: ['succeeded'] })) as [
      string,
      string,
    ];
    const { vendorCustomerId } = await newCustomer(first);
    for (const paymentMethodId of [second, first]) {
      await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId });
    }
    const answer = await fetch(`${sandbox.url}/v1/customers/${vendorCustomerId}`, {
      headers: { authorization: 'Bearer sk_test_sandbox' },
    });
    expect(await answer.json()).toMatchObject({ invoice_settings: { default_payment_method: first } });
  });

  it.each(['pm_card_chargeDeclined', 'pm_card_chargeDeclinedLostCard', 'pm_unknown'])(
    'that cannot be kept are refused: %s',
    async (paymentMethodId) => {
      await expect(newCustomer(paymentMethodId)).rejects.toMatchObject({ code: 'payment_method_invalid' });
    },
  );

  it('of another customer are refused', async () => {
    const card = sandbox.createCard({ outcomes: ['succeeded'] });
    await newCustomer(card);
    const vendorCustomerId = await vendor.ensureCustomer({
      tenantId: 'ten_1',
      customerId: 'cus_2',
      email: 'bob@example.com',
      name: 'Bob',
    });
    await expect(
      vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: card }),
    ).rejects.toMatchObject({ code: 'payment_method_invalid' });
  });
});

describe('customers', () => {
  it('are created once', async () => {
    const first = await newCustomer();
    const second = await newCustomer();
    expect(second.vendorCustomerId).toBe(first.vendorCustomerId);
  });

  it('are deleted with their cards, and may be deleted again', async () => {
    const { vendorCustomerId, paymentMethodId } = await newCustomer();
    await vendor.deleteCustomer(vendorCustomerId);
    await vendor.deleteCustomer(vendorCustomerId);
    await expect(vendor.charge(request({ vendorCustomerId, paymentMethodId }))).rejects.toMatchObject({
      decline: { code: 'payment_method_invalid' },
    });
  });
});

describe('credentials', () => {
  it('that are wrong are a wrong request, not an outage', async () => {
    const stranger = createStripeCardVendor({
      secretKey: 'sk_wrong',
      apiBase: sandbox.url,
      returnUrl: 'https://billing.example.com/return',
    });
    await expect(stranger.fetchCharge('pi_1')).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });
});
