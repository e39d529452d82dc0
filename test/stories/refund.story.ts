/** Money is given back when somebody asks for it: once, also when answers are lost, the vendor is away, or the bank is slow. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, subscribePaid } from './people.ts';
import { type Answer, type Body, createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-06-01T10:00:00Z' });
});
afterAll(() => world.close());

it('a refund is given, booked, noted and told once; the subscription runs on', async () => {
  const { id, payment, happened } = await paid();
  const { status, body } = await refund(payment, { amountMinor: 900 });
  expect([status, body.status]).toEqual([201, 'pending']);
  expect(await happened()).toEqual(
    today('refund USD 9.00', 'payment_refunded', 'mail payment_refunded sent'),
  );
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({ status: 'succeeded' });
  expect(await world.ok('GET', `/v1/payments/${payment.id}`)).toMatchObject({ refundedMinor: 900 });
  expect(await notesOf(payment)).toEqual(['900']);
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
});

it('a refund of all that the running period has cost leaves access, and the next period is billed on its day', async () => {
  const { id, payment, happened } = await paid();
  const { currentPeriod } = await readSubscription(world, id);
  const { body } = await refund(payment);
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({
    status: 'succeeded',
    amountMinor: 2900,
  });
  expect(await readSubscription(world, id)).toMatchObject({
    status: 'active',
    access: 'full',
    currentPeriod,
  });
  const [first] = await invoicesOf(world, id);
  expect(first).toMatchObject({ status: 'paid', paidMinor: 2900, refundedMinor: 2900, dueMinor: 0 });

  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) + 60_000));
  const lines = (await happened()).map(withoutDay);
  expect(lines).toEqual([
    'refund USD 29.00',
    'payment_refunded',
    'mail payment_refunded sent',
    'charge USD 29.00 succeeded',
    'renewed',
    'invoice_issued',
    'payment_received',
    'mail payment_receipt sent',
  ]);
  expect(await readSubscription(world, id)).toMatchObject({
    status: 'active',
    access: 'full',
    currentPeriod: { startsAt: currentPeriod.endsAt },
  });
});

it('a refund of all, and a cancellation now: access ends at once, and nothing is billed any more', async () => {
  const { id, payment, happened } = await paid();
  await refund(payment);
  await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { mode: 'now' });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'cancelled', access: 'none' });
  await world.advance({ days: 40 });
  const lines = (await happened()).map(withoutDay);
  expect(lines).toEqual([
    'refund USD 29.00',
    'payment_refunded',
    'cancelled',
    'access none',
    'mail payment_refunded sent',
    'mail subscription_ended sent',
    'win_back',
    'mail win_back_1 sent',
    'win_back',
    'mail win_back_2 sent',
    'data_erased',
  ]);
  expect(await invoicesOf(world, id)).toHaveLength(1);
});

it('a refund whose answer is lost is looked up, never given twice, also a day later', async () => {
  const { payment, happened } = await paid();
  world.stripeFaults({
    next: [
      { fault: 'drop_answer', op: 'refunds.create' },
      { fault: 'error_before', op: 'refunds.list', times: 12 },
    ],
  });
  const { body } = await refund(payment);
  world.stripe.forgetIdempotencyKeys();
  await world.advance({ days: 1 });
  world.stripeFaults({});
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({
    status: 'succeeded',
    amountMinor: 2900,
  });
  const lines = (await happened()).map(withoutDay);
  expect(lines).toEqual(['refund USD 29.00 (drop_answer)', 'payment_refunded', 'mail payment_refunded sent']);
  expect(await notesOf(payment)).toEqual(['2900']);
});

it('a refund waits while the vendor is away for hours, keeps its share, and is given once', async () => {
  const { payment, happened } = await paid();
  world.stripeFaults({ rates: { error_before: 1 }, ops: ['refunds.create', 'refunds.list'] });
  const { body } = await refund(payment, { amountMinor: 2000 });
  await world.advance({ hours: 2 });
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({
    status: 'pending',
    failureCode: null,
  });
  const { body: refusal } = await refund(payment, { amountMinor: 901 });
  expect(refusal).toMatchObject({ code: 'state_conflict', reason: 'refund_exceeds_payment' });
  world.stripeFaults({});
  await world.advance({ hours: 3 });
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({ status: 'succeeded' });
  const lines = (await happened()).map(withoutDay).filter((line) => !line.includes('(error_before)'));
  expect(lines).toEqual(['refund USD 20.00', 'payment_refunded', 'mail payment_refunded sent']);
});

it('a refund the bank works on is told of when the bank is done, and not before', async () => {
  const { payment, happened } = await paid({ refunds: 'pending' });
  const { body } = await refund(payment);
  expect(await happened()).toEqual(today('refund pending'));
  await world.advance({ days: 2 });
  world.stripe.settleRefund((await world.ok('GET', `/v1/refunds/${body.id}`)).externalId);
  await world.settle();
  expect((await happened()).map(withoutDay)).toEqual([
    'refund pending',
    'refund USD 29.00',
    'payment_refunded',
    'mail payment_refunded sent',
  ]);
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({ status: 'succeeded' });
});

it('a refund that the bank sends back is taken back, with a note of its own', async () => {
  const { payment, happened } = await paid();
  const { body } = await refund(payment);
  await world.advance({ days: 2 });
  world.stripe.failRefund((await world.ok('GET', `/v1/refunds/${body.id}`)).externalId);
  await world.settle();
  expect(await happened()).toEqual([
    ...today('refund USD 29.00', 'payment_refunded', 'mail payment_refunded sent'),
    'day 2 refund back USD 29.00',
    'day 2 refund_failed',
  ]);
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({
    status: 'failed',
    failureCode: 'failed_at_bank',
  });
  expect(await notesOf(payment)).toEqual(['2900', '-2900']);
});

it('a refund of more than the dashboard has left is refused by the vendor; nothing is booked for it', async () => {
  const { payment, happened } = await paid();
  world.withholdWebhooks(true);
  world.stripe.refund({ paymentIntent: payment.externalId, amount: 1000 });
  const { body } = await refund(payment);
  expect(await world.ok('GET', `/v1/refunds/${body.id}`)).toMatchObject({
    status: 'failed',
    failureCode: 'amount_exceeds_charge',
  });
  world.withholdWebhooks(false);
  await world.settle();
  expect(await happened()).toEqual(
    today(
      'refund USD 10.00',
      'refund USD 29.00 refused amount_exceeds_charge',
      'refund_failed',
      'payment_refunded',
      'mail payment_refunded sent',
    ),
  );
});

it('asked for under the same key again, a refund is one', async () => {
  const { payment, happened } = await paid();
  const key = `key-${payment.id}`;
  const first = await refund(payment, { amountMinor: 100 }, key);
  const again = await refund(payment, { amountMinor: 100 }, key);
  expect(again.body.id).toBe(first.body.id);
  expect(await happened()).toEqual(
    today('refund USD 1.00', 'payment_refunded', 'mail payment_refunded sent'),
  );
});

/** A subscription that was paid for an hour ago; what happened is told from now on. */
async function paid({ refunds }: { refunds?: 'pending' } = {}) {
  const id =
    refunds === undefined ? await subscribePaid(world, { outcomes: ['succeeded'] }) : await subscribe(world);
  if (refunds !== undefined) {
    const paymentMethodId = world.stripe.createCard({ outcomes: ['succeeded'], refunds });
    await world.ok('PUT', `/v1/subscriptions/${id}/payment_method`, { paymentMethodId });
    await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
  }
  await world.advance({ hours: 1 });
  const from = world.now();
  const { customerId } = await readSubscription(world, id);
  const [payment] = (await world.ok('GET', `/v1/payments?customerId=${customerId}`)).data;
  return { id, payment, happened: () => world.effects({ subscriptionId: id, from }) };
}

async function refund({ id }: Body, body: Body = {}, key?: string): Promise<Answer> {
  const answer = await world.request('POST', `/v1/payments/${id}/refunds`, { body, ...(key && { key }) });
  await world.settle();
  return answer;
}

/** The totals of the credit notes of the payment's invoice, the oldest first. */
async function notesOf({ invoiceId }: Body): Promise<string[]> {
  const { data } = await world.ok('GET', `/v1/credit_notes?invoiceId=${invoiceId}`);
  return data.map(({ totalMinor }: Body) => String(totalMinor)).reverse();
}

function today(...lines: string[]): string[] {
  return lines.map((line) => `day 0 ${line}`);
}

/** Lines of a time that depends on the pauses between tries. */
function withoutDay(line: string): string {
  return line.replace(/^day \d+( \+\d\d:\d\d)? /, '');
}
