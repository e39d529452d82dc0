// `npm run demo -- <process>` on a machine where the product may run already: it plays in a place of its own, and what it
// shows in the end is what it promises.

import { readdir, rm } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { finish, runCommand } from './command.ts';
import { createFolder, ownPorts } from './place.ts';

test('a whole life is played, and ends cancelled and erased, with every paid invoice charged once', async () => {
  const folder = await createFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stdout, stderr } = await finish(
    runCommand(['demo', 'subscription'], await elsewhere(folder)),
  );

  const outcome = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect(outcome).toMatchObject({
    process: 'subscription',
    status: 'cancelled',
    erased: true,
    invoicesChargedTwice: 0,
    vendorCharges: outcome.invoicesPaid,
  });
  expect(outcome.invoicesPaid).toBeGreaterThanOrEqual(3);
  expect(milestonesIn(stderr)).toEqual(milestones.map(([milestone]) => milestone));
  expect(code).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('a bank statement with noise pays three invoices, one of them because an operator says so', async () => {
  const folder = await createFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stdout } = await finish(runCommand(['demo', 'bank-reconciliation'], await elsewhere(folder)));

  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
    process: 'bank-reconciliation',
    invoicesPaid: 3,
    movements: { ignored: 1, matched: 3, payout: 1, unmatched: 1 },
    creditMinor: 3_000,
  });
  expect(code).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('three invoices are paid in coins: exactly, in two parts, and too late; each is booked once', async () => {
  const folder = await createFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stdout } = await finish(runCommand(['demo', 'crypto-invoice'], await elsewhere(folder)));

  const { pages, ...outcome } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect(outcome).toEqual({
    process: 'crypto-invoice',
    offersSettled: 3,
    flags: [[], [], ['late', 'marked']],
    invoicesPaid: 3,
    payments: 4,
    lots: 4,
    settledTwice: 0,
  });
  const [exact, inParts, late] = pages;
  const paid = ['Waiting for your payment', 'Your payment is on its way', 'Paid'];
  expect(exact).toEqual(paid);
  expect(inParts).toEqual(paid);
  expect(late).toContain('Expired');
  expect(late.at(-1)).toBe('Paid');
  expect(code).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('a demo that does not exist is refused with the names of those that do', async () => {
  const { code, stderr } = await finish(runCommand(['demo', 'dunning'], {}));
  expect(stderr).toContain(
    'There is no demo of dunning; there is: subscription, crypto-invoice, bank-reconciliation.',
  );
  expect(code).toBe(1);
});

const milestones = [
  ['trial', /The trial of Pro monthly began/],
  ['conversion', /Activated: invoice INV-000001 is paid/],
  ['paid renewal', /received for invoice INV-000002/],
  ['failed renewal', /Past due: invoice INV-000003 is unpaid/],
  ['dunning', /Day 7 of dunning: access is restricted/],
  ['recovery', /Recovered: invoice INV-000003 is paid/],
  ['cancellation', /The subscription was cancelled/],
  ['erasure', /personal data is erased/],
] as const;

/** The milestones that were told, in the order in which they were. */
function milestonesIn(narration: string): string[] {
  return milestones
    .map(([milestone, line]) => ({ milestone, at: narration.search(line) }))
    .filter(({ at }) => at !== -1)
    .toSorted((a, b) => a.at - b.at)
    .map(({ milestone }) => milestone);
}

/** Servers and a vendor that a person works with; the demo must not meet them. Its own folder is made in `folder`. */
async function elsewhere(folder: string) {
  const ports = await ownPorts();
  return {
    ...ports,
    TMPDIR: folder,
    DATABASE_URL: `postgres://perennial:perennial@127.0.0.1:${ports['POSTGRES_PORT']}/perennial`,
    TEMPORAL_ADDRESS: `127.0.0.1:${ports['TEMPORAL_PORT']}`,
    STRIPE_SECRET_KEY: 'sk_test_not_to_be_used',
    STRIPE_WEBHOOK_SECRETS: 'whsec_not_to_be_used',
    BITCOIN_NODES: 'http://not-to-be-used.example:8332',
    ETHEREUM_NODES: 'http://not-to-be-used.example:8545',
  };
}
