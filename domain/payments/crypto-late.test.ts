/** Which late money is accepted by itself. A coin is worth 100,000 dollars by the quote: 98,000 units are enough. */
import { describe, expect, it } from 'vitest';
import {
  at,
  decided,
  etherTermsOf,
  minedAt,
  paymentOf,
  termsOf,
  viewOf,
} from '../../test/support/crypto-situation.ts';
import type { CryptoAct } from './crypto-invoice.ts';
import type { CryptoPayment } from './crypto-payment.ts';
import { type CryptoPolicy, cryptoPolicyOn } from './crypto-policy.ts';

const auto = termsOf({ policy: cryptoPolicyOn('mainnet', { late: 'auto' }) });
const expired = { status: 'expired' as const };

/** Seen in the twentieth minute, five after the expiry. */
function late(txid: string, changes: Partial<CryptoPayment> = {}): CryptoPayment {
  const when = { effectiveAt: at('20:00'), seenAt: at('20:00') };
  return paymentOf({ txid, usdRate: '100000', ...when, ...changes });
}

type Given = Parameters<typeof decided>[0];

function acceptable(payments: CryptoPayment[], given: Given = {}): string[] {
  return decided({ terms: auto, history: expired, payments, now: '21:00', ...given }).acceptable;
}

describe('late money', () => {
  it.each([
    ['as much as is due', 100_000n, '100000', ['1:0']],
    ['what is enough, to the unit', 98_000n, '100000', ['1:0']],
    ['a unit less', 97_999n, '100000', []],
    ['what is due, of coins that have become a little cheaper', 100_000n, '98000', ['1:0']],
    ['what is due, of coins that have become too cheap', 100_000n, '97999.99', []],
    ['less, of coins that have become dearer', 50_000n, '196000', ['1:0']],
    ['what nobody knows the worth of', 100_000n, null, []],
  ])('of %s is accepted where it was worth enough when it came', (_name, units, usdRate, keys) => {
    expect(acceptable([late('1', { units, usdRate })])).toEqual(keys);
  });

  it('counts once it is accepted, at its worth when it came, and is accepted no second time', () => {
    const payments = [late('1', { usdRate: '120000', block: minedAt(98) })];
    const act: CryptoAct = { kind: 'accept', paymentKeys: ['1:0'], at: at('21:00'), rate: 'received' };
    const decision = decided({ terms: auto, history: expired, payments, acts: [act], now: '21:00' });
    expect(decision).toMatchObject({ status: 'settled', confirmedUnits: 120_000n, acceptable: [] });
    expect(decision.flags).toEqual(['over', 'late', 'marked']);
  });

  it('waits for a person where the policy says so, and where it says nothing', () => {
    const { late: _, ...older } = cryptoPolicyOn('mainnet');
    const policies: CryptoPolicy[] = [cryptoPolicyOn('mainnet'), older];
    for (const policy of policies) {
      expect(acceptable([late('1')], { terms: termsOf({ policy }) })).toEqual([]);
    }
  });

  it('makes up for what was missing on time', () => {
    const part = paymentOf({ txid: '0', units: 60_000n });
    expect(acceptable([part, late('1', { units: 38_000n })])).toEqual(['1:0']);
    expect(acceptable([part, late('1', { units: 37_999n })])).toEqual([]);
  });

  it('is taken in the order in which it came, and no more of it than that takes', () => {
    const half = late('9', { units: 50_000n });
    const second = late('1', { effectiveAt: at('20:30') });
    expect(acceptable([second, half])).toEqual(['9:0', '1:0']);
    const [whole, twice] = [late('9'), late('1', { effectiveAt: at('20:30') })];
    expect(acceptable([twice, whole])).toEqual(['9:0']);
    expect(acceptable([late('2'), late('1')])).toEqual(['1:0']);
  });

  it.each<[string, CryptoPayment]>([
    ['spends what another transaction spends', late('1', { rival: { txid: 'x', height: null } })],
    ['was in a block that left the chain', late('1', { orphanedAt: at('20:10'), seenAt: at('20:20') })],
    ['builds upon what is not mined', late('1', { unconfirmedParent: 'parent' })],
    ['is gone', late('1', { seenAt: null })],
    ['is another asset', late('1', { asset: 'USDC', units: 100_000_000n, usdRate: '1' })],
    ['is a token of others', late('1', { asset: null, token: '0xspam' })],
    ['is dust', late('1', { units: 999n })],
  ])('that %s waits for a person', (_name, payment) => {
    expect(acceptable([payment])).toEqual([]);
  });

  it('waits as long as its parent is not mined, and no longer', () => {
    const child = late('1', { unconfirmedParent: 'parent' });
    expect(acceptable([{ ...child, unconfirmedParent: null, block: minedAt(100) }])).toEqual(['1:0']);
  });

  it('on another chain waits for a person', () => {
    const usdc = { asset: 'USDC' as const, units: 100_000_000n, usdRate: '1' };
    const terms = etherTermsOf({
      asset: 'USDC',
      dueUnits: 100_000_000n,
      minDueUnits: 98_000_000n,
      policy: auto.policy,
    });
    const base = { chain: 'base' as const, block: minedAt(60) };
    const others = [viewOf({ chain: 'base', freshUntil: at('21:00') })];
    expect(acceptable([late('1', { ...usdc, ...base })], { terms, others })).toEqual([]);
    expect(acceptable([late('1', { ...usdc, chain: 'ethereum' })], { terms })).toEqual(['1:0']);
  });

  it('waits while anything else about the invoice is in doubt', () => {
    const away = paymentOf({ txid: '0', units: 60_000n, rival: { txid: 'x', height: null } });
    const orphan = paymentOf({ txid: '0', units: 60_000n, orphanedAt: at('16:00') });
    expect(acceptable([away, late('1')])).toEqual([]);
    expect(acceptable([orphan, late('1')])).toEqual([]);
    expect(acceptable([late('1')], { view: { isPaused: true } })).toEqual([]);
  });

  it.each<[string, CryptoAct[]]>([
    ['dismissed', [{ kind: 'dismiss', paymentKeys: ['1:0'], at: at('20:30') }]],
    ['for what is cancelled', [{ kind: 'cancel', at: at('16:00') }]],
    ['for what was marked as invalid', [{ kind: 'mark_invalid', at: at('16:00'), txid: null }]],
    ['for what was marked as settled', [{ kind: 'mark_settled', at: at('16:00'), txid: null }]],
  ])('%s is not accepted over what an operator said', (_name, acts) => {
    expect(acceptable([late('1')], { acts })).toEqual([]);
  });

  it.each([
    ['awaiting', '14:00'],
    ['settled', '21:00'],
    ['final', '21:00'],
  ] as const)('is accepted for nothing that is %s', (status, now) => {
    const onTime = status === 'awaiting' ? [] : [paymentOf({ txid: '0', block: minedAt(50) })];
    const history = { status, settledAt: status === 'awaiting' ? null : at('12:00') };
    expect(acceptable([...onTime, late('1')], { history, now })).toEqual([]);
  });

  it('is none that was on time and came to light after the end of the watch', () => {
    const found = paymentOf({ txid: '1', usdRate: '100000', block: minedAt(98) });
    expect(acceptable([found], { now: '26h' })).toEqual([]);
  });
});
