/** An invoice's life as a document: drafted by hand, issued by the daily run, reminded of, and paid by wire at last. */
import { afterEach, expect, it } from 'vitest';
import { readPdf, textsOf } from '../support/pdf.ts';
import { runJob } from './jobs.ts';
import { invoicesOf, mailsOf, subscribePaid } from './people.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

/** Just after ten: the run of that day. */
async function dailyRun(day: string): Promise<void> {
  await world.advanceTo(`${day}T10:00:05Z`);
  await runJob(world, 'dailyInvoiceRun');
}

it('is drafted, issued, mailed, reminded of after 3, 7 and 14 days, and paid by wire with a receipt; nobody is dunned for it', async () => {
  world = await createWorld({ startsAt: '2031-03-01T09:00:00Z' });
  const from = world.now();
  const subscriptionId = await subscribePaid(world, { outcomes: ['succeeded'] });
  const before = (await world.effects({ subscriptionId, from })).length;
  const draft = await world.ok('POST', '/v1/invoices', {
    subscriptionId,
    lines: [{ description: 'Onboarding workshop', quantity: 2, unitMinor: 45_000 }],
    finalisesAt: '2031-03-03T00:00:00Z',
  });

  for (const day of ['2031-03-02', '2031-03-03', '2031-03-04']) await dailyRun(day);
  const [, invoice] = await invoicesOf(world, subscriptionId);
  expect(invoice).toMatchObject({ id: draft.id, number: 'INV-000002', status: 'open', dueMinor: 90_000 });
  // Due on the 17th. A run that is repeated, or comes on a day between, sends nothing.
  for (const day of ['2031-03-17', '2031-03-20', '2031-03-20', '2031-03-22', '2031-03-24', '2031-03-31']) {
    await dailyRun(day);
  }
  await dailyRun('2031-03-31');
  await world.advanceTo('2031-03-31T12:00:00Z');
  const wire = {
    amountMinor: 90_000,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 17',
    receivedAt: '2031-03-31T11:00:00Z',
  };
  await world.ok('POST', `/v1/invoices/${draft.id}/payments`, wire);
  await dailyRun('2031-04-07');

  expect((await world.effects({ subscriptionId, from })).slice(before)).toEqual([
    'day 2 +01:00 invoice_issued',
    'day 2 +01:00 mail invoice_issued sent',
    'day 19 +01:00 invoice_reminder',
    'day 19 +01:00 mail invoice_reminder sent',
    'day 23 +01:00 invoice_reminder',
    'day 23 +01:00 mail invoice_reminder sent',
    'day 30 +01:00 invoice_reminder',
    'day 30 +01:00 mail invoice_reminder sent',
    'day 30 +03:00 payment_received',
    'day 30 +03:00 mail payment_received sent',
    'day 31 charge USD 29.00 succeeded',
    'day 31 renewed',
    'day 31 invoice_issued',
    'day 31 payment_received',
    'day 31 mail payment_receipt sent',
  ]);

  const mails = (await mailsOf(world, subscriptionId)).slice(2, 7);
  const files = await Promise.all(
    mails.map(async ({ id }) => {
      const [file] = world.resend.files(id);
      const texts = textsOf(await readPdf(Buffer.from(file?.content ?? '', 'base64')));
      return [texts[0], texts[1], texts[texts.indexOf('Due date') + 1]];
    }),
  );
  expect(files).toEqual([
    ...Array.from({ length: 4 }, () => ['Invoice', 'Open', '17 Mar 2031']),
    ['Receipt', 'Paid', 'Receipt'],
  ]);
  expect(mails[3]?.text).toContain('was due on 17 Mar 2031, 14 days ago');
});
