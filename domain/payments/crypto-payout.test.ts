import { describe, expect, it } from 'vitest';
import {
  type CryptoPayoutStatus,
  cryptoPayoutStatuses,
  isPaidOut,
  isTransactionOn,
  livePayoutStatuses,
  type PayoutAct,
  payoutMistake,
  statusAfter,
} from './crypto-payout.ts';
import { APPROVAL_USD_MINOR } from './crypto-policy.ts';

const acts: readonly PayoutAct[] = ['approve', 'reject', 'broadcast'];

const may: Record<PayoutAct, readonly CryptoPayoutStatus[]> = {
  approve: ['requested'],
  reject: ['requested', 'approved'],
  broadcast: ['approved', 'broadcast'],
};

const sentences: Record<CryptoPayoutStatus, string> = {
  requested: 'The payout is requested and waits to be approved.',
  approved:
    'The payout is approved and waits to be sent: tell its transaction with …/broadcast, or reject it.',
  rejected: 'The payout is rejected; ask for another one if it is to be made after all.',
  broadcast: 'The payout is broadcast already, and waits to be confirmed by the chain.',
  confirmed: 'The payout is confirmed already.',
};

describe('an act on a payout', () => {
  const table = acts.flatMap((act) => cryptoPayoutStatuses.map((status) => [act, status] as const));
  it.each(table)('is done from the statuses before it only: %s, %s', (act, status) => {
    const mistake = payoutMistake({ status, usdMinor: 100, requestedBy: 'ann' }, act, 'ann');
    expect(mistake).toEqual(
      may[act].includes(status) ? null : { reason: `payout_${status}`, message: sentences[status] },
    );
  });

  it.each<[number, string, boolean]>([
    [APPROVAL_USD_MINOR - 1, 'ann', true],
    [APPROVAL_USD_MINOR, 'ann', false],
    [APPROVAL_USD_MINOR, 'bob', true],
    [Number.MAX_SAFE_INTEGER, 'ann', false],
  ])('is approved by another one from 1,000 dollars on: %i cents, %s', (usdMinor, actor, isAllowed) => {
    const mistake = payoutMistake({ status: 'requested', usdMinor, requestedBy: 'ann' }, 'approve', actor);
    expect(mistake?.reason ?? null).toBe(isAllowed ? null : 'second_approver_required');
  });

  it.each(['reject', 'broadcast'] as const)('asks for no second person: %s', (act) => {
    const payout = {
      status: 'approved',
      usdMinor: APPROVAL_USD_MINOR,
      requestedBy: 'ann',
    } as const;
    expect(payoutMistake(payout, act, 'ann')).toBeNull();
  });

  it('says first that it is too late, whoever asks', () => {
    const payout = { status: 'approved', usdMinor: APPROVAL_USD_MINOR, requestedBy: 'ann' } as const;
    expect(payoutMistake(payout, 'approve', 'ann')?.reason).toBe('payout_approved');
  });

  it('leads to what holds the money, or lets it go', () => {
    expect(statusAfter).toEqual({ approve: 'approved', reject: 'rejected', broadcast: 'broadcast' });
    expect(livePayoutStatuses).toEqual(['requested', 'approved', 'broadcast']);
  });
});

describe('a transaction on the chain', () => {
  const payout = { target: '0014aa', asset: 'BTC', units: 1_000n };
  const to = (target: string, units: bigint, asset: string | null = 'BTC') => ({ to: target, units, asset });

  it.each<[string, Parameters<typeof isPaidOut>[0], boolean]>([
    ['as much', [to('0014aa', 1_000n)], true],
    ['more', [to('0014aa', 1_001n)], true],
    ['a unit less', [to('0014aa', 999n)], false],
    ['in two parts', [to('0014aa', 400n), to('0014bb', 5_000n), to('0014aa', 600n)], true],
    ['somebody else', [to('0014bb', 1_000n)], false],
    ['another coin', [to('0014aa', 1_000n, 'ETH')], false],
    ['an unknown token', [to('0014aa', 1_000n, null)], false],
    ['nobody', [], false],
  ])('is the payout where it pays the address enough in the same coin: %s', (_title, transfers, is) => {
    expect(isPaidOut(transfers, payout)).toBe(is);
  });
});

describe('the id of a transaction', () => {
  const digits = 'ab'.repeat(32);
  it.each([
    ['bitcoin', digits, true],
    ['bitcoin', `0x${digits}`, false],
    ['bitcoin', digits.toUpperCase(), false],
    ['bitcoin', digits.slice(1), false],
    ['ethereum', `0x${digits}`, true],
    ['ethereum', digits, false],
    ['base', `0x${digits}0`, false],
    ['polygon', `0x${digits}`, true],
  ] as const)('has the form of its chain: %s, %s', (chain, txid, is) => {
    expect(isTransactionOn(chain, txid)).toBe(is);
  });
});
