import { describe, expect, it } from 'vitest';
import {
  at,
  decided,
  etherTermsOf,
  inputOf,
  minedAt,
  paymentOf,
  termsOf,
  viewOf,
} from '../../test/support/crypto-situation.ts';
import {
  type CryptoAct,
  type CryptoDecision,
  decideCryptoInvoice,
  inheritedEffectiveAt,
} from './crypto-invoice.ts';
import type { CryptoRival } from './crypto-payment.ts';
import { cryptoPolicyOn } from './crypto-policy.ts';

const accept = (keys: string[], rate: 'locked' | 'received' = 'locked'): CryptoAct => ({
  kind: 'accept',
  paymentKeys: keys,
  at: at('20:00'),
  rate,
});
const dismiss = (keys: string[]): CryptoAct => ({ kind: 'dismiss', paymentKeys: keys, at: at('20:00') });
const markSettled: CryptoAct = { kind: 'mark_settled', at: at('20:00'), txid: null };
const markInvalid: CryptoAct = { kind: 'mark_invalid', at: at('20:00'), txid: null };
const cancel: CryptoAct = { kind: 'cancel', at: at('20:00') };
const processing = { status: 'processing' } as const;
const settled = { status: 'settled', settledAt: at('45:00') } as const;
const expired = { status: 'expired' } as const;
const lost = { status: 'invalid', settledAt: at('45:00') } as const;
const part = (txid: string, units: bigint, changes = {}) => paymentOf({ txid, units, ...changes });
const statusesOf = ({ payments }: CryptoDecision) => payments.map(({ status }) => status);
const summary = ({ status, flags }: CryptoDecision) => [status, ...flags];

describe('paying', () => {
  it('nothing paid is nothing decided: it waits for the second after its expiry', () => {
    expect(decided()).toEqual({
      status: 'awaiting',
      flags: [],
      creditedUnits: 0n,
      confirmedUnits: 0n,
      securedUnits: 0n,
      acceptable: [],
      lateUnits: 0n,
      excessUnits: 0n,
      missingUnits: 100_000n,
      requiredDepth: 3,
      payments: [],
      progressAt: null,
      wakeAt: at('15:01'),
      wakeHeight: null,
    });
  });

  it('seen at 14:59 and mined at 30:00 is on time: it never expires, and settles at depth 3', () => {
    const seen = paymentOf({ effectiveAt: at('14:59'), seenAt: at('29:00') });
    const waiting = decided({ payments: [seen], history: processing, now: '29:00' });
    expect(waiting).toMatchObject({
      status: 'processing',
      flags: [],
      creditedUnits: 100_000n,
      confirmedUnits: 0n,
      missingUnits: 0n,
      progressAt: at('14:59'),
      wakeAt: at('74:59'),
      wakeHeight: null,
    });
    expect(decided({ payments: [seen], now: '14:59' }).status).toBe('processing');
    const mined = { ...seen, block: minedAt(99) };
    const shallow = decided({ payments: [mined], history: processing, now: '30:00' });
    expect(shallow).toMatchObject({
      status: 'processing',
      confirmedUnits: 0n,
      wakeHeight: 101,
      wakeAt: null,
    });
    expect(shallow.payments).toEqual([
      {
        key: `${'a'.repeat(64)}:0`,
        chain: 'bitcoin',
        txid: 'a'.repeat(64),
        asset: 'BTC',
        units: 100_000n,
        status: 'mined',
        isLate: false,
        confirmations: 2,
        creditedUnits: 100_000n,
        countedUnits: 100_000n,
        wrong: null,
        replacedBy: null,
      },
    ]);
    const deep = decided({ payments: [mined], history: processing, view: { tipHeight: 101 }, now: '40:00' });
    expect(deep).toMatchObject({ status: 'settled', flags: [], confirmedUnits: 100_000n, wakeHeight: 198 });
  });

  it.each([
    ['15:00.000', 'processing', [], 100_000n, 0n],
    ['15:00.001', 'expired', ['late', 'review'], 0n, 100_000n],
  ] as const)('what comes at %s is %s', (moment, status, flags, creditedUnits, lateUnits) => {
    const payments = [paymentOf({ effectiveAt: at(moment), seenAt: at('15:01') })];
    const decision = decided({ payments, now: '15:01' });
    expect(decision).toMatchObject({ status, flags, creditedUnits, lateUnits });
    expect(decision.payments[0]?.isLate).toBe(status === 'expired');
  });

  it.each([
    [97_999n, ['awaiting', 'partial'], 2_001n],
    [98_000n, ['processing', 'within_tolerance'], 0n],
    [99_999n, ['processing', 'within_tolerance'], 0n],
    [100_000n, ['processing'], 0n],
  ])('%d units of 100000 are judged to the unit', (units, expected, missingUnits) => {
    const decision = decided({ payments: [paymentOf({ units })] });
    expect(summary(decision)).toEqual(expected);
    expect(decision.missingUnits).toBe(missingUnits);
  });

  it('0.6 and then 0.4 are a part and then enough; both need the depth', () => {
    const first = part('1', 60_000n, { block: minedAt(98) });
    const second = part('2', 40_000n, { block: minedAt(100), effectiveAt: at('12:00') });
    expect(summary(decided({ payments: [first] }))).toEqual(['awaiting', 'partial']);
    const both = decided({ payments: [first, second], now: '40:00' });
    expect(both).toMatchObject({ status: 'processing', confirmedUnits: 60_000n, wakeHeight: 102 });
    const deep = decided({ payments: [first, second], view: { tipHeight: 102 }, now: '60:00' });
    expect(deep).toMatchObject({ status: 'settled', confirmedUnits: 100_000n });
  });

  it('0.6 at 10:00 and 0.4 at 20:00 is expired, partial and late, for review', () => {
    const payments = [
      part('1', 60_000n),
      part('2', 40_000n, { effectiveAt: at('20:00'), seenAt: at('20:00') }),
    ];
    const decision = decided({ payments, now: '20:00' });
    expect(summary(decision)).toEqual(['expired', 'partial', 'late', 'review']);
    expect(decision).toMatchObject({ creditedUnits: 60_000n, lateUnits: 40_000n, missingUnits: 40_000n });
  });

  it('a part alone opens the review once it has expired, and not before', () => {
    const payments = [part('1', 60_000n)];
    expect(summary(decided({ payments, now: '15:00' }))).toEqual(['awaiting', 'partial']);
    expect(summary(decided({ payments, now: '15:01' }))).toEqual(['expired', 'partial', 'review']);
    expect(summary(decided({ payments, acts: [dismiss(['1:0'])], now: '15:01' }))).toEqual(['expired']);
  });

  it('1.5 times the amount settles once, with half of it as the excess', () => {
    const payments = [paymentOf({ units: 150_000n, block: minedAt(98) })];
    expect(decided({ payments })).toMatchObject({ status: 'settled', flags: ['over'], excessUnits: 50_000n });
  });

  it.each([
    ['a dollar too much is rounding', 101_000n, [], 0n],
    ['a unit more than a dollar is not', 101_001n, ['over'], 1_001n],
  ] as const)('%s', (_what, units, flags, excessUnits) => {
    expect(decided({ payments: [paymentOf({ units })] })).toMatchObject({
      flags,
      excessUnits,
      missingUnits: 0n,
    });
  });

  it('a unit for each output is rounding where a unit is worth more than a dollar', () => {
    const terms = termsOf({ dueUnits: 4n, minDueUnits: 4n, usdMinor: 100_000 });
    const two = [part('1', 2n), part('2', 4n)];
    expect(decided({ terms, payments: two })).toMatchObject({ flags: [], excessUnits: 0n });
    const more = [part('1', 3n), part('2', 4n)];
    expect(decided({ terms, payments: more })).toMatchObject({ flags: ['over'], excessUnits: 3n });
  });

  it('1 satoshi pays nothing, however deep', () => {
    const payments = [paymentOf({ units: 1n, block: minedAt(1) })];
    expect(decided({ payments })).toMatchObject({ status: 'awaiting', flags: ['dust'], confirmedUnits: 0n });
  });

  it('what is unmined never settles', () => {
    const decision = decided({ payments: [paymentOf()], view: { tipHeight: 1_000_000 } });
    expect(decision).toMatchObject({ status: 'processing', confirmedUnits: 0n });
  });

  it('settles and is final at once where nobody looked for a long while', () => {
    const decision = decided({ payments: [paymentOf({ block: minedAt(1) })], now: '3d' });
    expect(decision).toMatchObject({ status: 'final', flags: [], wakeAt: null, wakeHeight: null });
  });
});

describe('expiry', () => {
  it.each([
    ['at the expiry itself', '15:00', {}, 'awaiting'],
    ['before it, whatever the view says', '14:00', { freshUntil: at('16:00') }, 'awaiting'],
    ['on a view that has never been read', '16:00', { freshUntil: null }, 'awaiting'],
    ['on a view as old as the expiry', '16:00', { freshUntil: at('15:00') }, 'awaiting'],
    ['on a view a little younger', '16:00', { freshUntil: at('15:00.001') }, 'expired'],
    ['while the chain is paused', '16:00', { isPaused: true }, 'awaiting'],
  ] as const)('%s it is %s', (_when, now, view, status) => {
    expect(decided({ now, view }).status).toBe(status);
  });

  it('a watcher that was away from 14:00 to 40:00 finds what was mined at 14:30 on time', () => {
    expect(decided({ now: '39:00', view: { freshUntil: at('14:00') } }).status).toBe('awaiting');
    const payments = [paymentOf({ effectiveAt: at('14:30'), seenAt: null, block: minedAt(100) })];
    expect(summary(decided({ payments, now: '40:00' }))).toEqual(['processing']);
  });

  it.each([
    ['15:00', '15:01'],
    ['15:01', '15:11'],
    ['17:00', '19:00'],
    ['100:00', '110:00'],
  ])('on a stale view at %s it looks again at %s', (now, wakeAt) => {
    expect(decided({ now, view: { freshUntil: at('14:00') } }).wakeAt).toBe(at(wakeAt));
  });

  it('an expired invoice has nothing to wait for', () => {
    expect(decided({ history: expired, now: '1d' })).toMatchObject({ wakeAt: null, wakeHeight: null });
  });

  it('extended, it waits again, and what was late is on time', () => {
    const terms = termsOf({ expiresAt: at('40:00') });
    expect(decided({ terms, history: expired, now: '40:00' }).status).toBe('awaiting');
    expect(decided({ terms, history: expired, now: '40:01' }).status).toBe('expired');
    const payments = [paymentOf({ effectiveAt: at('20:00'), seenAt: at('20:00') })];
    expect(summary(decided({ terms, history: expired, payments, now: '30:00' }))).toEqual(['processing']);
  });

  it('what was on time and comes to light after the expiry counts, as long as it is watched for', () => {
    const payments = [paymentOf({ block: minedAt(100) })];
    expect(summary(decided({ history: expired, payments, now: '24h' }))).toEqual(['processing']);
    expect(summary(decided({ history: expired, payments, now: '25h' }))).toEqual([
      'expired',
      'late',
      'review',
    ]);
  });
});

describe('what does not confirm', () => {
  it('is invalid when the watch is over, on a view that is fresh, and only where nothing was mined', () => {
    const payments = [paymentOf({ seenAt: at('24h') })];
    const given = { payments, history: processing };
    const over = '1456:00';
    expect(decided({ ...given, now: '1455:00' }).status).toBe('processing');
    expect(summary(decided({ ...given, now: over }))).toEqual(['invalid']);
    expect(decided({ ...given, now: over, view: { isPaused: true } }).status).toBe('processing');
    expect(decided({ ...given, now: over, view: { freshUntil: at('1455:00') } }).status).toBe('processing');
    expect(
      decided({
        ...given,
        payments: [part('1', 60_000n, { block: minedAt(99) }), part('2', 40_000n, { seenAt: at('24h') })],
        now: over,
      }).status,
    ).toBe('processing');
    expect(
      decided({ ...given, payments: [paymentOf({ seenAt: at('24h'), orphanedAt: at('23h') })], now: over })
        .status,
    ).toBe('processing');
  });

  it('is given up after two hours on an EVM chain', () => {
    const payments = [paymentOf({ chain: 'ethereum', asset: 'ETH', units: 50_000_000_000_000_000n })];
    const given = { terms: etherTermsOf(), payments, history: processing };
    expect(decided({ ...given, now: '135:00' }).status).toBe('processing');
    expect(decided({ ...given, now: '135:01' }).status).toBe('invalid');
  });

  it('is late and for review when it is mined after that; accepted, it settles', () => {
    const given = { history: { status: 'invalid' } as const, now: '2d' };
    expect(summary(decided({ ...given, payments: [paymentOf({ seenAt: at('2d') })] }))).toEqual(['invalid']);
    const payments = [paymentOf({ block: minedAt(98) })];
    expect(summary(decided({ ...given, payments }))).toEqual(['invalid', 'late', 'review']);
    const acts = [accept([`${'a'.repeat(64)}:0`])];
    expect(summary(decided({ ...given, payments, acts }))).toEqual(['settled', 'marked']);
  });

  it.each([
    ['69:59', []],
    ['70:00', ['slow_confirm']],
    ['129:59', ['slow_confirm']],
    ['130:00', ['slow_confirm', 'confirmation_overdue']],
  ])('seen at 10:00, it says at %s: %j', (now, flags) => {
    const decision = decided({ payments: [paymentOf()], history: processing, now });
    expect(summary(decision)).toEqual(['processing', ...flags]);
  });

  it('wakes for the notices and then for the end of the watch', () => {
    const wakeAt = (now: string) => decided({ payments: [paymentOf()], history: processing, now }).wakeAt;
    expect([wakeAt('69:00'), wakeAt('70:00'), wakeAt('130:00')]).toEqual([
      at('70:00'),
      at('130:00'),
      at('1455:01'),
    ]);
  });

  it('in a block, it is slow no more', () => {
    const payments = [paymentOf({ block: minedAt(100) })];
    expect(decided({ payments, history: processing, now: '200:00' })).toMatchObject({
      flags: [],
      progressAt: null,
    });
  });

  it('is dropped when nobody has seen it for more than 72 hours, and lives again with its time when it is back', () => {
    const gone = paymentOf({ units: 60_000n, seenAt: at('1h') });
    const given = { history: expired, payments: [gone] };
    expect(statusesOf(decided({ ...given, now: '73h' }))).toEqual(['seen']);
    expect(decided({ ...given, now: '72h' }).wakeAt).toBe(at('4380:01'));
    const dropped = decided({ ...given, now: '4380:01' });
    expect(statusesOf(dropped)).toEqual(['dropped']);
    expect(dropped).toMatchObject({ status: 'expired', flags: [], creditedUnits: 0n, wakeAt: null });
    // Nobody looked, so nobody knows.
    expect(statusesOf(decided({ ...given, now: '90h', view: { freshUntil: at('73h') } }))).toEqual(['seen']);
    const back = decided({ ...given, payments: [{ ...gone, seenAt: at('80h') }], now: '80h' });
    expect(back).toMatchObject({ creditedUnits: 60_000n, lateUnits: 0n });
    expect(back.payments[0]).toMatchObject({ status: 'seen', isLate: false });
  });

  it('what is in no block and was never seen in a mempool is not there', () => {
    const decision = decided({ payments: [paymentOf({ seenAt: null })] });
    expect(decision).toMatchObject({ status: 'awaiting', creditedUnits: 0n });
    expect(statusesOf(decision)).toEqual(['dropped']);
  });
});

describe('transactions that share what they spend', () => {
  const away = { txid: 'away', height: null };

  it('replaced to another address, the payment is gone: awaiting again, or expired', () => {
    const payments = [paymentOf({ rival: away, seenAt: at('20:00') })];
    const early = decided({ payments, history: processing, now: '12:00' });
    expect(summary(early)).toEqual(['awaiting', 'replaced', 'double_spend_attempt']);
    expect(early).toMatchObject({ creditedUnits: 0n, requiredDepth: 6 });
    expect(early.payments[0]).toMatchObject({ status: 'replaced', replacedBy: null });
    expect(decided({ payments, history: processing, now: '16:00' }).status).toBe('expired');
    expect(
      decided({ payments, history: processing, now: '16:00', view: { freshUntil: at('14:00') } }).status,
    ).toBe('awaiting');
  });

  it('replaced with a higher fee, it still pays: the same credit, no attempt', () => {
    const old = part('1', 100_000n, { rival: { txid: '2', height: null } });
    const bumped = part('2', 100_000n, { seenAt: at('20:00') });
    const decision = decided({ payments: [old, bumped], history: processing, now: '20:00' });
    expect(summary(decision)).toEqual(['processing', 'replaced']);
    expect(decision).toMatchObject({ creditedUnits: 100_000n, requiredDepth: 3 });
    expect(decision.payments.map(({ status, replacedBy }) => [status, replacedBy])).toEqual([
      ['replaced', '2'],
      ['seen', null],
    ]);
  });

  it('replaced by what pays another invoice of ours, it is gone, and nobody is said to cheat', () => {
    const ours = (height: number | null) => ({ txid: 'ours', height, isOurs: true });
    const waits = decided({
      payments: [paymentOf({ rival: ours(null) })],
      history: processing,
      now: '12:00',
    });
    expect(summary(waits)).toEqual(['awaiting', 'replaced']);
    expect(waits).toMatchObject({ creditedUnits: 0n, requiredDepth: 3 });
    expect(waits.payments[0]).toMatchObject({ status: 'replaced', replacedBy: 'ours' });
    const mined = decided({ payments: [paymentOf({ rival: ours(90) })], history: processing, now: '12:00' });
    expect(summary(mined)).toEqual(['awaiting', 'replaced']);
  });

  it('settled and then replaced for good by what pays another invoice of ours, it is reversed, and no double spend', () => {
    const settled = { status: 'settled' as const, settledAt: at('40:00') };
    const lost = (rival: CryptoRival) =>
      decided({ payments: [paymentOf({ rival, orphanedAt: at('45:00') })], history: settled, now: '2h' });
    expect(summary(lost({ txid: 'ours', height: 95, isOurs: true }))).toEqual(['invalid', 'replaced']);
    expect(summary(lost({ txid: 'away', height: 95 }))).toEqual([
      'invalid',
      'double_spent',
      'double_spend_attempt',
    ]);
    expect(summary(lost({ txid: 'ours', height: 99, isOurs: true }))).toEqual([
      'settled',
      'replaced',
      'reorged',
    ]);
  });

  it('a replacement that is mined never makes a double spend of what it replaces', () => {
    const old = part('1', 100_000n, { rival: { txid: '2', height: 90 } });
    const decision = decided({ payments: [old, part('2', 100_000n, { block: minedAt(90) })], now: '40:00' });
    expect(summary(decision)).toEqual(['settled', 'replaced']);
  });

  it('of two rivals that both pay, the mined one counts, whichever replaced the other', () => {
    const old = part('1', 100_000n, { rival: { txid: '2', height: null }, block: minedAt(98) });
    const decision = decided({ payments: [old, part('2', 100_000n)], now: '40:00' });
    expect(statusesOf(decision)).toEqual(['confirmed', 'replaced']);
    expect(decision.creditedUnits).toBe(100_000n);
    const other = part('2', 100_000n, { block: minedAt(98) });
    const turned = decided({
      payments: [part('1', 100_000n, { rival: { txid: '2', height: null } }), other],
    });
    expect(statusesOf(turned)).toEqual(['replaced', 'confirmed']);
  });

  it('still in a mempool, a payment is dead where its rival is mined', () => {
    const payments = [
      paymentOf({ rival: { txid: 'away', height: 98 }, orphanedAt: at('12:00'), seenAt: at('50:00') }),
    ];
    const decision = decided({ payments, history: processing, now: '50:00' });
    expect(summary(decision)).toEqual(['expired', 'reorged', 'double_spend_attempt']);
    expect(decision).toMatchObject({ creditedUnits: 0n, wakeHeight: 103 });
    expect(statusesOf(decision)).toEqual(['orphaned']);
  });

  it('never mined, it is replaced until its rival has the depth, then double spent', () => {
    const payments = [paymentOf({ rival: { txid: 'away', height: 96 } })];
    const tip = (tipHeight: number) => decided({ payments, view: { tipHeight }, now: '50:00' });
    expect([statusesOf(tip(100)), statusesOf(tip(101))]).toEqual([['replaced'], ['double_spent']]);
    expect(summary(tip(101))).toEqual(['expired', 'double_spent', 'double_spend_attempt']);
    expect(tip(101).wakeHeight).toBeNull();
  });

  it('mined, a payment does not mind a rival in a mempool, but has to be 6 deep', () => {
    const payments = [paymentOf({ rival: away, block: minedAt(96) })];
    const decision = decided({ payments, history: processing, now: '50:00' });
    expect(summary(decision)).toEqual(['processing', 'double_spend_attempt']);
    expect(decision).toMatchObject({ requiredDepth: 6, wakeHeight: 101 });
    expect(decided({ payments, history: processing, view: { tipHeight: 101 }, now: '50:00' }).status).toBe(
      'settled',
    );
  });

  it('on an EVM chain a rival makes it wait for the finality of the chain', () => {
    const payments = [
      paymentOf({
        chain: 'ethereum',
        asset: 'ETH',
        units: 50_000_000_000_000_000n,
        rival: away,
        block: minedAt(51),
      }),
    ];
    const given = { terms: etherTermsOf(), payments, history: processing };
    expect(decided(given)).toMatchObject({
      status: 'processing',
      requiredDepth: 'finalized',
      wakeHeight: 101,
    });
    expect(decided({ ...given, view: { finalizedHeight: 51 } }).status).toBe('final');
  });

  it('a rival of dust, or of another asset, raises nothing', () => {
    const dust = part('1', 500n, { rival: away });
    const other = part('2', 5_000n, { rival: away, asset: 'ETH', chain: 'ethereum' });
    expect(summary(decided({ payments: [dust, other] }))).toEqual(['awaiting']);
  });

  it('an unconfirmed parent is named, and credits nothing towards the settlement until it is mined', () => {
    const child = paymentOf({ unconfirmedParent: 'parent' });
    const decision = decided({ payments: [child] });
    expect(summary(decision)).toEqual(['processing', 'unconfirmed_parent']);
    expect(decision.confirmedUnits).toBe(0n);
    const mined = decided({ payments: [{ ...child, block: minedAt(98) }] });
    expect(summary(mined)).toEqual(['settled']);
  });

  it('a parent that is replaced takes its children along, and theirs', () => {
    const parent = part('1', 10_000n, { rival: away });
    const child = part('2', 100_000n, { unconfirmedParent: '1' });
    const grandchild = part('3', 100_000n, { unconfirmedParent: '2' });
    const decision = decided({ payments: [grandchild, child, parent] });
    expect(statusesOf(decision)).toEqual(['replaced', 'replaced', 'replaced']);
    expect(decision.creditedUnits).toBe(0n);
    const mined = [part('1', 10_000n, { rival: away, block: minedAt(99) }), child, grandchild];
    expect(statusesOf(decided({ payments: mined }))).toEqual(['mined', 'seen', 'seen']);
  });

  it('parents that name each other are not followed for ever', () => {
    const payments = [
      part('1', 60_000n, { unconfirmedParent: '2' }),
      part('2', 60_000n, { unconfirmedParent: '1' }),
    ];
    expect(decided({ payments }).creditedUnits).toBe(120_000n);
  });
});

describe('rows that contradict each other, or say little', () => {
  const away = { txid: 'away', height: null };

  it('said to be in a block and to have a mined rival, a payment counts for nothing', () => {
    const payments = [paymentOf({ block: minedAt(90), rival: { txid: 'away', height: 99 } })];
    expect(decided({ payments })).toMatchObject({
      status: 'awaiting',
      creditedUnits: 0n,
      confirmedUnits: 0n,
    });
  });

  it('in a block, a payment does not mind what became of a parent it is still said to wait for', () => {
    const payments = [
      part('1', 10_000n, { rival: away }),
      part('2', 100_000n, { unconfirmedParent: '1', block: minedAt(90) }),
    ];
    expect(statusesOf(decided({ payments }))).toEqual(['replaced', 'confirmed']);
  });

  it('its own mined rival goes before what became of its parent', () => {
    const child = part('2', 100_000n, { unconfirmedParent: '1', rival: { txid: 'thief', height: 90 } });
    expect(statusesOf(decided({ payments: [part('1', 10_000n, { rival: away }), child] }))).toEqual([
      'replaced',
      'double_spent',
    ]);
  });

  it('that a rival of ours is mined is read from its own row', () => {
    const out = part('1', 100_000n, { orphanedAt: at('50:00'), rival: { txid: '2', height: null } });
    const cheaper = (height: number) => part('2', 50_000n, { block: minedAt(height) });
    const given = { history: settled, now: '55:00' };
    expect(decided({ ...given, payments: [out, cheaper(99)] }).status).toBe('settled');
    expect(decided({ ...given, payments: [out, cheaper(98)] }).status).toBe('invalid');
    const other = part('2', 1n, { key: '2:1', block: null });
    expect(decided({ ...given, payments: [out, { ...cheaper(98), key: '2:0' }, other] }).status).toBe(
      'invalid',
    );
  });

  it('a rival that brings nothing but a token of others does not pay in its stead', () => {
    const payments = [
      part('1', 100_000n, { rival: { txid: '2', height: null } }),
      part('2', 1n, { asset: null, token: '0xfake' }),
    ];
    const decision = decided({ payments });
    expect(decision.flags).toEqual(['replaced', 'double_spend_attempt']);
    expect(decision.payments[0]?.replacedBy).toBeNull();
  });

  it('only what counts and lives raises the depth', () => {
    const depth = (changes: object, more = {}) =>
      decided({ payments: [part('1', 10_000_000n, changes)], ...more }).requiredDepth;
    expect(depth({})).toBe(6);
    expect(depth({ effectiveAt: at('20:00') }, { now: '21:00' })).toBe(3);
    expect(depth({ seenAt: null })).toBe(3);
    expect(depth({}, { acts: [dismiss(['1:0'])] })).toBe(3);
  });

  it('what does not count reorganises nothing', () => {
    const payments = [
      part('1', 100_000n, { effectiveAt: at('20:00'), orphanedAt: at('22:00'), seenAt: at('22:00') }),
    ];
    expect(decided({ payments, now: '23:00' }).flags).toEqual(['late', 'review']);
  });

  it('marked as settled, it is not final while a part is out of the chain', () => {
    const payments = [
      part('1', 60_000n, { block: minedAt(1) }),
      part('2', 10_000n, { orphanedAt: at('50:00'), seenAt: null }),
    ];
    expect(decided({ payments, history: settled, acts: [markSettled], now: '51:00' }).status).toBe('settled');
  });

  it('payments are listed by their keys, and the first of them waits the longest', () => {
    const payments = [
      part('2', 60_000n, { effectiveAt: at('11:00') }),
      part('1', 20_000n, { effectiveAt: at('9:00') }),
      part('3', 20_000n),
    ];
    const decision = decided({ payments });
    expect(decision.payments.map(({ key }) => key)).toEqual(['1:0', '2:0', '3:0']);
    expect(decision.progressAt).toBe(at('9:00'));
  });

  it('dust of any other coin than bitcoin adds up whatever its size', () => {
    const terms = etherTermsOf({ dueUnits: 1_000n, minDueUnits: 1_000n, usdMinor: 1 });
    const half = (txid: string) => part(txid, 500n, { chain: 'ethereum', asset: 'ETH' });
    expect(summary(decided({ terms, payments: [half('1'), half('2')] }))).toEqual([
      'awaiting',
      'dust',
      'review',
    ]);
  });
});

describe('reorganisations', () => {
  it('out of the chain, in the mempool and in again: it needs the depth from its new block, and settles once', () => {
    const out = paymentOf({ orphanedAt: at('12:00'), seenAt: at('12:00') });
    const waiting = decided({ payments: [out], history: processing, now: '13:00' });
    expect(summary(waiting)).toEqual(['processing', 'reorged']);
    expect(waiting).toMatchObject({ creditedUnits: 100_000n, progressAt: at('12:00') });
    expect(statusesOf(waiting)).toEqual(['orphaned']);
    const again = [paymentOf({ block: minedAt(101) })];
    const history = { status: 'processing', flags: ['reorged'] } as const;
    expect(summary(decided({ payments: again, history, view: { tipHeight: 102 }, now: '40:00' }))).toEqual([
      'processing',
    ]);
    expect(summary(decided({ payments: again, history, view: { tipHeight: 103 }, now: '50:00' }))).toEqual([
      'settled',
    ]);
  });

  it('an orphan that no mempool has shown since does not count', () => {
    const out = paymentOf({ orphanedAt: at('12:00'), seenAt: at('11:59') });
    const decision = decided({ payments: [out], history: processing, now: '13:00' });
    expect(summary(decision)).toEqual(['awaiting', 'reorged']);
    expect(statusesOf(decision)).toEqual(['orphaned']);
  });

  it('settled, it stays settled while it is out, and until it is deep again', () => {
    const out = [paymentOf({ orphanedAt: at('50:00'), seenAt: null })];
    const held = decided({ payments: out, history: settled, now: '55:00' });
    expect(summary(held)).toEqual(['settled', 'reorged']);
    expect(held.wakeAt).toBe(at('410:01'));
    const history = { ...settled, flags: ['reorged'] } as const;
    const again = [paymentOf({ block: minedAt(99) })];
    expect(summary(decided({ payments: again, history, now: '60:00' }))).toEqual(['settled', 'reorged']);
    const deep = decided({ payments: again, history, view: { tipHeight: 101 }, now: '60:00' });
    expect(summary(deep)).toEqual(['settled']);
    // What was never out is not held because the depth has risen.
    expect(summary(decided({ payments: again, history: settled, now: '60:00' }))).toEqual(['settled']);
  });

  it.each([
    ['410:00', {}, ['settled', 'reorged']],
    ['410:01', {}, ['invalid', 'double_spent']],
    ['410:01', { freshUntil: at('410:00') }, ['settled', 'reorged']],
    ['410:01', { isPaused: true }, ['settled', 'reorged']],
  ])('out since 50:00, it is at %s on %j: %j', (now, view, expected) => {
    const payments = [paymentOf({ orphanedAt: at('50:00'), seenAt: at('50:00') })];
    expect(summary(decided({ payments, history: settled, now, view }))).toEqual(expected);
  });

  it('settled, it is invalid when the conflict has the depth, also while the chain is paused', () => {
    const payments = [paymentOf({ orphanedAt: at('50:00'), rival: { txid: 'away', height: 96 } })];
    const tip = (tipHeight: number, more = {}) =>
      decided({ payments, history: settled, view: { tipHeight, ...more }, now: '55:00' });
    expect(summary(tip(100))).toEqual(['settled', 'reorged', 'double_spend_attempt']);
    expect(tip(100).wakeHeight).toBe(101);
    const gone = tip(101, { isPaused: true, cautiousUntil: at('1d') });
    expect(summary(gone)).toEqual(['invalid', 'double_spent', 'double_spend_attempt']);
    expect(statusesOf(gone)).toEqual(['double_spent']);
    expect(gone).toMatchObject({ creditedUnits: 0n, wakeAt: null, wakeHeight: null });
  });

  it('is not reversed where enough of the rest is in the chain; what is not mined is no such rest', () => {
    const gone = part('1', 100_000n, { orphanedAt: at('50:00'), rival: { txid: 'away', height: 90 } });
    const rest = part('2', 100_000n, { block: minedAt(100) });
    expect(decided({ payments: [gone, rest], history: settled, now: '55:00' }).status).toBe('settled');
    const seen = part('2', 100_000n, { seenAt: at('55:00') });
    expect(decided({ payments: [gone, seen], history: settled, now: '55:00' }).status).toBe('invalid');
  });

  it('what was lost settles again only when it is deep again', () => {
    const again = [paymentOf({ block: minedAt(98) })];
    expect(summary(decided({ payments: again, history: lost, now: '9h' }))).toEqual(['settled']);
    expect(decided({ payments: again, history: lost, view: { tipHeight: 99 }, now: '9h' })).toMatchObject({
      status: 'invalid',
      flags: ['double_spent', 'review'],
      wakeHeight: 100,
    });
    expect(decided({ payments: again, history: lost, view: { isPaused: true }, now: '9h' })).toMatchObject({
      status: 'invalid',
      wakeHeight: 101,
    });
    const acts = [accept([`${'a'.repeat(64)}:0`])];
    const seen = [paymentOf({ effectiveAt: at('8h'), seenAt: at('9h') })];
    expect(decided({ payments: seen, acts, history: lost, now: '9h' }).status).toBe('invalid');
    expect(decided({ payments: again, acts: [markInvalid], history: lost, now: '9h' }).status).toBe(
      'invalid',
    );
  });
});

describe('depth', () => {
  it.each([
    ['just below the limit', 999_999, 3, 12],
    ['at the limit', 1_000_000, 6, 'finalized'],
  ] as const)('%s', (_where, usdMinor, bitcoin, evm) => {
    expect(decided({ terms: termsOf({ usdMinor }) }).requiredDepth).toBe(bitcoin);
    expect(decided({ terms: etherTermsOf({ usdMinor }) }).requiredDepth).toBe(evm);
  });

  it('grows with the sum that came, at the locked rate', () => {
    const sum = (units: bigint) => decided({ payments: [paymentOf({ units, block: minedAt(98) })] });
    expect(sum(9_999_999n)).toMatchObject({ requiredDepth: 3, status: 'settled' });
    expect(sum(10_000_000n)).toMatchObject({
      requiredDepth: 6,
      status: 'processing',
      excessUnits: 9_900_000n,
    });
  });

  it('is doubled after a pause, but for the finality of a chain, and for the settled no reason to leave', () => {
    const view = { cautiousUntil: at('1d') };
    const payments = [paymentOf({ block: minedAt(98) })];
    expect(decided({ view, payments, now: '20:00' })).toMatchObject({
      status: 'processing',
      requiredDepth: 6,
      wakeHeight: 103,
      wakeAt: at('1d'),
    });
    expect(decided({ view, payments, now: '1440:00' })).toMatchObject({
      status: 'settled',
      requiredDepth: 3,
    });
    expect(decided({ view, payments, history: settled, now: '20:00' })).toMatchObject({
      status: 'settled',
      flags: [],
    });
    expect(decided({ view, terms: etherTermsOf({ usdMinor: 1_000_000 }), now: '20:00' }).requiredDepth).toBe(
      'finalized',
    );
    expect(decided({ view, terms: etherTermsOf(), now: '20:00' }).requiredDepth).toBe(24);
  });

  it('a paused chain settles nothing, and looks again at the next block', () => {
    const payments = [paymentOf({ block: minedAt(98) })];
    const decision = decided({ payments, view: { isPaused: true } });
    expect(decision).toMatchObject({
      status: 'processing',
      flags: ['paused'],
      confirmedUnits: 100_000n,
      wakeHeight: 101,
    });
  });

  it('is final at 100 on Bitcoin, and not while the chain is paused', () => {
    const payments = [paymentOf({ block: minedAt(1) })];
    const tip = (tipHeight: number, isPaused = false) =>
      decided({ payments, history: settled, view: { tipHeight, isPaused }, now: '2d' });
    expect(tip(99)).toMatchObject({ status: 'settled', wakeHeight: 100 });
    expect(tip(100)).toMatchObject({ status: 'final', wakeHeight: null });
    expect(tip(100, true)).toMatchObject({ status: 'settled', wakeHeight: 101 });
  });

  it('is final on an EVM chain when the chain says so, and looks for it after a quarter of the way', () => {
    const payments = [
      paymentOf({ chain: 'ethereum', asset: 'ETH', units: 50_000_000_000_000_000n, block: minedAt(80) }),
    ];
    const finalized = (finalizedHeight: number | null) =>
      decided({ terms: etherTermsOf(), payments, history: settled, view: { finalizedHeight }, now: '2h' });
    expect(finalized(50)).toMatchObject({ status: 'settled', wakeHeight: 108 });
    expect(finalized(80)).toMatchObject({ status: 'final', wakeHeight: null });
    expect(finalized(null)).toMatchObject({ status: 'settled', wakeHeight: 179 });
  });

  it('of an EVM invoice is 12 blocks', () => {
    const payments = [
      paymentOf({ chain: 'ethereum', asset: 'ETH', units: 50_000_000_000_000_000n, block: minedAt(90) }),
    ];
    const tip = (tipHeight: number) => decided({ terms: etherTermsOf(), payments, view: { tipHeight } });
    expect(tip(100)).toMatchObject({ status: 'processing', wakeHeight: 101 });
    expect(tip(101).status).toBe('settled');
  });
});

describe('what was not asked for', () => {
  const usdc = { chain: 'ethereum', asset: 'USDC', units: 100_000_000n, usdRate: '1.00' } as const;

  it('USDC to the address of an ETH invoice is for review, and accepted at its value', () => {
    const payments = [part('1', 0n, { ...usdc, block: minedAt(80) })];
    const terms = etherTermsOf();
    const decision = decided({ terms, payments });
    expect(summary(decision)).toEqual(['awaiting', 'wrong_asset', 'review']);
    expect(decision).toMatchObject({ creditedUnits: 0n, lateUnits: 0n });
    expect(decision.payments[0]).toMatchObject({
      status: 'unexpected_asset',
      wrong: 'asset',
      creditedUnits: 0n,
    });
    const accepted = decided({ terms, payments, acts: [accept(['1:0'])] });
    expect(summary(accepted)).toEqual(['settled', 'wrong_asset', 'marked']);
    expect(accepted).toMatchObject({ creditedUnits: 50_000_000_000_000_000n, excessUnits: 0n });
    expect(statusesOf(accepted)).toEqual(['confirmed']);
    expect(summary(decided({ terms, payments, acts: [dismiss(['1:0'])] }))).toEqual(['awaiting']);
  });

  it('cannot be accepted where nobody knows its worth', () => {
    const payments = [part('1', 0n, { ...usdc, usdRate: null })];
    const decision = decided({ terms: etherTermsOf(), payments, acts: [accept(['1:0'], 'received')] });
    expect(summary(decision)).toEqual(['awaiting', 'wrong_asset', 'review']);
  });

  it('a token that is none of ours is listed and nothing else, whatever is accepted', () => {
    const payments = [part('1', 0n, { ...usdc, asset: null, token: '0xfake' })];
    const decision = decided({ terms: etherTermsOf(), payments, acts: [accept(['1:0'])] });
    expect(summary(decision)).toEqual(['awaiting']);
    expect(decision.payments[0]).toMatchObject({ status: 'unexpected_asset', wrong: 'token' });
  });

  it('USDC on another chain is for review; accepted, it counts once it is deep there', () => {
    const terms = etherTermsOf({ asset: 'USDC', dueUnits: 100_000_000n, minDueUnits: 98_000_000n });
    const payments = [part('1', 0n, { ...usdc, chain: 'base', block: minedAt(990) })];
    const base = (tipHeight: number, isPaused = false) => [
      viewOf({ chain: 'base', tipHeight, isPaused, finalizedHeight: 900 }),
    ];
    const waiting = decided({ terms, payments, others: base(1000) });
    expect(summary(waiting)).toEqual(['awaiting', 'wrong_chain', 'review']);
    expect(waiting.payments[0]).toMatchObject({
      status: 'unexpected_asset',
      wrong: 'chain',
      confirmations: 11,
    });
    const acts = [accept(['1:0'])];
    const shallow = decided({ terms, payments, acts, others: base(1000), now: '12:00' });
    expect(summary(shallow)).toEqual(['awaiting', 'wrong_chain']);
    expect(shallow).toMatchObject({ creditedUnits: 0n, wakeAt: at('14:00'), wakeHeight: null });
    const deep = decided({ terms, payments, acts, others: base(1001) });
    expect(summary(deep)).toEqual(['settled', 'wrong_chain', 'marked']);
    expect(deep.creditedUnits).toBe(100_000_000n);
    expect(decided({ terms, payments, acts, others: base(1001, true) }).creditedUnits).toBe(0n);
    expect(decided({ terms, payments, acts }).creditedUnits).toBe(0n);
  });

  it('on another chain it has no part in the depth of this one', () => {
    const terms = etherTermsOf({ asset: 'USDC', dueUnits: 100_000_000n, minDueUnits: 98_000_000n });
    const payments = [part('1', 0n, { ...usdc, chain: 'base', block: minedAt(10) })];
    expect(decided({ terms, payments }).payments[0]?.confirmations).toBe(0);
  });
});

describe('dust', () => {
  it.each([
    ['worth 99 cents when it came', 990n, null, ['awaiting', 'dust'], 0n],
    ['worth a dollar', 1_000n, null, ['awaiting', 'partial'], 1_000n],
    ['worth less by the rate of its time', 1_000n, '99999.99', ['awaiting', 'dust'], 0n],
    ['worth more by it', 990n, '101011', ['awaiting', 'partial'], 990n],
  ])('%s', (_what, units, usdRate, expected, creditedUnits) => {
    const decision = decided({ payments: [paymentOf({ units, usdRate })] });
    expect(summary(decision)).toEqual(expected);
    expect(decision.creditedUnits).toBe(creditedUnits);
  });

  it('is no dust where it is enough', () => {
    const terms = termsOf({ dueUnits: 500n, minDueUnits: 490n, usdMinor: 50 });
    expect(decided({ terms, payments: [paymentOf({ units: 490n })] }).status).toBe('processing');
    expect(decided({ terms, payments: [paymentOf({ units: 489n })] }).status).toBe('awaiting');
  });

  it('does not add up; where it would be enough together, an operator looks', () => {
    const terms = termsOf({ dueUnits: 1_200n, minDueUnits: 1_094n, usdMinor: 120 });
    const two = (a: bigint, b: bigint) => summary(decided({ terms, payments: [part('1', a), part('2', b)] }));
    expect(two(547n, 547n)).toEqual(['awaiting', 'dust', 'review']);
    expect(two(547n, 546n)).toEqual(['awaiting', 'dust']);
    expect(two(900n, 546n)).toEqual(['awaiting', 'dust']);
    const payments = [part('1', 547n), part('2', 547n)];
    const accepted = decided({ terms, payments, acts: [accept(['1:0', '2:0'])] });
    expect(summary(accepted)).toEqual(['processing', 'within_tolerance', 'marked']);
    expect(summary(decided({ terms, payments, acts: [dismiss(['1:0'])] }))).toEqual(['awaiting', 'dust']);
  });

  it('opens no review when it is late or another asset', () => {
    const late = part('1', 500n, { effectiveAt: at('20:00') });
    const other = part('2', 999_999n, { asset: 'USDC', chain: 'ethereum', usdRate: '1' });
    expect(summary(decided({ payments: [late, other], history: expired, now: '20:00' }))).toEqual([
      'expired',
      'dust',
    ]);
  });
});

describe('what operators decide', () => {
  const late = (changes = {}) => paymentOf({ effectiveAt: at('20:00'), seenAt: at('25:00'), ...changes });
  const key = `${'a'.repeat(64)}:0`;

  it('late money is accepted at the locked rate, or at what it was worth', () => {
    const given = { history: expired, now: '25:00' };
    const locked = decided({ ...given, payments: [late()], acts: [accept([key])] });
    expect(summary(locked)).toEqual(['processing', 'late', 'marked']);
    expect(locked).toMatchObject({ creditedUnits: 100_000n, lateUnits: 0n });
    const received = decided({
      ...given,
      payments: [late({ usdRate: '98000.009' })],
      acts: [accept([key], 'received')],
    });
    expect(received).toMatchObject({ status: 'processing', creditedUnits: 98_000n });
    const fallen = decided({
      ...given,
      payments: [late({ usdRate: '97999.99' })],
      acts: [accept([key], 'received')],
    });
    expect(fallen).toMatchObject({ status: 'expired', creditedUnits: 97_999n });
    const mined = decided({ ...given, payments: [late({ block: minedAt(98) })], acts: [accept([key])] });
    expect(summary(mined)).toEqual(['settled', 'late', 'marked']);
  });

  it('accepted money is waited for beyond the end of the watch', () => {
    const payments = [late({ seenAt: at('3d') })];
    expect(decided({ payments, acts: [accept([key])], history: processing, now: '3d' }).status).toBe(
      'processing',
    );
  });

  it('what is dismissed counts for nothing until it is accepted after all', () => {
    const given = { history: expired, payments: [late()], now: '25:00' };
    expect(summary(decided({ ...given, acts: [dismiss([key])] }))).toEqual(['expired']);
    expect(decided({ ...given, acts: [accept([key]), dismiss([key])] }).creditedUnits).toBe(0n);
    expect(decided({ ...given, acts: [dismiss([key]), accept([key])] }).status).toBe('processing');
    expect(decided({ ...given, acts: [dismiss(['another'])] }).flags).toEqual(['late', 'review']);
  });

  it('what was settled is not reversed by dismissing what settled it', () => {
    const given = { history: settled, now: '60:00' };
    const onTime = [paymentOf({ block: minedAt(98) })];
    expect(decided({ ...given, payments: onTime, acts: [dismiss([key])] }).status).toBe('settled');
    const accepted = [late({ block: minedAt(98) })];
    expect(decided({ ...given, payments: accepted, acts: [accept([key]), dismiss([key])] }).status).toBe(
      'settled',
    );
  });

  it('a payment of what is settled already is an excess or late; nothing settles twice', () => {
    const first = part('1', 100_000n, { block: minedAt(90) });
    const second = (moment: string) => part('2', 100_000n, { effectiveAt: at(moment), seenAt: at('60:00') });
    const again = decided({ payments: [first, second('14:00')], history: settled, now: '60:00' });
    expect(summary(again)).toEqual(['settled', 'over']);
    expect(again.excessUnits).toBe(100_000n);
    const after = decided({ payments: [first, second('50:00')], history: settled, now: '60:00' });
    expect(summary(after)).toEqual(['settled', 'late', 'review']);
    expect(after.lateUnits).toBe(100_000n);
    const final = { status: 'final', settledAt: at('45:00') } as const;
    expect(summary(decided({ payments: [first, second('50:00')], history: final, now: '60:00' }))).toEqual([
      'final',
      'late',
      'review',
    ]);
  });

  it.each(['awaiting', 'processing', 'expired', 'invalid', 'cancelled'] as const)(
    '%s can be marked settled, without any coin',
    (status) => {
      const decision = decided({ history: { status }, acts: [markSettled], now: '25:00' });
      expect(summary(decision)).toEqual(['settled', 'marked']);
      expect(decision).toMatchObject({ wakeAt: null, wakeHeight: null });
    },
  );

  it('what is marked settled is not reversed by the chain, and final with what was paid', () => {
    const payments = [part('1', 60_000n, { orphanedAt: at('50:00'), rival: { txid: 'away', height: 90 } })];
    expect(summary(decided({ payments, acts: [markSettled], history: settled, now: '60:00' }))).toEqual([
      'settled',
      'double_spent',
      'double_spend_attempt',
      'marked',
    ]);
    const deep = [part('1', 60_000n, { block: minedAt(1) })];
    expect(decided({ payments: deep, acts: [markSettled], history: settled, now: '60:00' }).status).toBe(
      'final',
    );
    const more = [...deep, part('2', 1_000n, { block: minedAt(2) })];
    expect(decided({ payments: more, acts: [markSettled], history: settled, now: '60:00' }).status).toBe(
      'settled',
    );
  });

  it.each(['awaiting', 'processing', 'settled', 'final', 'expired', 'cancelled'] as const)(
    '%s can be marked invalid',
    (status) => {
      const payments = [paymentOf({ block: minedAt(1) })];
      const history = { status, settledAt: at('1m') };
      expect(summary(decided({ payments, history, acts: [markInvalid], now: '25:00' }))).toEqual([
        'invalid',
        'review',
        'marked',
      ]);
      expect(summary(decided({ history, acts: [markInvalid], now: '25:00' }))).toEqual(['invalid', 'marked']);
    },
  );

  it('the last mark stands, and money that is accepted takes back a mark as invalid', () => {
    const given = { payments: [paymentOf({ block: minedAt(98) })], history: lost, now: '25:00' };
    expect(decided({ ...given, acts: [markInvalid, markSettled] }).status).toBe('settled');
    expect(decided({ ...given, acts: [markSettled, markInvalid] }).status).toBe('invalid');
    expect(decided({ ...given, acts: [markInvalid, accept([key])] }).status).toBe('settled');
    expect(decided({ ...given, acts: [accept([key]), markInvalid] }).status).toBe('invalid');
    expect(decided({ ...given, payments: [], acts: [markSettled, accept(['none'])] }).status).toBe('settled');
  });

  it('cancels what is not paid, and nothing else', () => {
    const from = (
      status: 'awaiting' | 'expired' | 'processing' | 'settled',
      payments = [paymentOf({ block: minedAt(99) })],
    ) =>
      decided({ payments, history: { status, settledAt: at('20m') }, acts: [cancel], now: '25:00' }).status;
    expect([from('awaiting', []), from('expired', [])]).toEqual(['cancelled', 'cancelled']);
    expect([from('awaiting'), from('processing'), from('settled')]).toEqual([
      'processing',
      'processing',
      'settled',
    ]);
  });

  it('money for what is cancelled is for review; accepted, it is paid', () => {
    const given = { history: { status: 'cancelled' } as const, payments: [paymentOf()], now: '25:00' };
    expect(summary(decided({ ...given, acts: [cancel] }))).toEqual(['cancelled', 'review']);
    expect(summary(decided({ ...given, acts: [cancel, accept([key])] }))).toEqual(['processing', 'marked']);
    expect(summary(decided({ ...given, acts: [cancel, dismiss([key])] }))).toEqual(['cancelled']);
  });
});

describe('what cannot be decided', () => {
  it.each([
    [termsOf({ dueUnits: 0n, minDueUnits: 0n }), 'What is enough must lie between 1 and what is due: 0 of 0'],
    [termsOf({ minDueUnits: 0n }), 'What is enough must lie between 1 and what is due: 0 of 100000'],
    [
      termsOf({ minDueUnits: 100_001n }),
      'What is enough must lie between 1 and what is due: 100001 of 100000',
    ],
    [termsOf({ usdMinor: 0 }), 'The value of an invoice is at least one cent of US dollars: 0'],
    [termsOf({ usdMinor: 1.5 }), 'The value of an invoice is at least one cent of US dollars: 1.5'],
  ])('terms that are none: %#', (terms, message) => {
    expect(() => decided({ terms })).toThrow(new RangeError(message));
  });

  it('an invoice without the view of its chain', () => {
    const input = { ...inputOf(), views: [viewOf({ chain: 'base' })] };
    expect(() => decideCryptoInvoice(input)).toThrow(
      new RangeError('An invoice on bitcoin needs the view of that chain: pass it in views'),
    );
  });

  it('a rate that is no number', () => {
    expect(() => decided({ payments: [paymentOf({ units: 1n, usdRate: '1e5' })] })).toThrow(
      new RangeError('Not a rate in US dollars: 1e5'),
    );
  });
});

describe('when a payment counts as made', () => {
  it.each([
    ['seen before it was mined', '10:00', '12:00', [], '10:00'],
    ['mined before it was seen', '12:00', '10:00', [], '10:00'],
    ['not mined', '12:00', null, [], '12:00'],
    ['replacing an earlier one', '12:00', '13:00', ['11:00', '9:00', '10:00'], '9:00'],
    ['replacing nothing earlier', '12:00', null, ['13:00'], '12:00'],
  ])('%s', (_what, firstObservedAt, blockTime, earlier, expected) => {
    const own = {
      firstObservedAt: at(firstObservedAt),
      blockTime: blockTime === null ? null : at(blockTime),
    };
    expect(inheritedEffectiveAt(own, earlier.map(at))).toBe(at(expected));
  });

  it('needs nothing to inherit from', () => {
    expect(inheritedEffectiveAt({ firstObservedAt: at('1m'), blockTime: null })).toBe(at('1m'));
  });
});

it('a local chain has the same rules', () => {
  const terms = termsOf({ policy: cryptoPolicyOn('local') });
  expect(decided({ terms, payments: [paymentOf({ block: minedAt(98) })] }).status).toBe('settled');
});
