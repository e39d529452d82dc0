/** Customers send proofs of their transfers: while somebody looks, nothing runs out; what is said of them is done once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bankTransferWorkflowId } from '../../workflows/payments/bank-transfer.contract.ts';
import { picture } from '../support/proof-files.ts';
import { openFeed } from './feed.ts';
import { newCustomer, readSubscription, subscribe } from './people.ts';
import { askForTransfer, type Transfer, takeTransfers } from './transfers.ts';
import { type Body, createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  await takeTransfers(world);
});
afterAll(() => world.close());

/** A subscription that begins with a payment, and instructions for its first invoice over USD 29.00. */
async function firstInvoice(): Promise<Transfer & { subscriptionId: string }> {
  const customerId = await newCustomer(world);
  const subscriptionId = await subscribe(world, { start: 'payment', customerId });
  return { ...(await askForTransfer(world, subscriptionId)), subscriptionId };
}

let seed = 0;

async function send({ id }: Transfer): Promise<Body> {
  seed += 1;
  const form = new FormData();
  form.append(
    'file',
    new Blob([Uint8Array.from(await picture('png', { seed, width: 30 + seed }))]),
    'proof.png',
  );
  return world.ok('POST', `/v1/bank_transfers/${id}/proofs`, form);
}

const offered = ['day 0 bank_transfer_offered', 'day 0 mail bank_transfer_instructions sent'];

/** What is looked at again and again while nothing is decided is left out. */
async function told({ happened }: Transfer): Promise<string[]> {
  return (await happened()).filter((line) => !line.includes('expiry_postponed'));
}

it('nothing is asked and nothing expires while a proof waits; approved, it activates the subscription once', async () => {
  const from = world.now();
  const transfer = await firstInvoice();
  await world.advance({ hours: 20 });
  const proof = await send(transfer);
  await world.advance({ days: 12 });
  expect(await transfer.read()).toMatchObject({ status: 'in_review', askedAt: null });
  expect((await readSubscription(world, transfer.subscriptionId)).status).toBe('incomplete');
  const approve = () => world.ok('POST', `/v1/bank_proofs/${proof.id}/approve`, {});
  const approved = await approve();
  expect(await approve()).toEqual(approved);
  expect(approved).toMatchObject({ status: 'approved', outcome: 'booked' });
  await world.advance({ days: 3 });
  expect(await told(transfer)).toEqual([
    ...offered,
    'day 0 +20:00 bank_proof_sent',
    'day 2 bank_transfer_alerted',
    'day 12 +20:00 payment_received',
    'day 12 +20:00 activated',
    'day 12 +20:00 access full',
    'day 12 +20:00 bank_proof_approved',
    'day 12 +20:00 mail subscription_confirmed sent',
  ]);
  const notices = (await world.effects({ from })).filter((line) => line.includes('bank_operator_alert'));
  expect(notices).toHaveLength(2);
  const run = await world.client.workflow.getHandle(bankTransferWorkflowId(transfer.invoiceId)).describe();
  expect(run.status.name).toBe('COMPLETED');
});

it('rejected, the customer is told why and has the time of the review again; then it expires like any other', async () => {
  const transfer = await firstInvoice();
  await world.advance({ days: 6 });
  const { id } = await send(transfer);
  await world.advance({ days: 3 });
  await world.ok('POST', `/v1/bank_proofs/${id}/reject`, { reason: 'The amount cannot be read.' });
  expect((await transfer.read()).status).toBe('awaiting');
  await world.advance({ days: 2 });
  expect((await transfer.read()).status).toBe('expired');
  const lines = await told(transfer);
  expect(lines.slice(lines.findIndex((line) => line.includes('bank_proof_sent')))).toEqual([
    'day 6 bank_proof_sent',
    'day 9 bank_proof_rejected',
    'day 9 mail bank_transfer_proof_rejected sent',
    'day 10 bank_transfer_expired',
    'day 10 mail bank_transfer_expired sent',
  ]);
});

it('approved just after the money was matched, there is one payment and one activation', async () => {
  const transfer = await firstInvoice();
  await world.advance({ hours: 1 });
  const { id } = await send(transfer);
  const { status } = await transfer.read();
  expect(status).toBe('in_review');
  await world.advance({ hours: 1 });
  await transfer.arrive(2900);
  const approved = await world.ok('POST', `/v1/bank_proofs/${id}/approve`, {});
  expect(approved).toMatchObject({ outcome: 'superseded', paymentId: null });
  await world.advance({ days: 1 });
  const lines = await told(transfer);
  expect(lines.filter((line) => /payment_received|activated$|subscription_confirmed/.test(line))).toEqual([
    'day 0 +02:00 payment_received',
    'day 0 +02:00 activated',
    'day 0 +02:00 mail subscription_confirmed sent',
  ]);
});

it('money that is seen after its proof was approved is that payment, and nothing is paid or credited twice', async () => {
  const transfer = await firstInvoice();
  await world.advance({ hours: 1 });
  const { id } = await send(transfer);
  const { paymentId } = await world.ok('POST', `/v1/bank_proofs/${id}/approve`, {});
  await world.advance({ days: 2 });
  const feed = await openFeed(world);
  const { reference } = await transfer.read();
  const [seen, twice] = await feed.tell(
    { text: `WIRE ${reference}`, amountMinor: 2900 },
    { text: `WIRE AGAIN ${reference}`, amountMinor: 2900 },
  );
  const read = (transactionId: string | undefined) =>
    world.ok('GET', `/v1/bank_transactions/${transactionId}`);
  const [first, second] = [await read(seen), await read(twice)];
  expect(first).toMatchObject({ status: 'matched', decisions: [{ kind: 'proof_seen' }] });
  expect(first.allocations).toMatchObject([{ paymentId, invoiceId: transfer.invoiceId, amountMinor: 2900 }]);
  expect(second).toMatchObject({ status: 'matched', decisions: [{ kind: 'duplicate_credit' }] });
  const { data } = await world.ok('GET', `/v1/payments?invoiceId=${transfer.invoiceId}`);
  expect(data).toHaveLength(2);
  const lines = await told(transfer);
  expect(lines.filter((line) => /activated$/.test(line))).toEqual(['day 0 +01:00 activated']);
});
