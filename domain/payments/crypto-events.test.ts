import { describe, expect, it } from 'vitest';
import { at, decided, historyOf, minedAt, paymentOf, termsOf } from '../../test/support/crypto-situation.ts';
import {
  type CryptoEventKind,
  type CryptoSnapshot,
  cryptoEventKinds,
  eventsBetween,
  isHarmless,
  needsBooks,
  untouched,
} from './crypto-events.ts';
import type { CryptoAct, CryptoDecision, CryptoHistory } from './crypto-invoice.ts';

const third = { version: 3, reversals: 0 };
type Given = NonNullable<Parameters<typeof decided>[0]>;

/** What is told when first the one and then the other is decided. */
function told(first: Given | null, second: Given): CryptoEventKind[] {
  const before = first === null ? untouched : decided(first);
  const history = first === null ? {} : historyOf(before as CryptoDecision, beginning, at('11:00'));
  const after = decided({ ...second, history: { ...history, ...second.history } });
  expect(eventsBetween(after, after, third)).toEqual([]);
  return eventsBetween(before, after, third).map(({ kind }) => kind);
}

const beginning: CryptoHistory = { status: 'awaiting', settledAt: null, flags: [] };
const key = `${'a'.repeat(64)}:0`;
const accept: CryptoAct = { kind: 'accept', paymentKeys: [key], at: at('30:00'), rate: 'locked' };
const dismiss: CryptoAct = { kind: 'dismiss', paymentKeys: [key], at: at('30:00') };
const seen = { payments: [paymentOf()] };
const mined = { payments: [paymentOf({ block: minedAt(98) })], now: '40:00' };
const part = { payments: [paymentOf({ units: 60_000n })] };
const late = { payments: [paymentOf({ effectiveAt: at('20:00') })], now: '20:00' };
const out = { payments: [paymentOf({ orphanedAt: at('50:00') })], now: '51:00' };
const conflict = {
  payments: [paymentOf({ orphanedAt: at('50:00'), rival: { txid: 'away', height: 95 } })],
  now: '55:00',
};
const replaced = { payments: [paymentOf({ rival: { txid: 'away', height: null } })] };
const other = paymentOf({ asset: 'USDC', chain: 'ethereum', units: 5_000_000n, usdRate: '1' });

describe('what is told', () => {
  it.each<[what: string, first: Given | null, second: Given, kinds: CryptoEventKind[]]>([
    ['nothing of nothing', null, {}, []],
    ['a payment that is enough', null, seen, ['payment_seen', 'processing']],
    ['a payment that is not', null, part, ['payment_seen', 'partial_payment']],
    [
      'the rest of it',
      part,
      { payments: [...part.payments, paymentOf({ txid: '2', units: 40_000n })] },
      ['payment_seen', 'processing'],
    ],
    ['that it is in a block', seen, { payments: [paymentOf({ block: minedAt(100) })] }, []],
    ['that it is deep', seen, mined, ['settled']],
    ['what was missed all at once', null, { ...mined, now: '40:00' }, ['payment_seen', 'settled']],
    [
      'what was missed for days',
      null,
      { payments: [paymentOf({ block: minedAt(1) })] },
      ['payment_seen', 'settled', 'finalised'],
    ],
    ['that it is final', mined, { ...mined, view: { tipHeight: 197 } }, ['finalised']],
    ['an expiry', {}, { now: '16:00' }, ['expired']],
    ['a part that expired', part, { ...part, now: '16:00' }, ['expired', 'review_opened']],
    [
      'an extension',
      { now: '16:00' },
      { terms: termsOf({ expiresAt: at('1h') }), now: '17:00' },
      ['extended'],
    ],
    ['late money', { now: '16:00' }, late, ['late_payment', 'review_opened']],
    [
      'late money accepted',
      { ...late, history: { status: 'expired' } },
      { ...late, acts: [accept] },
      ['processing', 'review_closed', 'marked'],
    ],
    [
      'late money dismissed',
      { ...late, history: { status: 'expired' } },
      { ...late, acts: [dismiss] },
      ['review_closed'],
    ],
    [
      'money replaced elsewhere',
      seen,
      replaced,
      ['payment_replaced', 'payment_reversed', 'double_spend_attempt'],
    ],
    [
      'money replaced elsewhere after the expiry',
      seen,
      { ...replaced, now: '16:00' },
      ['payment_replaced', 'payment_reversed', 'expired', 'double_spend_attempt'],
    ],
    [
      'a part replaced elsewhere',
      part,
      { payments: [paymentOf({ units: 60_000n, rival: { txid: 'away', height: null } })] },
      ['payment_replaced', 'payment_reversed', 'double_spend_attempt'],
    ],
    [
      'a higher fee, and no second payment',
      seen,
      { payments: [paymentOf({ rival: { txid: '2', height: null } }), paymentOf({ txid: '2' })] },
      ['payment_replaced'],
    ],
    [
      'a payment dropped',
      { ...part, now: '16:00' },
      { ...part, now: '4d' },
      ['payment_dropped', 'payment_reversed', 'review_closed'],
    ],
    ['another asset', null, { payments: [paymentOf({ asset: 'ETH' })] }, ['wrong_asset', 'review_opened']],
    ['another chain', null, { payments: [other] }, ['wrong_chain', 'review_opened']],
    ['no unknown token', null, { payments: [paymentOf({ asset: null, token: '0xfake' })] }, []],
    ['dust', null, { payments: [paymentOf({ units: 600n })] }, ['dust_ignored']],
    ['an excess', seen, { payments: [paymentOf({ units: 150_000n })] }, ['over_paid']],
    [
      'an unconfirmed parent',
      seen,
      { payments: [paymentOf({ unconfirmedParent: 'parent' })] },
      ['unconfirmed_parent'],
    ],
    ['a payment that is slow', seen, { ...seen, now: '70:00' }, ['slow_confirm']],
    ['one that is overdue', { ...seen, now: '70:00' }, { ...seen, now: '130:00' }, ['confirmation_overdue']],
    ['one that is fast at last', { ...seen, now: '70:00' }, { ...mined, now: '71:00' }, ['settled']],
    [
      'the end of the watch',
      seen,
      { payments: [paymentOf({ seenAt: at('25h') })], now: '25h' },
      ['failed_to_confirm'],
    ],
    ['a pause', seen, { ...seen, view: { isPaused: true } }, ['paused']],
    ['its end', { ...seen, view: { isPaused: true } }, seen, ['resumed']],
    ['a block that left the chain', mined, out, ['reorged']],
    [
      'one that is back, once it is deep',
      { ...out, history: { status: 'settled', settledAt: at('1m') } },
      { payments: [paymentOf({ block: minedAt(98) })], now: '60:00' },
      ['reorg_healed'],
    ],
    [
      'one whose coins are spent elsewhere for good',
      out,
      { ...conflict, payments: conflict.payments.map((each) => ({ ...each, seenAt: at('50:00') })) },
      ['double_spend_attempt', 'double_spent'],
    ],
    [
      'a settlement lost to a rival',
      mined,
      conflict,
      ['settlement_reversed', 'double_spend_attempt', 'double_spent'],
    ],
    [
      'a settlement lost without one',
      mined,
      { ...out, now: '500:00' },
      ['settlement_reversed', 'double_spent'],
    ],
    [
      'coins that are back after that',
      { ...conflict, history: { status: 'settled', settledAt: at('1m') } },
      { ...mined, now: '9h', history: { status: 'invalid', settledAt: at('1m') } },
      ['settled'],
    ],
    ['a cancellation', {}, { acts: [{ kind: 'cancel', at: at('1m') }] }, ['cancelled']],
    [
      'a mark as settled',
      {},
      { acts: [{ kind: 'mark_settled', at: at('1m'), txid: null }] },
      ['settled', 'marked'],
    ],
    ['a mark as invalid', {}, { acts: [{ kind: 'mark_invalid', at: at('1m'), txid: null }] }, ['marked']],
    [
      'a mark as invalid of what an operator had accepted',
      { ...late, acts: [accept], history: { status: 'expired' } },
      { ...late, acts: [accept, { kind: 'mark_invalid', at: at('1m'), txid: null }] },
      ['marked'],
    ],
    [
      'a mark as invalid of what was settled',
      mined,
      { ...mined, acts: [{ kind: 'mark_invalid', at: at('1m'), txid: null }] },
      ['settlement_reversed', 'review_opened', 'marked'],
    ],
  ])('%s', (_what, first, second, kinds) => {
    expect(told(first, second)).toEqual(kinds);
  });

  it('what was on time and is late by another quote is told', () => {
    const before: CryptoSnapshot = {
      ...untouched,
      status: 'expired',
      payments: [{ chain: 'bitcoin', key, status: 'seen', isLate: false }],
    };
    const kinds = eventsBetween(before, decided({ ...late, history: { status: 'expired' } }), third);
    expect(kinds.map(({ kind }) => kind)).toEqual(['late_payment', 'review_opened']);
  });

  it('a payment that comes back is no new one; late, it is told again', () => {
    const gone = (isLate: boolean): CryptoSnapshot => ({
      ...untouched,
      status: 'expired',
      payments: [{ chain: 'bitcoin', key, status: 'dropped', isLate }],
    });
    expect(
      eventsBetween(
        gone(false),
        decided({ ...part, history: { status: 'expired' }, now: '16:00' }),
        third,
      ).map(({ kind }) => kind),
    ).toEqual(['partial_payment', 'review_opened']);
    expect(
      eventsBetween(gone(true), decided({ ...late, history: { status: 'expired' } }), third).map(
        ({ kind }) => kind,
      ),
    ).toEqual(['late_payment', 'review_opened']);
  });
});

describe('an event', () => {
  it('names its payment and the sums, and is kept under a key of its own', () => {
    const after = decided({ payments: [paymentOf({ units: 150_000n, block: minedAt(98) })] });
    const sums = { creditedUnits: '150000', excessUnits: '50000', missingUnits: '0' };
    expect(eventsBetween(untouched, after, { version: 7, reversals: 1 })).toEqual([
      {
        key: `payment_seen:bitcoin:${key}`,
        kind: 'payment_seen',
        payment: { chain: 'bitcoin', key, txid: 'a'.repeat(64), units: '150000' },
        ...sums,
      },
      { key: 'over_paid:7', kind: 'over_paid', payment: null, ...sums },
      { key: 'settled:2', kind: 'settled', payment: null, ...sums },
    ]);
  });

  it.each([
    ['payment_replaced', seen, replaced, `payment_replaced:bitcoin:${key}:3`],
    ['late_payment', {}, late, `late_payment:bitcoin:${key}:3`],
    ['dust_ignored', {}, { payments: [paymentOf({ units: 600n })] }, `dust_ignored:bitcoin:${key}`],
    ['wrong_asset', {}, { payments: [paymentOf({ asset: 'ETH' })] }, `wrong_asset:bitcoin:${key}:3`],
    ['wrong_chain', {}, { payments: [other] }, `wrong_chain:ethereum:${key}:3`],
    ['settlement_reversed', mined, conflict, 'settlement_reversed:1'],
    ['partial_payment', {}, part, 'partial_payment:3'],
  ] as const)('%s has its key', (kind, first: Given, second: Given, expected) => {
    const before = decided(first);
    const after = decided({ ...second, history: historyOf(before, beginning, at('11:00')) });
    const found = eventsBetween(before, after, third).find((event) => event.kind === kind);
    expect(found?.key).toBe(expected);
  });

  it('moves money when it settles or reverses, and is harmless where nobody is told', () => {
    expect(cryptoEventKinds.filter((kind) => needsBooks({ kind }))).toEqual([
      'settled',
      'settlement_reversed',
    ]);
    expect(cryptoEventKinds.filter((kind) => isHarmless({ kind }))).toEqual([
      'payment_replaced',
      'payment_dropped',
      'dust_ignored',
      'finalised',
      'unconfirmed_parent',
      'reorg_healed',
      'review_closed',
      'paused',
      'resumed',
    ]);
  });
});
