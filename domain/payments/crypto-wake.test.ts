import { describe, expect, it } from 'vitest';
import { at, decided, minedAt, paymentOf, viewOf } from '../../test/support/crypto-situation.ts';
import type { CryptoAct } from './crypto-invoice.ts';

type Given = NonNullable<Parameters<typeof decided>[0]>;

const part = (txid: string, units: bigint, changes = {}) => paymentOf({ txid, units, ...changes });
const settled = { status: 'settled', settledAt: at('20:00') } as const;
const accept: CryptoAct = { kind: 'accept', paymentKeys: ['1:0'], at: at('12:00'), rate: 'locked' };

describe('blocks wake it', () => {
  it.each<[what: string, given: Given, wakeHeight: number | null]>([
    ['for nothing', {}, null],
    ['for nothing while nothing is mined', { payments: [paymentOf()] }, null],
    [
      'for the first of two that will be deep',
      { payments: [part('1', 60_000n, { block: minedAt(100) }), part('2', 40_000n, { block: minedAt(99) })] },
      101,
    ],
    [
      'not for what is deep as long as it is not settled',
      { payments: [part('1', 60_000n, { block: minedAt(90) })] },
      null,
    ],
    [
      'for the rest that is not final yet',
      {
        payments: [part('1', 60_000n, { block: minedAt(1) }), part('2', 40_000n, { block: minedAt(50) })],
        history: settled,
      },
      149,
    ],
    [
      'not for the finality of what does not count',
      {
        payments: [
          part('1', 100_000n, { block: minedAt(98) }),
          part('2', 40_000n, { block: minedAt(60), effectiveAt: at('20:00') }),
        ],
        history: settled,
        now: '30:00',
      },
      197,
    ],
    [
      'for late money that is not deep yet',
      { payments: [part('1', 40_000n, { block: minedAt(99), effectiveAt: at('20:00') })], now: '30:00' },
      101,
    ],
    ['not for dust', { payments: [part('1', 600n, { block: minedAt(100) })] }, null],
    [
      'for dust that was accepted',
      { payments: [part('1', 600n, { block: minedAt(100) })], acts: [accept] },
      102,
    ],
    [
      'not for a token of others',
      { payments: [paymentOf({ asset: null, token: '0xfake', block: minedAt(100) })] },
      null,
    ],
    [
      'not for another chain',
      { payments: [paymentOf({ chain: 'base', asset: 'USDC', block: minedAt(100) })] },
      null,
    ],
    [
      'not for a rival that is not mined',
      { payments: [paymentOf({ rival: { txid: 'away', height: null } })] },
      null,
    ],
    [
      'for a rival that will have won',
      { payments: [paymentOf({ rival: { txid: 'away', height: 99 } })] },
      104,
    ],
    [
      'for the end of a pause, where that is all that holds it back',
      { payments: [part('1', 98_000n, { block: minedAt(90) })], view: { isPaused: true } },
      101,
    ],
    [
      'for the end of a pause before it is final',
      { payments: [part('1', 98_000n, { block: minedAt(1) })], view: { isPaused: true }, history: settled },
      101,
    ],
    [
      'not for the end of a pause where it is settled and not final',
      { payments: [part('1', 98_000n, { block: minedAt(90) })], view: { isPaused: true }, history: settled },
      189,
    ],
  ])('%s', (_what, given, wakeHeight) => {
    expect(decided(given).wakeHeight).toBe(wakeHeight);
  });
});

describe('the clock wakes it', () => {
  it.each<[what: string, given: Given, wakeAt: string | null]>([
    ['for its expiry', { payments: [part('1', 60_000n)] }, '15:01'],
    [
      'no more for the delay of what is not enough',
      { payments: [part('1', 60_000n)], now: '16:00' },
      '4330:01',
    ],
    [
      'for an orphan that is nowhere to be given up, and then to be dropped',
      { payments: [paymentOf({ orphanedAt: at('50:00'), seenAt: null })], now: '16:00' },
      '410:01',
    ],
    [
      'for an orphan to be dropped',
      { payments: [paymentOf({ orphanedAt: at('50:00'), seenAt: null })], now: '411:00' },
      '4370:01',
    ],
    [
      'for a late orphan only to be dropped',
      {
        payments: [paymentOf({ orphanedAt: at('50:00'), effectiveAt: at('20:00'), seenAt: null })],
        now: '51:00',
      },
      '4370:01',
    ],
    [
      'not for the dropping of what was replaced',
      { payments: [paymentOf({ rival: { txid: 'away', height: null } })], now: '16:00' },
      null,
    ],
    [
      'not for the dropping of an orphan that lost to a rival',
      {
        payments: [paymentOf({ orphanedAt: at('50:00'), seenAt: null, rival: { txid: 'away', height: 99 } })],
        now: '411:00',
      },
      null,
    ],
    [
      'for the end of caution, as long as one payment is not deep',
      {
        payments: [part('1', 60_000n, { block: minedAt(99) }), part('2', 40_000n, { block: minedAt(50) })],
        view: { cautiousUntil: at('1d') },
      },
      '1440:00',
    ],
    [
      'not for the end of caution where all is deep',
      { payments: [paymentOf({ block: minedAt(50) })], view: { cautiousUntil: at('1d') }, history: settled },
      null,
    ],
    [
      'not for accepted money on a chain without a view',
      { payments: [part('1', 100_000n, { chain: 'base', block: minedAt(9) })], acts: [accept] },
      '15:01',
    ],
    [
      'not for accepted money on its own chain',
      { payments: [paymentOf({ txid: '1', block: minedAt(99) })], acts: [accept], now: '12:00' },
      null,
    ],
    [
      'for accepted money on another chain, more and more seldom, every ten minutes at last',
      {
        payments: [part('1', 100_000n, { chain: 'base', block: minedAt(99), effectiveAt: at('1m') })],
        acts: [accept],
        others: [viewOf({ chain: 'base', freshUntil: at('100:00') })],
        history: { status: 'expired' },
        now: '100:00',
      },
      '110:00',
    ],
  ])('%s', (_what, given, wakeAt) => {
    expect(decided(given).wakeAt).toBe(wakeAt === null ? null : at(wakeAt));
  });
});
