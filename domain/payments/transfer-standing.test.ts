import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BankTransferStatus, bankTransferStatuses, isTransferOpen } from './bank-transfer.ts';
import {
  statusAfterDeed,
  statusFollowing,
  type TransferSituation,
  transferDeeds,
  transferInWords,
} from './transfer-standing.ts';

type InvoiceStatus = TransferSituation['invoice']['status'];

const situation = (
  status: InvoiceStatus,
  { paidMinor = 0, paidBeforeMinor = 0, isErased = false } = {},
): TransferSituation => ({ invoice: { status, paidMinor }, paidBeforeMinor, isErased });

const open = situation('open');
const partlyPaid = situation('open', { paidMinor: 400 });

describe('a transfer follows its invoice', () => {
  it.each(bankTransferStatuses)('%s: paid in whatever way it is settled, and closed it is void', (status) => {
    expect(statusFollowing(status, situation('paid', { paidMinor: 900 }))).toBe('settled');
    expect(statusFollowing(status, situation('paid', { isErased: true }))).toBe('settled');
    expect(statusFollowing(status, situation('void'))).toBe('void');
    expect(statusFollowing(status, situation('uncollectible'))).toBe('void');
    expect(statusFollowing(status, situation('open', { isErased: true }))).toBe('void');
  });

  it.each<[BankTransferStatus, BankTransferStatus, BankTransferStatus]>([
    ['awaiting', 'awaiting', 'partially_paid'],
    ['partially_paid', 'awaiting', 'partially_paid'],
    ['in_review', 'in_review', 'in_review'],
    ['on_hold', 'on_hold', 'on_hold'],
    ['expired', 'expired', 'expired'],
    ['settled', 'awaiting', 'awaiting'],
  ])('%s: open it is %s, and with a part of the money %s', (status, nothing, part) => {
    expect(statusFollowing(status, open)).toBe(nothing);
    expect(statusFollowing(status, partlyPaid)).toBe(part);
  });

  it('what was paid before the instructions were given is no part of the transfer', () => {
    const before = situation('open', { paidMinor: 400, paidBeforeMinor: 400 });
    expect(statusFollowing('awaiting', before)).toBe('awaiting');
    const more = situation('open', { paidMinor: 401, paidBeforeMinor: 400 });
    expect(statusFollowing('awaiting', more)).toBe('partially_paid');
  });

  it('a second look changes nothing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...bankTransferStatuses),
        fc.constantFrom<InvoiceStatus>('open', 'paid', 'void', 'uncollectible'),
        fc.record({ paidMinor: fc.nat(3), paidBeforeMinor: fc.nat(3), isErased: fc.boolean() }),
        (status, invoice, more) => {
          const once = statusFollowing(status, situation(invoice, more));
          const twice = statusFollowing(once, situation(invoice, more));
          // What is owed again has new instructions, before which everything was paid that is.
          const isAnew = !isTransferOpen(status) && isTransferOpen(once);
          expect(isAnew ? 'awaiting' : twice).toBe(once);
        },
      ),
    );
  });
});

describe('a deed', () => {
  it.each([
    situation('paid'),
    situation('void'),
    situation('uncollectible'),
    situation('open', { isErased: true }),
  ])('does nothing where nobody waits for money: %j', (given) => {
    for (const status of bankTransferStatuses)
      for (const deed of transferDeeds) expect(statusAfterDeed(status, deed, given)).toBeNull();
  });

  it.each<[(typeof transferDeeds)[number], Partial<Record<BankTransferStatus, BankTransferStatus>>]>([
    ['offer', { awaiting: 'awaiting', partially_paid: 'awaiting', expired: 'awaiting' }],
    ['hold', { awaiting: 'on_hold', partially_paid: 'on_hold', in_review: 'on_hold', on_hold: 'on_hold' }],
    ['resume', { on_hold: 'awaiting' }],
    [
      'extend',
      {
        awaiting: 'awaiting',
        partially_paid: 'partially_paid',
        in_review: 'in_review',
        on_hold: 'on_hold',
        expired: 'awaiting',
      },
    ],
    ['expire', { awaiting: 'expired', partially_paid: 'expired' }],
    [
      'send_proof',
      {
        awaiting: 'in_review',
        partially_paid: 'in_review',
        in_review: 'in_review',
        on_hold: 'on_hold',
        expired: 'in_review',
      },
    ],
    ['judge_proof', { in_review: 'awaiting' }],
  ])('%s applies to the statuses it is for, and to no other', (deed, expected) => {
    for (const status of bankTransferStatuses)
      expect([status, statusAfterDeed(status, deed, open)]).toEqual([status, expected[status] ?? null]);
  });

  it.each([
    ['on_hold', 'resume'],
    ['expired', 'extend'],
    ['in_review', 'judge_proof'],
  ] as const)('%s goes on by %s where a part has come', (status, deed) => {
    expect(statusAfterDeed(status, deed, partlyPaid)).toBe('partially_paid');
  });
});

it.each([
  [
    'awaiting',
    { kind: 'ask_customer', at: '2026-03-03T10:00:00Z' },
    'Waiting for the transfer; the customer is asked where it is on Tue 3 Mar 2026 10:00 UTC.',
  ],
  [
    'in_review',
    { kind: 'alert_operators', at: '2026-03-03T10:00:00Z' },
    'A proof of the transfer waits to be looked at; the operators are alerted on Tue 3 Mar 2026 10:00 UTC.',
  ],
  [
    'partially_paid',
    { kind: 'expire', at: '2026-03-03T10:00:00Z' },
    'A part has come; waiting for the rest; the instructions expire on Tue 3 Mar 2026 10:00 UTC.',
  ],
  ['on_hold', null, 'On hold; the clock stands still until somebody resumes it.'],
  ['settled', null, 'Paid.'],
] as const)('%s is told in words', (status, next, words) => {
  expect(transferInWords(status, next)).toBe(words);
});
