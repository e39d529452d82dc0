import { describe, expect, it } from 'vitest';
import {
  type CryptoPayoutStatus,
  cryptoPayoutStatuses,
  isPaidOut,
  isTransactionOn,
  livePayoutStatuses,
  type PayoutAct,
  type PayoutStanding,
  payoutMistake,
  payoutProblem,
  statusAfter,
} from './crypto-payout.ts';
import { APPROVAL_USD_MINOR } from './crypto-policy.ts';

const acts: readonly PayoutAct[] = ['approve', 'reject', 'broadcast'];

const may: Record<PayoutAct, readonly CryptoPayoutStatus[]> = {
  approve: ['requested'],
  reject: ['asked', 'requested', 'approved', 'broadcast'],
  broadcast: ['approved', 'broadcast'],
};

const sentences: Record<CryptoPayoutStatus, string> = {
  asked:
    'The payout is asked and has no address yet: ask the customer for one, and ask for the payout with it (POST /v1/crypto_invoices/{cryptoInvoiceId}/payouts), or reject it.',
  requested: 'The payout is requested and waits to be approved.',
  approved:
    'The payout is approved and waits to be sent: tell its transaction with …/broadcast, or reject it.',
  rejected: 'The payout is rejected; ask for another one if it is to be made after all.',
  broadcast: 'The payout is broadcast already, and waits to be confirmed by the chain.',
  confirmed: 'The payout is confirmed already.',
};

/** Asked for by Ann, sent by Bob, in no block. */
function payoutThat(fields: Partial<PayoutStanding>): PayoutStanding {
  const sender = fields.status === 'broadcast' || fields.status === 'confirmed' ? 'bob' : null;
  return {
    status: 'requested',
    usdMinor: 100,
    requestedBy: 'ann',
    broadcastBy: sender,
    height: null,
    isLost: false,
    ...fields,
  };
}

describe('an act on a payout', () => {
  const table = acts.flatMap((act) => cryptoPayoutStatuses.map((status) => [act, status] as const));
  it.each(table)('is done from the statuses before it only: %s, %s', (act, status) => {
    const mistake = payoutMistake(payoutThat({ status }), act, 'ann');
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
    const mistake = payoutMistake(payoutThat({ usdMinor }), 'approve', actor);
    expect(mistake?.reason ?? null).toBe(isAllowed ? null : 'second_approver_required');
  });

  it.each(['reject', 'broadcast'] as const)('asks for no second person: %s', (act) => {
    const payout = payoutThat({ status: 'approved', usdMinor: APPROVAL_USD_MINOR });
    expect(payoutMistake(payout, act, 'ann')).toBeNull();
  });

  it('says first that it is too late, whoever asks', () => {
    const payout = payoutThat({ status: 'approved', usdMinor: APPROVAL_USD_MINOR });
    expect(payoutMistake(payout, 'approve', 'ann')?.reason).toBe('payout_approved');
  });

  it.each<[string, Partial<PayoutStanding>, string, string | null]>([
    ['by whoever else says that it will never be mined', {}, 'ann', null],
    ['not by whoever told its transaction', {}, 'bob', 'second_person_required'],
    ['not once a block has it', { height: 800_000 }, 'ann', 'transaction_mined'],
    ['a block counts first', { height: 0 }, 'bob', 'transaction_mined'],
    ['also where its money is lost', { isLost: true }, 'ann', null],
  ])('rejects what was sent: %s', (_title, fields, actor, reason) => {
    const mistake = payoutMistake(payoutThat({ status: 'broadcast', ...fields }), 'reject', actor);
    expect(mistake?.reason ?? null).toBe(reason);
  });

  it.each<[PayoutAct, CryptoPayoutStatus, string | null]>([
    ['approve', 'requested', 'payment_lost'],
    ['approve', 'approved', 'payment_lost'],
    ['approve', 'rejected', 'payment_lost'],
    ['broadcast', 'requested', 'payment_lost'],
    ['broadcast', 'approved', 'payment_lost'],
    ['broadcast', 'rejected', 'payment_lost'],
    // What was sent was sent: a transaction with a higher fee is told all the same.
    ['broadcast', 'broadcast', null],
    ['reject', 'requested', null],
    ['reject', 'approved', null],
    ['reject', 'rejected', 'payout_rejected'],
  ])('sends nothing for what the chain took back: %s, %s', (act, status, reason) => {
    expect(payoutMistake(payoutThat({ status, isLost: true }), act, 'ann')?.reason ?? null).toBe(reason);
  });

  it('leads to what holds the money, or lets it go', () => {
    expect(statusAfter).toEqual({ approve: 'approved', reject: 'rejected', broadcast: 'broadcast' });
    expect(livePayoutStatuses).toEqual(['requested', 'approved', 'broadcast']);
  });
});

describe('what is to be known of a payout', () => {
  const open = 'The chain has taken back the payment that it gives back: do not send it, reject it.';
  const sent =
    'The chain has taken back the payment that it gives back after it was sent: what was sent is lost to you, unless its transaction is never mined, or the payment is mined again.';
  const rejected =
    'The chain has taken back the payment that it gives back, so it was rejected: do not send it. If it was sent already, what was sent is lost to you.';

  it.each<[CryptoPayoutStatus, string]>([
    ['asked', open],
    ['requested', open],
    ['approved', open],
    ['broadcast', sent],
    ['confirmed', sent],
    ['rejected', rejected],
  ])('is that its money is lost: %s', (status, message) => {
    expect(payoutProblem({ status, isLost: true, sentBy: null })).toEqual({ code: 'payment_lost', message });
  });

  it.each(cryptoPayoutStatuses)('is nothing where nothing is wrong: %s', (status) => {
    expect(payoutProblem({ status, isLost: false, sentBy: null })).toBeNull();
  });

  it('is first of all that it was sent though it was rejected', () => {
    const problem = payoutProblem({ status: 'rejected', isLost: true, sentBy: 'ee' });
    expect(problem).toEqual({
      code: 'sent_after_rejection',
      message:
        'Transaction ee is in a block and pays the address, though the payout was rejected, and nothing is booked. Pay nothing else for it: ask for a payout anew, have it approved, and tell this transaction with …/broadcast. Where nothing is left to be given back, what was sent is lost to you.',
    });
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
