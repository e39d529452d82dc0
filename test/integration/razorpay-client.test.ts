/** The official SDK against the sandbox: its faults stay inside, and every failure says whether it may have had its effect. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../db/ids.ts';
import { money } from '../../domain/money.ts';
import type { OrderRequest, OrderVendor } from '../../domain/payments/razorpay-order.ts';
import type { CardRefundRequest } from '../../domain/payments/refund.ts';
import { createRazorpayOrderVendor } from '../../integrations/razorpay/client.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import { closedUrl } from '../support/closed-url.ts';
import { startTestRazorpay } from '../support/razorpay.ts';

let razorpay: RazorpaySandbox;
let vendor: OrderVendor;
let hasty: OrderVendor;

beforeAll(async () => {
  ({ razorpay, orderVendor: vendor, hasty } = await startTestRazorpay());
});
afterEach(() => razorpay.setFaults({}));
afterAll(() => razorpay.close());

const request = (differs: Partial<OrderRequest> = {}): OrderRequest => ({
  tenantId: newId('ten'),
  invoiceId: newId('inv'),
  orderId: newId('rzo'),
  amount: money(249_900, 'INR'),
  ...differs,
});

describe('an order', () => {
  it.each([
    ['INR', 249_900],
    ['USD', 2900],
    ['JPY', 500],
    ['KWD', 5120],
  ])('in %s is made over exactly the amount asked for, and read back', async (currency, amountMinor) => {
    const asked = request({ amount: money(amountMinor, currency) });
    const made = await vendor.createOrder(asked);
    expect(made).toMatchObject({
      externalId: expect.stringMatching(/^order_\w{14}$/),
      amount: asked.amount,
      owner: { tenantId: asked.tenantId, orderId: asked.orderId },
    });
    expect(await vendor.findOrder(asked)).toEqual(made);
    expect(await vendor.fetchOrder(made.externalId)).toEqual({ ...made, payments: [] });
  });

  it('that nobody asked for is not found', async () => {
    await vendor.createOrder(request());
    expect(await vendor.findOrder(request())).toBeNull();
    await expect(vendor.fetchOrder('order_unknown')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('asked for twice is two: Razorpay has no keys for it, and the older one is found', async () => {
    const asked = request();
    const first = await vendor.createOrder(asked);
    razorpay.clock.advance(1);
    await vendor.createOrder(asked);
    expect(await vendor.findOrder(asked)).toEqual(first);
  });

  it.each([
    ['a paisa too little', money(99, 'INR')],
    ['three decimals that are no tens', money(5124, 'KWD')],
  ])('over %s is refused for good', async (_, amount) => {
    await expect(vendor.createOrder(request({ amount }))).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_rejected_request',
      reason: 'input_validation_failed',
    });
  });
});

describe('a request that fails', () => {
  const faults = [
    ['drop_answer', 'outcome_unknown', true],
    ['error_after', 'outcome_unknown', true],
    ['malformed', 'outcome_unknown', true],
    ['delay', 'outcome_unknown', true],
    ['error_before', 'outcome_unknown', false],
    ['refuse', 'outcome_unknown', false],
    ['rate_limit', 'rate_limited', false],
  ] as const;

  it.each(faults)('by %s is %s, and a look tells whether it happened', async (fault, code, happened) => {
    const asked = request();
    razorpay.setFaults({ next: [{ fault, op: 'orders.create' }], delayMs: 2_000, retryAfterSeconds: 7 });
    const asking = fault === 'delay' ? hasty : vendor;
    await expect(asking.createOrder(asked)).rejects.toMatchObject({
      name: 'VendorError',
      code,
      ...(fault === 'rate_limit' && { retryAfterMs: 7_000 }),
    });
    expect((await vendor.findOrder(asked)) !== null).toBe(happened);
  });

  it.each(['drop_answer', 'error_after', 'malformed', 'error_before', 'refuse'] as const)(
    'by %s while it only reads may simply be repeated',
    async (fault) => {
      razorpay.setFaults({ next: [{ fault }] });
      await expect(vendor.findOrder(request())).rejects.toMatchObject({ code: 'vendor_unavailable' });
    },
  );

  it('because nobody listens had no effect, and says so instead of a TypeError', async () => {
    const nowhere = createRazorpayOrderVendor({
      keyId: 'rzp_test_x',
      keySecret: 'x',
      apiBase: await closedUrl(),
    });
    await expect(nowhere.createOrder(request())).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_unavailable',
      message: 'Razorpay: ECONNREFUSED',
    });
  });

  it('because the key is wrong is for a person to look at', async () => {
    const stranger = createRazorpayOrderVendor({
      keyId: 'rzp_test_x',
      keySecret: 'x',
      apiBase: razorpay.url,
    });
    await expect(stranger.createOrder(request())).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });

  it('never tells the secret of the key', async () => {
    razorpay.setFaults({ next: [{ fault: 'drop_answer' }] });
    const failure = await vendor.createOrder(request()).catch((error: unknown) => error);
    expect(JSON.stringify([failure, String(failure), (failure as Error).cause])).not.toContain(
      'sandbox_secret',
    );
  });
});

describe('a payment', () => {
  it('is captured once, whoever asks', async () => {
    const { externalId } = await vendor.createOrder(request());
    const { paymentId } = razorpay.pay({ orderId: externalId, outcome: 'authorized' });
    const capture = { paymentId, amount: money(249_900, 'INR') };
    const answers = await Promise.allSettled([vendor.capture(capture), vendor.capture(capture)]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(vendor.capture(capture)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    expect(await vendor.fetchOrder(externalId)).toMatchObject({
      payments: [{ externalId: paymentId, status: 'captured', captured: true, refunds: [] }],
    });
  });

  it('that failed says why, and nothing of the card', async () => {
    const { externalId } = await vendor.createOrder(request());
    razorpay.pay({ orderId: externalId, outcome: 'insufficient_funds' });
    expect(await vendor.fetchOrder(externalId)).toMatchObject({
      payments: [{ status: 'failed', captured: false, failureCode: 'insufficient_funds' }],
    });
  });
});

describe('a refund', () => {
  it('that Razorpay is slow with is asked for again under its key: a conflict meanwhile, then the first answer', async () => {
    const asked = await refundRequest();
    razorpay.setFaults({ next: [{ fault: 'slow', op: 'refunds.create' }], delayMs: 3_000 });
    await expect(hasty.refund(asked)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await vendor.findRefund(asked)).toBeNull();
    await expect(vendor.refund(asked)).rejects.toMatchObject({
      name: 'VendorError',
      code: 'outcome_unknown',
      message: expect.stringContaining('is being processed'),
    });
    await expect.poll(() => vendor.findRefund(asked), { timeout: 30_000 }).not.toBeNull();
    expect(await vendor.refund(asked)).toEqual(await vendor.findRefund(asked));
    expect(refundsOf(asked)).toEqual([50_000]);
  });

  it('over another amount under the key of the first is no refusal of the first one', async () => {
    const asked = await refundRequest();
    const first = await vendor.refund(asked);
    const other = vendor.refund({ ...asked, amount: money(50_001, 'INR') });
    await expect(other).rejects.toMatchObject({ name: 'VendorError', code: 'idempotency_key_reused' });
    expect(await vendor.refund(asked)).toEqual(first);
    expect(refundsOf(asked)).toEqual([50_000]);
  });

  it('under a key that Razorpay does not take is refused', async () => {
    const asked = await refundRequest();
    await expect(vendor.refund({ ...asked, refundId: 'ref:short' })).rejects.toMatchObject({
      code: 'vendor_rejected_request',
    });
    expect(refundsOf(asked)).toEqual([]);
  });

  it('because nobody listens had no effect, and says so', async () => {
    const connection = { keyId: 'rzp_test_x', keySecret: 'x', apiBase: await closedUrl() };
    const nowhere = createRazorpayOrderVendor(connection);
    await expect(nowhere.refund(await refundRequest())).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });
});

/** Of a payment that was made just now. */
async function refundRequest(): Promise<CardRefundRequest> {
  const asked = request();
  const { externalId } = await vendor.createOrder(asked);
  const { paymentId } = razorpay.pay({ orderId: externalId });
  const { tenantId, invoiceId } = asked;
  const refundId = newId('ref');
  return {
    tenantId,
    invoiceId,
    refundId,
    paymentId,
    amount: money(50_000, 'INR'),
    idempotencyKey: 'not sent',
  };
}

/** What the sandbox has given back for the invoice. */
function refundsOf({ invoiceId }: CardRefundRequest): number[] {
  return razorpay
    .effects()
    .filter(({ op, outcome }) => op === 'refunds.create' && outcome === 'effect')
    .filter(({ businessRef }) => businessRef === invoiceId)
    .map(({ amountMinor }) => amountMinor ?? 0);
}
