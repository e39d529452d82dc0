/** The official SDK against the sandbox, for subscriptions: what is found again after a lost answer, and what is none of ours. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { newId } from '../../db/ids.ts';
import { money } from '../../domain/money.ts';
import type { RazorpayVendor, VendorPlanRequest } from '../../domain/payments/razorpay-subscription.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import { startTestRazorpay } from '../support/razorpay.ts';

let razorpay: RazorpaySandbox;
let vendor: RazorpayVendor;
let hasty: RazorpayVendor;

beforeAll(async () => {
  ({ razorpay, orderVendor: vendor, hasty } = await startTestRazorpay());
});
afterEach(() => razorpay.setFaults({}));
afterAll(() => razorpay.close());

const planRequest = (differs: Partial<VendorPlanRequest> = {}): VendorPlanRequest => ({
  tenantId: newId('ten'),
  razorpayPlanId: newId('rzp'),
  name: 'Pro',
  amount: money(249_900, 'INR'),
  interval: { unit: 'month', count: 1 },
  ...differs,
});

async function newSubscription({ startsAt = null }: { startsAt?: string | null } = {}) {
  const plan = planRequest();
  const planExternalId = await vendor.createPlan(plan);
  const request = {
    tenantId: plan.tenantId,
    subscriptionId: newId('sub'),
    razorpaySubscriptionId: newId('rzs'),
    planExternalId,
    cycles: 120,
    startsAt,
  };
  return { request, made: await vendor.createSubscription(request) };
}

it('a plan is found by our id, also behind a hundred others, and the oldest of two', async () => {
  const askedAt = razorpay.clock.now().toISOString();
  const wanted = planRequest();
  const first = await vendor.createPlan(wanted);
  razorpay.clock.advance(1);
  await vendor.createPlan(wanted);
  for (let count = 0; count < 101; count += 1) await vendor.createPlan(planRequest());
  const { razorpayPlanId } = wanted;
  expect(await vendor.findPlan({ razorpayPlanId, askedAt })).toBe(first);
  expect(await vendor.findPlan({ razorpayPlanId: newId('rzp'), askedAt })).toBeNull();
});

it('a subscription is found by our id among those of its plan, and read back with its cycles', async () => {
  const { request, made } = await newSubscription();
  expect(made).toMatchObject({
    externalId: expect.stringMatching(/^sub_\w{14}$/),
    status: 'created',
    owner: { tenantId: request.tenantId, razorpaySubscriptionId: request.razorpaySubscriptionId },
  });
  expect(await vendor.findSubscription(request)).toEqual(made);
  expect(await vendor.findSubscription({ ...request, razorpaySubscriptionId: newId('rzs') })).toBeNull();
  const { paymentId } = razorpay.authorize(made.externalId);
  const read = await vendor.fetchSubscription(made.externalId);
  expect(read).toMatchObject({ status: 'active', cycles: [{ paymentId, isAskedFor: false }] });
  expect(await vendor.fetchPayment(paymentId)).toMatchObject({
    externalId: paymentId,
    captured: true,
    amount: money(249_900, 'INR'),
    refunds: [],
  });
});

it('a first charge later on is told to the second, and can be authorised until then', async () => {
  const startsAt = new Date(Math.ceil(razorpay.clock.now().getTime() / 1000) * 1000 + 86_400_000);
  const { made } = await newSubscription({ startsAt: startsAt.toISOString() });
  razorpay.authorize(made.externalId);
  expect(await vendor.fetchSubscription(made.externalId)).toMatchObject({
    status: 'authenticated',
    cycles: [],
  });
});

it('what would be refused again says so, with the vendor’s reason', async () => {
  const tooSmall = planRequest({ amount: money(99, 'INR') });
  await expect(vendor.createPlan(tooSmall)).rejects.toMatchObject({
    name: 'VendorError',
    reason: 'input_validation_failed',
  });
});

it('one that has ended cannot be ended again, and what nobody made is not found', async () => {
  const { made } = await newSubscription();
  await vendor.cancelSubscription(made.externalId);
  await expect(vendor.cancelSubscription(made.externalId)).rejects.toMatchObject({
    code: 'vendor_rejected_request',
  });
  await expect(vendor.fetchSubscription('sub_unknown')).rejects.toMatchObject({ code: 'not_found' });
  await expect(vendor.fetchSubscription('inv_unknown')).rejects.toMatchObject({ code: 'not_found' });
  await expect(vendor.fetchDispute('disp_unknown')).rejects.toMatchObject({ code: 'not_found' });
});

it.each(['drop_answer', 'error_after', 'malformed', 'delay'] as const)(
  'a subscription whose answer is lost by %s has an unknown outcome, and is found',
  async (fault) => {
    const { request } = await newSubscription();
    const asked = { ...request, razorpaySubscriptionId: newId('rzs') };
    razorpay.setFaults({ next: [{ fault, op: 'subscriptions.create' }], delayMs: 2_000 });
    const asking = fault === 'delay' ? hasty : vendor;
    await expect(asking.createSubscription(asked)).rejects.toMatchObject({ code: 'outcome_unknown' });
    razorpay.setFaults({});
    expect(await vendor.findSubscription(asked)).toMatchObject({ status: 'created' });
  },
);
