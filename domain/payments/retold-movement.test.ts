import { describe, expect, it } from 'vitest';
import { movement } from '../../test/support/bank-matching.ts';
import { type KeptMovement, keepable, retold, type ToldMovement } from './retold-movement.ts';

const at = new Date('2026-03-06T09:00:00Z');
const told: ToldMovement = movement(['WIRE', 'ADV48213075'], 49_900, {
  authorisedOn: '2026-03-04',
  payer: { name: 'Ada', account: 'NL91ABNA0417164300' },
  bankReference: 'F123',
});
const kept = (differs: Partial<KeptMovement> = {}): KeptMovement => ({
  ...told,
  source: 'plaid',
  status: 'matched',
  copyOfId: null,
  copyJudgedAt: null,
  removedAt: null,
  erasedAt: null,
  ...differs,
});
const toldAgain = (before: KeptMovement, now: ToldMovement, isReplaced = false) =>
  retold(before, now, { isReplaced });

describe('what is told again', () => {
  it.each<[string, Partial<ToldMovement>]>([
    ['amount', { amountMinor: 1 }],
    ['currency', { currency: 'EUR' }],
    ['day', { bookedOn: '2026-03-06' }],
    ['day it was made', { authorisedOn: null }],
    ['pending movement', { pendingExternalId: 'p' }],
    ['payer', { payer: { name: 'Bob', account: 'NL91ABNA0417164300' } }],
    ['account of the payer', { payer: { name: 'Ada', account: null } }],
    ['number of the bank', { bankReference: null }],
    ['exact amount', { roundedFrom: '499.005' }],
    ['texts', { texts: ['ADV48213075', 'WIRE'] }],
    ['fewer texts', { texts: ['WIRE'] }],
  ])('with another %s is a change, and what was decided stands', (_what, differs) => {
    expect(toldAgain(kept(), { ...told, ...differs })).toEqual({ status: 'matched', isFresh: false });
  });

  it('is none where it says the same', () => {
    expect(toldAgain(kept(), told)).toBeNull();
    expect(toldAgain(kept({ roundedFrom: null }), told)).toBeNull();
  });

  it('by a file with fewer texts, or in another order, is none; with more it is one', () => {
    const filed = kept({ source: 'camt' });
    expect(toldAgain(filed, { ...told, texts: ['ADV48213075'] })).toBeNull();
    expect(toldAgain(filed, { ...told, texts: ['ADV48213075', 'WIRE'] })).toBeNull();
    expect(toldAgain(filed, { ...told, texts: ['WIRE', 'more'] })).not.toBeNull();
  });

  it.each([
    ['new', true],
    ['copy_suspected', true],
    ['matched', false],
    ['suggested', false],
    ['payout', false],
  ] as const)('and was %s stands as told first: %s', (status, isFresh) => {
    const now = toldAgain(kept({ status }), { ...told, amountMinor: 1 });
    expect(now).toEqual({ status: isFresh ? 'new' : status, isFresh });
  });

  it.each([
    ['a copy', 'copy'],
    ['no copy', 'new'],
  ] as const)(
    'stays %s once somebody has said so, also on another day, unless it is another amount',
    (_, status) => {
      const judged = kept({ status, copyJudgedAt: at, copyOfId: 'btx' });
      for (const same of [{ bankReference: null }, { bookedOn: '2026-03-06' }])
        expect(toldAgain(judged, { ...told, ...same })).toEqual({ status, isFresh: false });
      for (const other of [{ amountMinor: 1 }, { currency: 'EUR' }])
        expect(toldAgain(judged, { ...told, ...other })).toEqual({ status: 'new', isFresh: true });
    },
  );
});

describe('a pending movement', () => {
  const waiting = kept({ status: 'pending', pending: true });

  it('is new once it is booked, and never pending again', () => {
    expect(toldAgain(waiting, told)).toEqual({ status: 'new', isFresh: true });
    expect(toldAgain(kept(), { ...told, pending: true, amountMinor: 1 })).toBeNull();
  });

  it('may change, and still waits', () => {
    expect(toldAgain(waiting, { ...told, pending: true, amountMinor: 1 })).toEqual({
      status: 'pending',
      isFresh: false,
    });
  });

  it('that a booked one has replaced is told in vain', () => {
    expect(toldAgain(waiting, { ...told, pending: true, amountMinor: 1 }, true)).toBeNull();
    const gone = kept({ status: 'removed', pending: true, removedAt: at });
    expect(toldAgain(gone, { ...told, pending: true }, true)).toBeNull();
  });
});

describe('a movement that was removed', () => {
  it('is there again, as if it were told for the first time', () => {
    const gone = kept({ status: 'removed', removedAt: at, copyJudgedAt: at });
    expect(toldAgain(gone, told)).toEqual({ status: 'new', isFresh: true });
    expect(toldAgain(gone, { ...told, pending: true })).toEqual({ status: 'pending', isFresh: false });
  });

  it('is as it was where nobody has taken it back yet', () => {
    expect(toldAgain(kept({ removedAt: at }), told)).toEqual({ status: 'matched', isFresh: false });
  });
});

it('of an erased customer nothing personal is kept', () => {
  expect(keepable(told, undefined)).toBe(told);
  expect(keepable(told, kept())).toBe(told);
  expect(keepable(told, kept({ erasedAt: at }))).toEqual({
    ...told,
    texts: [],
    payer: { name: null, account: null },
    bankReference: null,
  });
});

it('a file that says less takes nothing away, whatever else it says, and a feed says what holds', () => {
  const rich = { texts: ['ADV48213075', 'FEE'], payer: { name: 'Ada', account: 'DE1' }, bankReference: 'B1' };
  const filed = kept({ source: 'camt', pending: true, authorisedOn: '2026-03-01', ...rich });
  const poor = {
    ...told,
    texts: ['B1'],
    payer: { name: null, account: null },
    bankReference: null,
    authorisedOn: null,
  };
  expect(keepable(poor, filed)).toEqual({
    ...poor,
    ...rich,
    authorisedOn: '2026-03-01',
    texts: ['B1', 'ADV48213075', 'FEE'],
  });
  expect(keepable(poor, { ...filed, source: 'plaid' })).toBe(poor);
});

it('what is suspected as a copy stays so in other words, and is looked at anew as other money', () => {
  const suspected = kept({ status: 'copy_suspected', copyOfId: 'btx' });
  expect(toldAgain(suspected, { ...told, texts: ['OTHER WORDS'] })).toEqual({
    status: 'copy_suspected',
    isFresh: false,
  });
  expect(toldAgain(suspected, { ...told, amountMinor: 1 })).toEqual({ status: 'new', isFresh: true });
});
