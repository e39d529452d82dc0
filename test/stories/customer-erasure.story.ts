/** The erasure: 30 days after the last subscription ended nothing personal is left, and what must stay has stayed. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { tracesOf } from './traces.ts';
import { type Body, createWorld, type World } from './world.ts';

const start = '2031-03-01T10:00:00Z';

const person = {
  email: 'Wilhelmina.Oakentree@example.test',
  name: 'Wilhelmina Oakentree',
  externalRef: 'account-of-oakentree',
  currency: 'USD',
  address: { country: 'DE', lines: ['Villa Oakentree'] },
  taxId: 'DE123456789',
  taxExemption: { reason: 'Certificate of W. Oakentree' },
};
const comment = 'My sister Quillabeth runs it now.';
const personal = ['oakentree', 'wilhelmina', 'quillabeth', '7319', 'de123456789'];

describe('30 days after the end', () => {
  let world: World;
  let customerId: string;
  let id: string;
  let before: { traces: string[]; invoices: Body[] };

  // Trial, conversion, a failed renewal recovered by a payment with a note, a cancellation with a comment: the
  // subscription ends on 1 June. A life that leaves traces everywhere.
  beforeAll(async () => {
    world = await createWorld({ startsAt: start });
    await world.ok('PUT', '/v1/tax_settings', { legalName: 'Acme Books GmbH', address: { country: 'DE' } });
    ({ customerId, id } = await begin(world));
    await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    await world.advanceTo('2031-04-01T20:00:00Z');
    const [, unpaid] = await invoicesOf(world, id);
    await world.ok('POST', `/v1/invoices/${unpaid.id}/payments`, {
      amountMinor: 2900,
      currency: 'USD',
      method: 'wire',
      reason: 'on the statement',
      reference: 'wire 4711',
      note: `Cash from ${person.name}`,
    });
    await world.advanceTo('2031-05-20T10:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { reason: 'given_away', comment });
    await world.advanceTo('2031-06-15T10:00:00Z');
    before = { traces: await tracesOf(world.adminUrl, personal), invoices: await invoicesOf(world, id) };
    await world.advanceTo('2031-07-10T10:00:00Z');
  });
  afterAll(() => world.close());

  it('no column of any table holds the name, the address, the card or the words of the customer any more', async () => {
    // The search does find the person wherever there is something to erase.
    expect(before.traces).toEqual([
      'customers.address',
      'customers.email',
      'customers.external_ref',
      'customers.name',
      'customers.name_key',
      'customers.tax_exempt_reason',
      'customers.tax_id',
      'invoices.bill_to',
      'invoices.notes',
      'notifications.recipient',
      'payment_methods.last4',
      'payments.note',
      'subscription_events.message',
      'subscriptions.cancel_comment',
    ]);
    expect(await tracesOf(world.adminUrl, personal)).toEqual([]);
    expect(await world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject({
      email: null,
      name: null,
      externalRef: null,
      address: null,
      taxId: null,
      taxExemption: null,
      defaultPaymentMethodId: null,
      erasedAt: expect.stringMatching(/^2031-07-01T10:00/),
    });
    expect(await readSubscription(world, id)).toMatchObject({
      status: 'cancelled',
      closedAt: expect.stringMatching(/^2031-07-01T10:00/),
    });
  });

  it('invoices and payments stay, under a pseudonym, and the audit log says what was done', async () => {
    expect(before.invoices.map(({ status }) => status)).toEqual(['paid', 'paid', 'paid']);
    expect(await invoicesOf(world, id)).toEqual(before.invoices);
    const invoice = await world.ok('GET', `/v1/invoices/${before.invoices[0].id}`);
    expect(invoice).toMatchObject({
      number: 'INV-000001',
      totalMinor: 2900,
      billTo: { name: 'Erased customer', email: '', addressLines: [], taxId: null },
      notes: ['Exempt from tax.'],
    });
    const { data } = await world.ok('GET', `/v1/audit_log?entityId=${customerId}`);
    expect(data[0]).toMatchObject({
      action: 'customer.erased',
      actor: `workflow:subscription/${id}`,
      details: { fields: expect.arrayContaining(['email', 'name', 'invoices.billTo', 'notifications']) },
    });
  });

  it("the card vendor's customer is deleted with the card, once", () => {
    expect(deletions(world)).toMatchObject([{ outcome: 'effect', detail: 'deleted' }]);
  });

  it('the erased customer cannot be changed, subscribed or mailed any more', async () => {
    const mailsBefore = world.resend.mails().length;
    const asks = [
      await world.request('PATCH', `/v1/customers/${customerId}`, { body: { name: 'Somebody' } }),
      await world.request('POST', '/v1/subscriptions', { body: { customerId, planCode: 'team-weekly' } }),
    ];
    for (const refused of asks)
      expect(refused).toMatchObject({ status: 409, body: { code: 'customer_erased' } });
    expect(world.resend.mails()).toHaveLength(mailsBefore);
  });

  it('the same person is refused a second trial, and may subscribe again by paying', async () => {
    const again = await world.ok('POST', '/v1/customers', { ...person, email: person.email.toUpperCase() });
    const refused = await world.request('POST', '/v1/subscriptions', {
      body: { customerId: again.id, planCode: 'pro-monthly', start: 'trial' },
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'trial_already_used' } });

    const paid = await subscribe(world, { customerId: again.id, start: 'payment' });
    await useCard(world, paid, 'succeeded');
    expect(await readSubscription(world, paid)).toMatchObject({ status: 'active' });
  });
});

describe('the erasure', () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld({ startsAt: start });
  });
  afterEach(() => world.close());

  it('waits while another subscription of the customer lives, and comes 30 days after the last one', async () => {
    const { customerId, id: books } = await begin(world);
    const team = await subscribe(world, { customerId, plan: 'team-weekly' });
    await world.advanceTo('2031-03-02T10:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${books}/cancel`, { mode: 'now', comment });
    await world.advanceTo('2031-03-12T10:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${team}/cancel`, { mode: 'now', comment });

    await world.advanceTo('2031-04-05T10:00:00Z');
    expect((await world.effects({ subscriptionId: books, from: start })).at(-1)).toBe('day 31 data_kept');
    expect(await readSubscription(world, books)).toMatchObject({ cancellation: { comment: null } });
    expect(await tracesOf(world.adminUrl, ['oakentree'])).toContain('customers.email');
    expect(deletions(world)).toEqual([]);

    await world.advanceTo('2031-04-12T10:00:00Z');
    expect((await world.effects({ subscriptionId: team, from: start })).at(-1)).toBe('day 41 data_erased');
    expect(await tracesOf(world.adminUrl, personal)).toEqual([]);
    expect(deletions(world)).toHaveLength(1);
  });

  it('of our own rows does not wait for a card vendor that is away; the vendor follows when it is back', async () => {
    const { customerId, id } = await begin(world);
    await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { mode: 'now', comment });
    world.stripeFaults({ rates: { error_before: 1 }, ops: ['customers.delete'] });
    await world.advanceTo('2031-03-31T13:00:00Z');
    expect(await tracesOf(world.adminUrl, personal)).toEqual([]);
    expect(await readSubscription(world, id)).toMatchObject({ closedAt: null });
    const late = await world.request('POST', '/v1/subscriptions', {
      body: { customerId, planCode: 'team-weekly' },
    });
    expect(late).toMatchObject({ status: 409, body: { code: 'customer_erased' } });

    world.stripeFaults({});
    await world.advanceTo('2031-03-31T14:00:00Z');
    expect(deletions(world).filter(({ outcome }) => outcome === 'effect')).toHaveLength(1);
    expect(await readSubscription(world, id)).toMatchObject({ closedAt: expect.any(String) });
  });
});

/** The person begins a trial, with a card that pays once, then has nothing, then pays again. */
async function begin(world: World): Promise<{ customerId: string; id: string }> {
  const customerId = (await world.ok('POST', '/v1/customers', person)).id;
  const id = await subscribe(world, { customerId });
  const outcomes = ['succeeded', 'insufficient_funds', 'succeeded'];
  await world.ok('PUT', `/v1/subscriptions/${id}/payment_method`, {
    paymentMethodId: world.stripe.createCard({ last4: '7319', outcomes }),
  });
  return { customerId, id };
}

function deletions(world: World) {
  return world.stripe.effects().filter(({ op }) => op === 'customers.delete');
}
