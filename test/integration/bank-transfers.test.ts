/**
 * Invoices paid by bank transfer, over the API: instructions under a reference of their own, what happens while no money comes,
 * what operators do, and whatever else happens to the invoice. Twice, at once, and in any order.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { eraseCustomer } from '../../db/queries/billing/erase-customer.ts';
import { lockCustomer } from '../../db/queries/billing/subscriptions.ts';
import { chargeAttempts, paymentMethods } from '../../db/schema/payments.ts';
import { hasCheckDigit } from '../../domain/payments/transfer-reference.ts';
import type { Json } from '../support/api.ts';
import { eur, usd } from '../support/receiving-accounts.ts';
import { createInvoiceScene } from './invoice-scene.ts';
import { createTransferScene, hoursAfter, T0, type TransferScene } from './transfer-scene.ts';

let scene: TransferScene;
beforeAll(async () => {
  scene = await createTransferScene();
});
afterAll(() => scene.close());
beforeEach(() => scene.at(T0));

const outboxOf = (invoiceId: string) =>
  scene.api.sql(
    "SELECT topic, envelope->>'signal' AS signal FROM outbox WHERE envelope->>'workflowId' = $1 ORDER BY id",
    [`bank-transfer/${invoiceId}`],
  );

describe('instructions', () => {
  it('are given by country and currency, mailed, noted, audited and waited for, in one transaction', async () => {
    const { invoiceId, customerId, subscriptionId } = await scene.invoice();
    const { status, body } = await scene.ask(invoiceId);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      invoiceId,
      customerId,
      status: 'awaiting',
      waitingFor: 'Waiting for the transfer; the customer is asked where it is on Tue 3 Mar 2026 10:00 UTC.',
      dueMinor: 90_000,
      currency: 'USD',
      method: 'ach',
      isInternational: false,
      payerCountry: 'US',
      detailsVersion: 1,
      accountId: 'usd-main',
      epcQr: null,
      issuedAt: T0,
      askAt: '2026-03-03T10:00:00.000Z',
      alertAt: '2026-03-04T10:00:00.000Z',
      expiresAt: '2026-03-09T10:00:00.000Z',
      askedAt: null,
      heldAt: null,
      confirmationNumber: null,
      links: { temporal: expect.stringContaining(encodeURIComponent(`bank-transfer/${invoiceId}`)) },
    });
    expect(hasCheckDigit(body.reference)).toBe(true);
    expect(body.lines.map(({ key, value }: Json) => [key, value])).toEqual([
      ['holder', 'Acme Books Inc'],
      ['routing_number', '021000021'],
      ['account_number', '000123456789'],
      ['bank_name', 'First Bank'],
      ['amount', '900.00'],
      ['reference', body.reference],
    ]);
    expect(await scene.read(body.id)).toEqual(body);
    expect(await scene.mails(body.id)).toEqual(['bank_transfer_instructions']);
    expect(await scene.timeline(subscriptionId)).toEqual(['bank_transfer_offered']);
    expect(await outboxOf(invoiceId)).toEqual([{ topic: 'workflow.start', signal: null }]);
    const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${body.id}`);
    expect(data).toMatchObject([
      { action: 'bank_transfer.offered', details: { invoiceId, detailsVersion: 1 } },
    ]);
    for (const query of [
      `invoiceId=${invoiceId}`,
      `reference=${body.reference}`,
      'status=awaiting&limit=1',
    ]) {
      expect((await scene.ok('GET', `/v1/bank_transfers?${query}`)).data).toEqual([body]);
    }
  });

  it('are one, whoever asks again and however many at once', async () => {
    const { invoiceId } = await scene.invoice();
    const answers = await Promise.all(Array.from({ length: 5 }, () => scene.ask(invoiceId)));
    scene.at(hoursAfter(30));
    answers.push(await scene.ask(invoiceId, {}));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    const [first] = answers;
    for (const { body } of answers) expect(body).toEqual(first?.body);
    expect(await scene.mails(first?.body.id)).toHaveLength(1);
    expect(await outboxOf(invoiceId)).toHaveLength(1);
  });

  it('go by where the customer lives, unless told otherwise', async () => {
    const { invoiceId, customerId } = await scene.invoice();
    expect(await scene.ask(invoiceId, {})).toMatchObject({
      status: 409,
      body: { reason: 'payer_country_unknown' },
    });
    const address = { country: 'GB', postalCode: 'SW1A 1AA', lines: ['1 Main Street', 'London'] };
    await scene.ok('PATCH', `/v1/customers/${customerId}`, { address });
    const abroad = (await scene.ask(invoiceId, {})).body;
    expect(abroad).toMatchObject({ method: 'international_wire', isInternational: true, payerCountry: 'GB' });
    // Nobody calls it late before five business days.
    expect([abroad.askAt, abroad.alertAt, abroad.expiresAt]).toEqual([
      '2026-03-09T10:00:00.000Z',
      '2026-03-10T10:00:00.000Z',
      '2026-03-11T10:00:00.000Z',
    ]);
    const home = (await scene.ask(invoiceId, { country: 'US' })).body;
    expect(home).toMatchObject({ id: abroad.id, reference: abroad.reference, method: 'ach' });
    expect((await scene.ask(invoiceId, {})).body).toEqual(home);
  });

  it('are given anew under the same reference when the account is another one since, or they have expired', async () => {
    const own = await createTransferScene();
    try {
      const { invoiceId } = await own.invoice();
      const first = (await own.ask(invoiceId)).body;
      await own.ok('PUT', '/v1/bank_details', {
        expectedVersion: 1,
        accounts: [{ ...usd, accountNumber: '000987654321' }, eur],
      });
      own.at(hoursAfter(5));
      const second = (await own.ask(invoiceId)).body;
      expect(second).toMatchObject({ id: first.id, reference: first.reference, detailsVersion: 2 });
      expect(JSON.stringify(second.lines)).toContain('000987654321');
      expect(second.issuedAt).toBe(hoursAfter(5));
      const at = hoursAfter(200);
      expect(await own.look(first.id, at)).toEqual({ status: 'expired', next: null });
      own.at(at);
      const third = (await own.ask(invoiceId)).body;
      expect(third).toMatchObject({
        id: first.id,
        reference: first.reference,
        pageUrl: first.pageUrl,
        status: 'awaiting',
        issuedAt: at,
        askedAt: null,
        alertedAt: null,
      });
      expect(await own.mails(first.id)).toEqual([
        'bank_transfer_instructions',
        'bank_transfer_instructions',
        'bank_operator_alert',
        'bank_transfer_expired',
        'bank_transfer_instructions',
      ]);
    } finally {
      await own.close();
    }
  });

  it('are refused where no account is configured, or none that can be paid from there, and nothing is written', async () => {
    const own = await createInvoiceScene();
    try {
      const { subscriptionId } = await own.subscribed();
      const { id } = await own.oneOff(subscriptionId);
      const refusal = async () => {
        const answer = await own.request('POST', `/v1/invoices/${id}/bank_transfer`, { country: 'KE' });
        return [answer.status, answer.body.reason];
      };
      expect(await refusal()).toEqual([409, 'bank_details_missing']);
      const { bic: _, ...unreachable } = usd;
      await own.ok('PUT', '/v1/bank_details', { expectedVersion: 0, accounts: [unreachable, eur] });
      expect(await refusal()).toEqual([409, 'no_account_for_payer']);
      const { bank_transfers, notifications, outbox } = await own.api.rowCounts();
      expect(bank_transfers).toBe(0);
      expect(await refusal()).toEqual([409, 'no_account_for_payer']);
      expect(await own.api.rowCounts()).toMatchObject({ bank_transfers, notifications, outbox });
    } finally {
      await own.close();
    }
  });

  it('are refused where nothing is due, or the invoice is being paid otherwise', async () => {
    const paid = await scene.invoice();
    await scene.pay(paid.invoiceId, 90_000);
    const voided = await scene.invoice();
    await scene.ok('POST', `/v1/invoices/${voided.invoiceId}/void`, {});
    const { id: draft } = await scene.draft(paid.subscriptionId);
    const charged = await scene.invoice();
    const { tenantId } = scene.tenant;
    const { invoiceId: chargedId, customerId } = charged;
    await withTenant(scene.api.db, tenantId, async (tx) => {
      const card = { brand: 'visa', last4: '4242', expMonth: 1, expYear: 2030, attachedAt: new Date(T0) };
      await tx.insert(paymentMethods).values({ id: 'pm_1', tenantId, customerId, ...card });
      await tx.insert(chargeAttempts).values({
        id: 'att_under_way',
        tenantId,
        invoiceId: chargedId,
        ordinal: 1,
        origin: 'renewal',
        originKey: 'x',
        amountMinor: 90_000,
        currency: 'USD',
        status: 'pending',
        paymentMethodId: 'pm_1',
        vendorCustomerId: 'cus_1',
        startedAt: new Date(T0),
      });
    });
    for (const [invoiceId, reason] of [
      [paid.invoiceId, 'invoice_not_open'],
      [voided.invoiceId, 'invoice_not_open'],
      [charged.invoiceId, 'charge_in_flight'],
    ] as const) {
      expect(await scene.ask(invoiceId)).toMatchObject({ status: 409, body: { reason } });
    }
    for (const invoiceId of [draft, `inv_${'0'.repeat(32)}`]) {
      expect((await scene.ask(invoiceId)).status).toBe(404);
    }
    for (const body of [{ country: 'us' }, { country: 'XX' }, { amountMinor: 1 }, []]) {
      expect((await scene.ask(charged.invoiceId, body)).status).toBe(400);
    }
  });
});

describe('while no money comes', () => {
  it('the customer is asked after a day, operators are told then and alerted a day later, and it expires after a week', async () => {
    const { id, subscriptionId, invoiceId } = await scene.offered();
    expect(await scene.look(id, hoursAfter(23))).toEqual({ status: 'awaiting', next: 'ask_customer' });
    expect(await scene.mails(id)).toHaveLength(1);
    for (const next of [1, 2]) {
      expect([next, await scene.look(id, hoursAfter(24))]).toEqual([
        next,
        { status: 'awaiting', next: 'alert_operators' },
      ]);
    }
    expect(await scene.look(id, hoursAfter(48))).toEqual({ status: 'awaiting', next: 'expire' });
    expect(await scene.look(id, hoursAfter(7 * 24))).toEqual({ status: 'expired', next: null });
    expect(await scene.look(id, hoursAfter(7 * 24 + 1))).toEqual({ status: 'expired', next: null });
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_transfer_question',
      'bank_operator_alert',
      'bank_operator_alert',
      'bank_transfer_expired',
    ]);
    expect(await scene.timeline(subscriptionId)).toEqual([
      'bank_transfer_offered',
      'bank_transfer_asked',
      'bank_transfer_alerted',
      'bank_transfer_expired',
    ]);
    // The invoice is owed all the same.
    expect((await scene.ok('GET', `/v1/invoices/${invoiceId}`)).status).toBe('open');
  });

  it('a worker that was away tells what holds by then, and several that look at once tell it once', async () => {
    const { id } = await scene.offered();
    const looks = await Promise.all([1, 2, 3].map(() => scene.look(id, hoursAfter(8 * 24))));
    expect(new Set(looks.map(({ status }) => status))).toEqual(new Set(['expired']));
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_operator_alert',
      'bank_transfer_expired',
    ]);
  });
});

describe('a transfer follows its invoice', () => {
  it.each(['bank', 'manual', 'stripe'] as const)(
    'paid by %s it is settled, and its process hears it',
    async (rail) => {
      const { id, invoiceId } = await scene.offered();
      await scene.pay(invoiceId, 90_000, { rail });
      expect(await scene.read(id)).toMatchObject({ status: 'settled', dueMinor: 0, waitingFor: 'Paid.' });
      expect(await outboxOf(invoiceId)).toMatchObject([
        {},
        { topic: 'workflow.signal_with_start', signal: 'look' },
      ]);
      expect(await scene.look(id, hoursAfter(200))).toEqual({ status: 'settled', next: null });
      expect(await scene.mails(id)).toHaveLength(1);
    },
  );

  it('paid in parts the rest is asked for, once for each part, and nobody is asked where the money is', async () => {
    const { id, invoiceId } = await scene.offered();
    await scene.pay(invoiceId, 40_000);
    expect(await scene.read(id)).toMatchObject({ status: 'partially_paid', dueMinor: 50_000 });
    await scene.look(id, hoursAfter(1));
    await scene.look(id, hoursAfter(30));
    await scene.pay(invoiceId, 30_000, { at: hoursAfter(31) });
    await scene.look(id, hoursAfter(31));
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_transfer_rest',
      'bank_transfer_rest',
    ]);
    await scene.pay(invoiceId, 20_000, { at: hoursAfter(32) });
    expect((await scene.read(id)).status).toBe('settled');
  });

  it('paid in part, taken back, and paid in part again, the rest is asked for each time, once', async () => {
    const { id, invoiceId } = await scene.offered();
    const part = await scene.pay(invoiceId, 40_000);
    await scene.look(id, hoursAfter(1));
    await scene.takeBack(part, hoursAfter(2));
    expect((await scene.look(id, hoursAfter(2))).status).toBe('awaiting');
    await scene.pay(invoiceId, 40_000, { at: hoursAfter(3) });
    for (const _again of [1, 2]) await scene.look(id, hoursAfter(3));
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_transfer_rest',
      'bank_transfer_rest',
    ]);
  });

  it('keeps silent where the last part is taken back and the one before is left', async () => {
    const { id, invoiceId } = await scene.offered();
    await scene.pay(invoiceId, 40_000);
    await scene.look(id, hoursAfter(1));
    const second = await scene.pay(invoiceId, 30_000, { at: hoursAfter(2) });
    await scene.look(id, hoursAfter(2));
    const told = await scene.mails(id);
    await scene.takeBack(second, hoursAfter(3));
    expect((await scene.look(id, hoursAfter(3))).status).toBe('partially_paid');
    expect(await scene.mails(id)).toEqual(told);
  });

  it('what was paid before the instructions were given is no part of the transfer', async () => {
    const { invoiceId } = await scene.invoice();
    await scene.pay(invoiceId, 40_000, { rail: 'manual', at: T0 });
    const { id, dueMinor } = (await scene.ask(invoiceId)).body;
    expect(dueMinor).toBe(50_000);
    expect(await scene.look(id, hoursAfter(25))).toEqual({ status: 'awaiting', next: 'alert_operators' });
    expect(await scene.mails(id)).toContain('bank_transfer_question');
  });

  it('whose payment is taken back it is awaited again, with a new clock and the accounts of now', async () => {
    const { id, invoiceId, reference } = await scene.offered();
    const paymentId = await scene.pay(invoiceId, 90_000);
    await scene.takeBack(paymentId, hoursAfter(100));
    expect(await scene.read(id)).toMatchObject({
      status: 'awaiting',
      reference,
      dueMinor: 90_000,
      issuedAt: hoursAfter(100),
      expiresAt: hoursAfter(100 + 7 * 24),
    });
    expect(await scene.look(id, hoursAfter(101))).toEqual({ status: 'awaiting', next: 'ask_customer' });
    expect(await scene.mails(id)).toEqual(['bank_transfer_instructions', 'bank_transfer_instructions']);
    expect((await outboxOf(invoiceId)).map(({ topic }) => topic)).toEqual([
      'workflow.start',
      'workflow.signal_with_start',
      'workflow.signal_with_start',
    ]);
  });

  it.each(['void', 'mark_uncollectible'])(
    'given up by %s it is void, and paid after all it is settled',
    async (act) => {
      const { id, invoiceId } = await scene.offered();
      await scene.ok('POST', `/v1/invoices/${invoiceId}/${act}`, {});
      expect((await scene.read(id)).status).toBe('void');
      await scene.look(id, hoursAfter(300));
      expect(await scene.mails(id)).toHaveLength(1);
      if (act === 'void') return;
      await scene.pay(invoiceId, 90_000, { at: hoursAfter(301) });
      expect((await scene.read(id)).status).toBe('settled');
    },
  );

  it('paid in the same second as it expires it is settled, whichever comes first', async () => {
    const at = hoursAfter(7 * 24);
    for (let round = 0; round < 4; round += 1) {
      const { id, invoiceId } = await scene.offered();
      const both = [() => scene.pay(invoiceId, 90_000, { rail: 'stripe', at }), () => scene.look(id, at)];
      await Promise.all((round % 2 === 0 ? both : both.toReversed()).map((each) => each()));
      await scene.look(id, at);
      expect((await scene.read(id)).status).toBe('settled');
      const expiries = (await scene.mails(id)).filter((template) => template === 'bank_transfer_expired');
      expect(expiries.length).toBeLessThanOrEqual(1);
    }
  });

  it('an invoice without one costs nothing: no process is told', async () => {
    const { invoiceId } = await scene.invoice();
    await scene.pay(invoiceId, 90_000);
    expect(await outboxOf(invoiceId)).toEqual([]);
  });
});

describe('operators', () => {
  const reason = 'the bank has a question';

  it('hold a transfer: its clock stands still, the customer is mailed, and what was left of it is left after', async () => {
    const { id, subscriptionId } = await scene.offered();
    scene.at(hoursAfter(20));
    const held = (await scene.act(id, 'hold', { reason })).body;
    expect(held).toMatchObject({ status: 'on_hold', heldAt: hoursAfter(20), holdReason: reason });
    scene.at(hoursAfter(21));
    expect((await scene.act(id, 'hold', { reason: 'again' })).body).toEqual(held);
    expect(await scene.look(id, hoursAfter(500))).toEqual({ status: 'on_hold', next: null });
    scene.at(hoursAfter(120));
    const resumed = (await scene.act(id, 'resume')).body;
    expect(resumed).toMatchObject({
      status: 'awaiting',
      heldAt: null,
      holdReason: null,
      askAt: new Date(Date.parse(T0) + 124 * 3_600_000).toISOString(),
    });
    expect((await scene.act(id, 'resume')).body).toEqual(resumed);
    expect(await scene.look(id, hoursAfter(123))).toEqual({ status: 'awaiting', next: 'ask_customer' });
    expect(await scene.look(id, hoursAfter(125))).toEqual({ status: 'awaiting', next: 'alert_operators' });
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_transfer_on_hold',
      'bank_transfer_instructions',
      'bank_transfer_question',
      'bank_operator_alert',
    ]);
    expect(await scene.timeline(subscriptionId)).toEqual([
      'bank_transfer_offered',
      'bank_transfer_held',
      'bank_transfer_resumed',
      'bank_transfer_asked',
    ]);
    const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${id}`);
    expect(data.map(({ action, reason: why }: Json) => [action, why])).toEqual([
      ['bank_transfer.resumed', null],
      ['bank_transfer.held', reason],
      ['bank_transfer.offered', null],
    ]);
  });

  it('a transfer on hold that is paid is settled', async () => {
    const { id, invoiceId } = await scene.offered();
    await scene.act(id, 'hold', { reason });
    await scene.pay(invoiceId, 40_000);
    expect((await scene.read(id)).status).toBe('on_hold');
    await scene.pay(invoiceId, 50_000);
    expect(await scene.read(id)).toMatchObject({ status: 'settled', heldAt: null, holdReason: null });
  });

  it('give it more time, also after it has expired', async () => {
    const { id } = await scene.offered();
    const before = await scene.read(id);
    const longer = (await scene.act(id, 'extend', { days: 3, reason })).body;
    expect(Date.parse(longer.expiresAt) - Date.parse(before.expiresAt)).toBe(3 * 86_400_000);
    expect((await scene.look(id, hoursAfter(240))).status).toBe('expired');
    scene.at(hoursAfter(300));
    const revived = (await scene.act(id, 'extend', { days: 2, reason })).body;
    expect(revived).toMatchObject({ status: 'awaiting', expiresAt: hoursAfter(348) });
    expect(await scene.look(id, hoursAfter(301))).toEqual({ status: 'awaiting', next: 'expire' });
    expect(
      (await scene.mails(id)).filter((template) => template === 'bank_transfer_instructions'),
    ).toHaveLength(3);
  });

  it('give one on hold more time: the customer hears of it once it goes on', async () => {
    const { id } = await scene.offered();
    await scene.act(id, 'hold', { reason });
    await scene.act(id, 'extend', { days: 3, reason });
    expect(await scene.mails(id)).toEqual(['bank_transfer_instructions', 'bank_transfer_on_hold']);
    await scene.act(id, 'resume');
    expect((await scene.mails(id)).at(-1)).toBe('bank_transfer_instructions');
  });

  it('do nothing with one that nobody waits for', async () => {
    const { id, invoiceId } = await scene.offered();
    await scene.pay(invoiceId, 90_000);
    const before = await scene.read(id);
    for (const [act, body] of [
      ['hold', { reason }],
      ['resume', {}],
      ['extend', { days: 1, reason }],
      ['confirmation', { number: 'ABC12345' }],
    ] as const) {
      expect(await scene.act(id, act, body)).toMatchObject({
        status: 409,
        body: { code: 'state_conflict', reason: 'transfer_not_open' },
      });
    }
    expect(await scene.read(id)).toEqual(before);
  });

  it.each([
    ['hold', {}],
    ['hold', { reason: '' }],
    ['extend', { days: 0, reason }],
    ['extend', { days: 91, reason }],
    ['extend', { days: 1.5, reason }],
    ['confirmation', { number: '12345' }],
    ['confirmation', { number: '= 1+1 cmd' }],
    ['confirmation', { number: 'A'.repeat(65) }],
  ])('%s with %j is refused', async (act, body) => {
    const { id } = await scene.offered();
    expect(await scene.act(id, act, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('of a small rest end the waiting when that is written off, also on hold', async () => {
    for (const isHeld of [false, true]) {
      const { id, invoiceId } = await scene.offered();
      await scene.pay(invoiceId, 89_900);
      if (isHeld) await scene.act(id, 'hold', { reason: 'odd' });
      await scene.ok('POST', `/v1/invoices/${invoiceId}/write_off`, { reason: 'a bank kept it' });
      expect(await scene.read(id)).toMatchObject({ status: 'settled', dueMinor: 0 });
    }
  });

  it('of an invoice whose earlier payment is taken back are given anew, over all of it', async () => {
    const { invoiceId } = await scene.invoice();
    const paymentId = await scene.pay(invoiceId, 20_000);
    const { id } = (await scene.ask(invoiceId)).body;
    await scene.takeBack(paymentId, hoursAfter(2));
    await scene.look(id, hoursAfter(2));
    expect(await scene.read(id)).toMatchObject({ status: 'awaiting', dueMinor: 90_000 });
    await scene.pay(invoiceId, 15_000, { at: hoursAfter(3) });
    await scene.look(id, hoursAfter(3));
    expect(await scene.read(id)).toMatchObject({ status: 'partially_paid' });
    expect(await scene.mails(id)).toEqual([
      'bank_transfer_instructions',
      'bank_transfer_instructions',
      'bank_transfer_rest',
    ]);
  });

  it('keep the number of a confirmation, of which a later one takes its place', async () => {
    const { id } = await scene.offered();
    const first = (await scene.act(id, 'confirmation', { number: 'MMQFMP0N-000123' })).body;
    expect(first.confirmationNumber).toBe('MMQFMP0N-000123');
    expect((await scene.act(id, 'confirmation', { number: 'MMQFMP0N-000123' })).body).toEqual(first);
    await scene.look(id, hoursAfter(8 * 24));
    const late = (await scene.act(id, 'confirmation', { number: '20260305999' })).body;
    expect(late).toMatchObject({ status: 'expired', confirmationNumber: '20260305999' });
    const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${id}`);
    expect(JSON.stringify(data)).not.toMatch(/MMQFMP0N|20260305999/);
  });
});

it('nobody is asked for an erased customer, and the number that was told is nowhere any more', async () => {
  const { id, invoiceId, customerId, pageUrl } = await scene.offered();
  await scene.act(id, 'confirmation', { number: 'SECRET-4711-0815' });
  const { db } = scene.api;
  await withTenant(db, scene.tenant.tenantId, async (tx) =>
    eraseCustomer(tx, await lockCustomer(tx, customerId), { actor: 'test', at: new Date(hoursAfter(2)) }),
  );
  expect(await scene.read(id)).toMatchObject({ status: 'void', confirmationNumber: null });
  expect(await scene.look(id, hoursAfter(300))).toEqual({ status: 'void', next: null });
  expect(await scene.ask(invoiceId)).toMatchObject({ status: 409, body: { code: 'customer_erased' } });
  expect((await scene.api.request('GET', new URL(pageUrl).pathname)).status).toBe(404);
  const keys = await scene.api.sql(
    "SELECT 1 FROM idempotency_keys WHERE response_body::text LIKE '%SECRET-4711%'",
  );
  expect(keys).toEqual([]);
  const mails = await scene.api.sql('SELECT variables FROM notifications WHERE customer_id = $1', [
    customerId,
  ]);
  expect(mails.every(({ variables }) => Object.keys(variables).length === 0)).toBe(true);
});

it('another tenant sees and changes nothing', async () => {
  const { id, invoiceId, reference } = await scene.offered();
  const { token } = await scene.api.tenant();
  const asOther = (method: string, path: string, body?: unknown) =>
    scene.api.request(method, path, { token, ...(body !== undefined && { body }) });
  for (const { status } of [
    await asOther('GET', `/v1/bank_transfers/${id}`),
    await asOther('POST', `/v1/invoices/${invoiceId}/bank_transfer`, {}),
    await asOther('POST', `/v1/bank_transfers/${id}/hold`, { reason: 'x' }),
    await asOther('POST', `/v1/bank_transfers/${id}/resume`, {}),
    await asOther('POST', `/v1/bank_transfers/${id}/extend`, { days: 1, reason: 'x' }),
    await asOther('POST', `/v1/bank_transfers/${id}/confirmation`, { number: 'ABC12345' }),
  ]) {
    expect(status).toBe(404);
  }
  expect((await asOther('GET', `/v1/bank_transfers?reference=${reference}`)).body.data).toEqual([]);
});
