/** Customers pay invoices by bank transfer: in time, in parts, late, not at all; and whoever has to know is told once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bankTransferWorkflowId } from '../../workflows/payments/bank-transfer.contract.ts';
import { newCustomer, readSubscription, subscribe, subscribePaid } from './people.ts';
import { askForTransfer, takeTransfers } from './transfers.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  await takeTransfers(world);
});
afterAll(() => world.close());

/** A subscription that begins with a payment, and instructions for its first invoice over USD 29.00. */
async function firstInvoice(options?: { country?: string }) {
  const customerId = await newCustomer(world);
  const subscriptionId = await subscribe(world, { start: 'payment', customerId });
  const transfer = await askForTransfer(world, subscriptionId, options);
  return { ...transfer, customerId, subscriptionId };
}

const offered = ['day 0 bank_transfer_offered', 'day 0 mail bank_transfer_instructions sent'];

/** Operators are told by mails that belong to no subscription. */
async function noticesSince(from: Date): Promise<string[]> {
  const lines = await world.effects({ from });
  return lines.filter((line) => line.includes('bank_operator_alert'));
}

it('a transfer that comes in time pays the invoice and activates the subscription, and its process ends', async () => {
  const { id, invoiceId, arrive, read, happened, subscriptionId } = await firstInvoice();
  await world.advance({ hours: 20 });
  await arrive(2900);
  await world.advance({ days: 10 });
  expect(await happened()).toEqual([
    ...offered,
    'day 0 +20:00 payment_received',
    'day 0 +20:00 activated',
    'day 0 +20:00 access full',
    'day 0 +20:00 mail subscription_confirmed sent',
  ]);
  expect(await read()).toMatchObject({ id, status: 'settled', waitingFor: 'Paid.' });
  expect((await readSubscription(world, subscriptionId)).status).toBe('active');
  const { status } = await world.client.workflow.getHandle(bankTransferWorkflowId(invoiceId)).describe();
  expect(status.name).toBe('COMPLETED');
});

it('one that does not come is asked for after a day, alerted a day later, and expires after a week; then the subscription does', async () => {
  const from = world.now();
  const { id, invoiceId, happened, read } = await firstInvoice();
  const { workflow } = world.client;
  const waiting = await workflow.getHandle(bankTransferWorkflowId(invoiceId)).describe();
  expect(waiting.status.name).toBe('RUNNING');
  await world.advance({ days: 8 });
  expect(await read()).toMatchObject({
    id,
    status: 'expired',
    waitingFor: 'Not paid in time; what comes later waits for a person.',
  });
  await world.advance({ days: 2 });
  expect(await happened()).toEqual([
    ...offered,
    'day 1 bank_transfer_asked',
    'day 1 mail bank_transfer_question sent',
    'day 2 bank_transfer_alerted',
    'day 7 bank_transfer_expired',
    'day 7 mail bank_transfer_expired sent',
    // Money that has come in time may be seen for two days more.
    'day 9 expired',
    'day 9 mail subscription_expired sent',
  ]);
  expect(await noticesSince(from)).toEqual([
    'day 1 +00:02 mail bank_operator_alert sent',
    'day 2 +00:02 mail bank_operator_alert sent',
  ]);
  // Nothing was given for the invoice.
  expect((await read()).status).toBe('void');
  const { status } = await workflow.getHandle(bankTransferWorkflowId(invoiceId)).describe();
  expect(status.name).toBe('COMPLETED');
});

it('one from abroad is not called late before five business days have passed', async () => {
  const from = world.now();
  const { happened } = await firstInvoice({ country: 'JP' });
  await world.advance({ days: 4 });
  expect((await happened()).filter((line) => line.includes('bank_transfer'))).toEqual(offered);
  expect(await noticesSince(from)).toEqual([]);
});

it('one on hold waits as long as it takes, and goes on with what was left of its clock', async () => {
  const { act, happened, read, arrive } = await firstInvoice();
  await world.advance({ hours: 12 });
  await act('hold', { reason: 'the bank has a question' });
  await world.advance({ days: 20 });
  expect(await read()).toMatchObject({ status: 'on_hold', askedAt: null });
  await act('resume');
  await world.advance({ hours: 11 });
  expect(await read()).toMatchObject({ status: 'awaiting', askedAt: null });
  await world.advance({ hours: 2 });
  expect((await read()).askedAt).not.toBeNull();
  await arrive(2900);
  const lines = (await happened()).filter((line) => !line.includes('expiry_postponed'));
  expect(lines).toEqual([
    ...offered,
    'day 0 +12:00 bank_transfer_held',
    'day 0 +12:00 mail bank_transfer_on_hold sent',
    'day 20 +12:00 bank_transfer_resumed',
    'day 20 +12:00 mail bank_transfer_instructions sent',
    'day 21 bank_transfer_asked',
    'day 21 mail bank_transfer_question sent',
    'day 21 +01:00 payment_received',
    'day 21 +01:00 activated',
    'day 21 +01:00 access full',
    'day 21 +01:00 mail subscription_confirmed sent',
  ]);
  expect((await read()).status).toBe('settled');
});

it('one that comes in parts is asked for the rest, and activates once', async () => {
  const { arrive, happened, read } = await firstInvoice();
  await world.advance({ hours: 5 });
  await arrive(1000);
  expect(await read()).toMatchObject({ status: 'partially_paid', dueMinor: 1900 });
  await world.advance({ hours: 20 });
  await arrive(1900);
  await world.advance({ days: 8 });
  expect(await happened()).toEqual([
    ...offered,
    'day 0 +05:00 payment_received',
    'day 0 +05:00 mail bank_transfer_rest sent',
    'day 1 +01:00 payment_received',
    'day 1 +01:00 activated',
    'day 1 +01:00 access full',
    'day 1 +01:00 mail subscription_confirmed sent',
  ]);
});

it('one whose money the bank takes back is awaited again with a new clock, by a new run of its process', async () => {
  const subscriptionId = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  const { currentPeriod } = await readSubscription(world, subscriptionId);
  await world.advanceTo(currentPeriod.endsAt);
  const { arrive, takeBack, read, happened, invoiceId } = await askForTransfer(world, subscriptionId);
  await world.advance({ hours: 3 });
  const paymentId = await arrive(2900);
  expect((await read()).status).toBe('settled');
  const settledAt = world.now().toISOString();
  await world.advance({ hours: 5 });
  await takeBack(paymentId);
  const again = await read();
  expect(again.status).toBe('awaiting');
  expect(Date.parse(again.expiresAt) - Date.parse(again.issuedAt)).toBe(7 * 86_400_000);
  expect(again.issuedAt > settledAt).toBe(true);
  await world.advance({ hours: 2 });
  await arrive(2900);
  expect((await read()).status).toBe('settled');
  const lines = (await happened()).filter((line) =>
    /bank_transfer|payment_(received|returned|recovered)/.test(line),
  );
  expect(lines).toEqual([
    ...offered,
    'day 0 +03:00 payment_received',
    'day 0 +03:00 mail payment_recovered sent',
    'day 0 +08:00 payment_returned',
    'day 0 +08:00 mail bank_payment_returned sent',
    'day 0 +08:00 mail bank_transfer_instructions sent',
    'day 0 +10:00 payment_received',
    'day 0 +10:00 mail payment_recovered sent',
  ]);
  const { status } = await world.client.workflow.getHandle(bankTransferWorkflowId(invoiceId)).describe();
  expect(status.name).toBe('COMPLETED');
});

it('one that has expired is given more time, and pays', async () => {
  const { act, read, arrive } = await firstInvoice();
  await world.advance({ days: 8 });
  expect((await read()).status).toBe('expired');
  await act('extend', { days: 3, reason: 'the bank needs longer' });
  await world.advance({ days: 2 });
  expect((await read()).status).toBe('awaiting');
  await act('confirmation', { number: 'MMQFMP0N000123' });
  await world.advance({ days: 2 });
  expect((await read()).status).toBe('expired');
  await act('extend', { days: 3, reason: 'it is on its way' });
  await arrive(2900);
  expect((await read()).status).toBe('settled');
});
