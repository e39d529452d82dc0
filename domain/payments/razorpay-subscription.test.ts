/** What Razorpay was told, when that is worth nothing any more, and which invoice a charge of it is for. */
import { describe, expect, it } from 'vitest';
import {
  type CollectedTerms,
  collectsPeriod,
  cyclesOf,
  expectsInvoice,
  hasFailed,
  invoiceOfCycle,
  isCollecting,
  isEnded,
  type RazorpaySubscriptionStatus,
  whyEnd,
} from './razorpay-subscription.ts';

const active: CollectedTerms = {
  status: 'active',
  cancelAtPeriodEnd: false,
  planId: 'plan_1',
  quantity: 1,
  trialEndsAt: '2026-02-15T10:00:00.000Z',
  anchor: '2026-02-15T10:00:00.000Z',
};
const trialing: CollectedTerms = { ...active, status: 'trialing', anchor: null };

describe('a change of ours ends it at Razorpay', () => {
  it.each<[string, CollectedTerms, Partial<CollectedTerms>, string]>([
    ['cancelled at once', active, { status: 'cancelled' }, 'subscription_ended'],
    ['expired', { ...active, status: 'incomplete' }, { status: 'expired' }, 'subscription_ended'],
    ['cancelled for its end', active, { cancelAtPeriodEnd: true }, 'subscription_cancelled'],
    ['paused', active, { status: 'paused' }, 'subscription_paused'],
    ['on another plan', active, { planId: 'plan_2' }, 'terms_changed'],
    ['of more seats', active, { quantity: 2 }, 'terms_changed'],
    ['in a longer trial', trialing, { trialEndsAt: '2026-02-20T10:00:00.000Z' }, 'start_moved'],
    ['converted early', trialing, { status: 'active', anchor: '2026-02-10T10:00:00.000Z' }, 'start_moved'],
  ])('where it is %s', (_, before, change, reason) => {
    expect(whyEnd(before, { ...before, ...change })).toBe(reason);
  });

  it.each<[string, CollectedTerms, Partial<CollectedTerms>]>([
    ['nothing has changed', active, {}],
    ['it falls past due', active, { status: 'past_due' }],
    ['the trial ends as it was to', trialing, { status: 'active', anchor: trialing.trialEndsAt }],
    [
      'a first payment arrives',
      { ...trialing, status: 'incomplete', trialEndsAt: null },
      { status: 'active' },
    ],
    ['a cancellation is taken back', { ...active, cancelAtPeriodEnd: true }, { cancelAtPeriodEnd: false }],
    ['it had ended before', { ...active, status: 'cancelled' }, { quantity: 2 }],
  ])('but not where %s', (_, before, change) => {
    expect(whyEnd(before, { ...before, ...change })).toBeNull();
  });
});

it('each state says whether Razorpay charges, has failed, or has ended', () => {
  const states: Record<RazorpaySubscriptionStatus, string> = {
    creating: '',
    refused: 'ended',
    created: '',
    authenticated: 'collecting',
    active: 'collecting',
    pending: 'collecting failed',
    halted: 'failed',
    paused: '',
    cancelled: 'ended',
    completed: 'ended',
    expired: 'ended',
  };
  for (const [status, words] of Object.entries(states) as [RazorpaySubscriptionStatus, string][]) {
    const said = [
      isCollecting(status) ? ['collecting'] : [],
      hasFailed(status) ? ['failed'] : [],
      isEnded(status) ? ['ended'] : [],
    ];
    expect(said.flat().join(' '), status).toBe(words);
  }
});

it('Razorpay collects the periods from its start on, and all where it started at once', () => {
  const startsAt = '2026-02-15T10:00:00.000Z';
  expect(collectsPeriod({ startsAt }, '2026-02-15T09:59:59.999Z')).toBe(false);
  expect(collectsPeriod({ startsAt }, startsAt)).toBe(true);
  expect(collectsPeriod({ startsAt: null }, '2020-01-01T00:00:00.000Z')).toBe(true);
});

describe('a charge is for the invoice', () => {
  const month = (from: string, to: string, status = 'open') => ({
    id: `${from} ${status}`,
    periodStartsAt: new Date(`${from}T10:00:00Z`),
    periodEndsAt: new Date(`${to}T10:00:00Z`),
    status,
  });
  const issued = [month('2026-02-15', '2026-03-15', 'paid'), month('2026-03-15', '2026-04-15')];

  it.each([
    ['2026-03-15T10:00:00.000Z', '2026-03-15 open'],
    ['2026-03-14T18:30:00.000Z', '2026-03-15 open'],
    ['2026-03-16T04:00:00.000Z', '2026-03-15 open'],
    ['2026-02-15T10:00:00.000Z', '2026-02-15 paid'],
    ['2026-04-15T10:00:00.000Z', undefined],
    ['2026-01-15T10:00:00.000Z', undefined],
  ])('whose period begins nearest to its cycle: %s', (cycle, id) => {
    expect(invoiceOfCycle(issued, cycle)?.id).toBe(id);
  });

  it('that counts, where one of the same period was voided', () => {
    const twice = [month('2026-03-15', '2026-04-15', 'void'), month('2026-03-15', '2026-04-15')];
    expect(invoiceOfCycle(twice, '2026-03-15T10:00:00.000Z')?.status).toBe('open');
    expect(invoiceOfCycle(twice.slice(0, 1), '2026-03-15T10:00:00.000Z')?.status).toBe('void');
  });
});

it('an invoice is waited for where one is about to be issued', () => {
  const nextAt = '2026-03-15T10:00:00.000Z';
  const going = { status: 'active', cancelAtPeriodEnd: false, nextAt } as const;
  expect(expectsInvoice(going, '2026-03-15T09:00:00.000Z')).toBe(true);
  expect(expectsInvoice(going, '2026-03-17T10:00:00.000Z')).toBe(true);
  expect(expectsInvoice(going, '2026-03-17T10:00:00.001Z')).toBe(false);
  expect(expectsInvoice({ ...going, cancelAtPeriodEnd: true }, nextAt)).toBe(false);
  expect(expectsInvoice({ ...going, status: 'paused' }, nextAt)).toBe(false);
  expect(expectsInvoice({ ...going, status: 'cancelled' }, nextAt)).toBe(false);
  expect(expectsInvoice({ ...going, status: 'suspended', nextAt: null }, nextAt)).toBe(true);
});

it.each([
  [{ unit: 'month', count: 1 }, 120],
  [{ unit: 'month', count: 3 }, 40],
  [{ unit: 'year', count: 1 }, 10],
  [{ unit: 'year', count: 20 }, 1],
  [{ unit: 'week', count: 1 }, 520],
  [{ unit: 'day', count: 7 }, 521],
] as const)('%j is authorised for %i cycles: ten years', (interval, cycles) => {
  expect(cyclesOf(interval)).toBe(cycles);
});
