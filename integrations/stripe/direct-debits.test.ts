/** What Stripe says of debits of bank accounts, in our words. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { returnCodeOf } from './direct-debits.ts';
import { toCardCharge, toCardPaymentMethod } from './transform.ts';

function recorded(name: string): object {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'recorded', `${name}.json`), 'utf8'));
}

/** A payment as Stripe reports one of a bank account: made from a recorded one, with what differs. */
function debit(name: string, differs: object = {}): Stripe.PaymentIntent {
  return { ...recorded(name), payment_method_types: ['us_bank_account'], ...differs } as Stripe.PaymentIntent;
}

describe('codes of returns', () => {
  it.each([
    ['R09', 'insufficient_funds', 'R09'],
    [null, 'insufficient_funds', 'R01'],
    [undefined, 'account_closed', 'R02'],
    [null, 'bank_account_closed', 'R02'],
    [null, 'no_account', 'R03'],
    [null, 'incorrect_account_details', 'R03'],
    [null, 'debit_not_authorized', 'R10'],
    ['R29', 'debit_not_authorized', 'R29'],
    ['51', 'insufficient_funds', 'R01'],
    [null, 'bank_cannot_process', 'bank_cannot_process'],
    [null, 'constructor', 'constructor'],
  ])('network code %j with the word %s is %s', (networkCode, word, code) => {
    expect(returnCodeOf({ networkCode, word })).toBe(code);
  });
});

describe('a debit', () => {
  it('that is at the bank is a direct debit that is processing', () => {
    expect(toCardCharge(debit('payment-intent-processing'))).toMatchObject({
      status: 'processing',
      directDebit: true,
    });
  });

  it('that was returned has the code of the network as its decline', () => {
    const last_payment_error = {
      code: 'account_closed',
      network_decline_code: 'R02',
      type: 'card_error',
      payment_method: { type: 'us_bank_account' },
    };
    expect(toCardCharge(debit('payment-intent-declined', { last_payment_error }))).toMatchObject({
      status: 'failed',
      directDebit: true,
      decline: { code: 'R02', class: 'hard' },
    });
  });

  it.each([
    ['lost', [], true],
    ['lost', [-2900], true],
    ['needs_response', [-2900], true],
    ['needs_response', [], false],
    ['won', [], false],
    ['won', [-2900, 2900], false],
  ])(
    'whose dispute is %s with the transactions %j: returned %s, and never a dispute',
    (status, moved, is) => {
      const balance_transactions = moved.map((amount) => ({ amount }));
      const about = { id: 'dp_1', amount: 2900, currency: 'usd', reason: 'debit_not_authorized', created: 1 };
      const disputes = [{ ...about, status, balance_transactions }] as unknown as Stripe.Dispute[];
      const charge = toCardCharge(debit('payment-intent-succeeded', { latest_charge: 'ch_1' }), { disputes });
      expect(charge.disputes).toEqual([]);
      expect(charge.returned).toEqual(
        is ? { externalId: 'dp_1', code: 'R10', amountMinor: 2900 } : undefined,
      );
    },
  );

  it('a card that is disputed was not returned', () => {
    const charge = toCardCharge(recorded('payment-intent-succeeded') as Stripe.PaymentIntent);
    expect(charge).not.toHaveProperty('returned');
    expect(charge).not.toHaveProperty('directDebit');
  });
});

it('a bank account is shown by its bank and its last digits', () => {
  const us_bank_account = { bank_name: 'STRIPE TEST BANK', last4: '6789' };
  expect(
    toCardPaymentMethod({ id: 'pm_1', type: 'us_bank_account', us_bank_account } as Stripe.PaymentMethod),
  ).toEqual({
    externalId: 'pm_1',
    type: 'us_bank_account',
    brand: 'STRIPE TEST BANK',
    last4: '6789',
    expMonth: 0,
    expYear: 0,
  });
});
