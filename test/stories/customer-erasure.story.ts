/** The erasure: 30 days after the last subscription ended nothing personal is left, and what must stay has stayed. */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { tracesOf } from './traces.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T10:00:00Z';

const person = {
  email: 'Wilhelmina.Oakentree@example.test',
  name: 'Wilhelmina Oakentree',
  externalRef: 'account-of-oakentree',
  currency: 'USD',
};
const comment = 'My sister Quillabeth runs it now.';
const personal = ['oakentree', 'wilhelmina', 'quillabeth'];

let world: World;
afterEach(() => world.close());

describe('30 days after the end', () => {
  it('no column of any table holds the name, the address or the words of the customer any more', async () => {
    const { customerId, id } = await livedThrough();
    await world.advanceTo('2031-06-15T10:00:00Z');
    // What there is to erase: the search finds the person in all these places.
    expect(await tracesOf(world.adminUrl, personal)).toEqual([
      'customers.email',
      'customers.external_ref',
      'customers.name',
      'invoices.bill_to',
      'notifications.recipient',
      'payments.note',
      'subscriptions.cancel_comment',
    ]);

    await world.advanceTo('2031-07-10T10:00:00Z');
    expect(await tracesOf(world.adminUrl, personal)).toEqual([]);
    expect(await world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject({
      email: null,
      name: null,
      externalRef: null,
      defaultPaymentMethodId: null,
      erasedAt: expect.stringMatching(/^2031-07-01T10:00/),
    });
    expect(await readSubscription(world, id)).toMatchObject({
      status: 'cancelled',
      closedAt: expect.stringMatching(/^2031-07-01T10:00/),
    });
  });

  it('invoices, payments and the books stay, under a pseudonym, and the audit log says what was done', async () => {
    const { customerId, id } = await livedThrough();
    const before = await invoicesOf(world, id);
    await world.advanceTo('2031-07-10T10:00:00Z');

    expect(await invoicesOf(world, id)).toEqual(before);
    const invoice = await world.ok('GET', `/v1/invoices/${before[0].id}`);
    expect(invoice).toMatchObject({
      number: 'INV-000001',
      totalMinor: 2900,
      billTo: { name: 'Erased customer', email: '' },
    });
    const { data } = await world.ok('GET', `/v1/audit_log?entityId=${customerId}`);
    expect(data[0]).toMatchObject({
      action: 'customer.erased',
      actor: `workflow:subscription/${id}`,
      details: { fields: expect.arrayContaining(['email', 'name', 'invoices.billTo', 'notifications']) },
    });
  });

  it("the card vendor's customer is deleted with the card, once", async () => {
    await livedThrough();
    await world.advanceTo('2031-07-10T10:00:00Z');
    const deletions = world.stripe.effects().filter(({ op }) => op === 'customers.delete');
    expect(deletions).toMatchObject([{ outcome: 'effect', detail: 'deleted' }]);
  });

  it('the same person is refused a second trial, and may subscribe again by paying', async () => {
    await livedThrough();
    await world.advanceTo('2031-07-10T10:00:00Z');
    const again = await world.ok('POST', '/v1/customers', { ...person, email: person.email.toUpperCase() });
    const refused = await world.request('POST', '/v1/subscriptions', {
      body: { customerId: again.id, planCode: 'pro-monthly', start: 'trial' },
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'trial_already_used' } });

    const id = await subscribe(world, { customerId: again.id, start: 'payment' });
    await useCard(world, id, 'succeeded');
    expect(await readSubscription(world, id)).toMatchObject({ status: 'active' });
  });

  it('the erased customer cannot be changed, subscribed or mailed any more', async () => {
    const { customerId } = await livedThrough();
    await world.advanceTo('2031-07-10T10:00:00Z');
    const mailsBefore = world.resend.mails().length;
    const asks = [
      await world.request('PATCH', `/v1/customers/${customerId}`, { body: { name: 'Somebody' } }),
      await world.request('POST', '/v1/subscriptions', { body: { customerId, planCode: 'team-weekly' } }),
    ];
    for (const refused of asks) expect(refused).toMatchObject({ status: 409, body: { code: 'customer_erased' } });
    expect(world.resend.mails()).toHaveLength(mailsBefore);
  });
});

describe('while another subscription of the customer lives', () => {
  it('the data is kept, and erased 30 days after the last one ended', async () => {
    world = await createWorld({ startsAt: start });
    const customerId = (await world.ok('POST', '/v1/customers', person)).id;
    const books = await subscribe(world, { customerId });
    const team = await subscribe(world, { customerId, plan: 'team-weekly' });
    await world.advanceTo('2031-03-02T10:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${books}/cancel`, { mode: 'now', comment });
    await world.advanceTo('2031-03-12T10:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${team}/cancel`, { mode: 'now', comment });

    await world.advanceTo('2031-04-05T10:00:00Z');
    expect((await world.effects({ subscriptionId: books, from: start })).at(-1)).toBe('day 31 data_kept');
    expect(await readSubscription(world, books)).toMatchObject({ cancellation: { comment: null } });
    expect(await tracesOf(world.adminUrl, ['oakentree'])).toContain('customers.email');

    await world.advanceTo('2031-04-12T10:00:00Z');
    expect((await world.effects({ subscriptionId: team, from: start })).at(-1)).toBe('day 41 data_erased');
    expect(await tracesOf(world.adminUrl, personal)).toEqual([]);
  });
});

/**
 * A life that leaves traces everywhere: trial, conversion, a failed renewal recovered by a payment with a note, and a
 * cancellation with a comment for the end of the period on 1 June.
 */
async function livedThrough(): Promise<{ customerId: string; id: string }> {
  world = await createWorld({ startsAt: start });
  const customerId = (await world.ok('POST', '/v1/customers', person)).id;
  const id = await subscribe(world, { customerId });
  await useCard(world, id, 'succeeded', 'insufficient_funds', 'succeeded');
  await world.ok('POST', `/v1/subscriptions/${id}/convert`);
  await world.advanceTo('2031-04-01T20:00:00Z');
  const [, unpaid] = await invoicesOf(world, id);
  await world.ok('POST', `/v1/invoices/${unpaid.id}/payments`, {
    amountMinor: 2900,
    currency: 'USD',
    reference: 'wire 4711',
    note: `Cash from ${person.name}`,
  });
  await world.advanceTo('2031-05-20T10:00:00Z');
  await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { reason: 'given_away', comment });
  await world.advanceTo('2031-06-02T10:00:00Z');
  return { customerId, id };
}
