import { describe, expect, it } from 'vitest';
import type { FeedTransaction } from '../../domain/payments/bank-feed.ts';
import { parseExactJson } from '../exact-json.ts';
import * as shapes from './shapes.ts';
import { toFeedConnection, toFeedPage } from './transform.ts';

/** As Plaid writes it: a wire that came in. */
const wire = {
  transaction_id: 'tx1',
  account_id: 'acc1',
  amount: -499,
  iso_currency_code: 'USD',
  unofficial_currency_code: null,
  date: '2026-03-05',
  authorized_date: '2026-03-04',
  pending: false,
  pending_transaction_id: 'tx0',
  original_description: 'WIRE IN ADV48213075 /ORG=ACME CORP',
  name: 'Wire from Acme',
  merchant_name: 'Acme',
  check_number: '0042',
  payment_meta: {
    reference_number: 'TRN260305',
    reason: 'Invoice',
    payer: 'ACME CORPORATION',
    by_order_of: 'ACME CORP',
    payee: 'PERENNIAL',
    ppd_id: 'not read',
    payment_method: 'WIRE',
    payment_processor: null,
  },
  counterparties: [{ name: 'Acme Corp', type: 'merchant', website: null, logo_url: null }],
};

const page = (added: object[], more: object = {}) =>
  toFeedPage(
    shapes.transactionsPage.parse(
      parseExactJson(
        JSON.stringify({
          added,
          modified: [],
          removed: [],
          next_cursor: 'c1',
          has_more: false,
          transactions_update_status: 'HISTORICAL_UPDATE_COMPLETE',
          ...more,
        }),
      ),
    ),
  );

const one = (differs: object) => page([{ ...wire, ...differs }]).added[0] as FeedTransaction;

describe('a movement of Plaid', () => {
  it('is told in our words: money in is positive', () => {
    expect(one({})).toEqual({
      externalId: 'tx1',
      accountExternalId: 'acc1',
      amountMinor: 49_900,
      roundedFrom: null,
      currency: 'USD',
      bookedOn: '2026-03-05',
      authorisedOn: '2026-03-04',
      pending: false,
      pendingExternalId: 'tx0',
      texts: [
        'WIRE IN ADV48213075 /ORG=ACME CORP',
        'Wire from Acme',
        'Acme',
        'TRN260305',
        'Invoice',
        'ACME CORPORATION',
        'ACME CORP',
        'PERENNIAL',
        '0042',
        'Acme Corp',
      ],
      payer: { name: 'ACME CORPORATION', account: null },
      bankReference: 'TRN260305',
    });
  });

  it('with hardly anything in it is one all the same', () => {
    const { transaction_id, account_id, amount, date, pending } = wire;
    const bare = { transaction_id, account_id, amount, date, pending, iso_currency_code: 'USD' };
    expect(page([bare]).added).toEqual([
      {
        externalId: 'tx1',
        accountExternalId: 'acc1',
        amountMinor: 49_900,
        roundedFrom: null,
        currency: 'USD',
        bookedOn: '2026-03-05',
        authorisedOn: null,
        pending: false,
        pendingExternalId: null,
        texts: [],
        payer: { name: null, account: null },
        bankReference: null,
      },
    ]);
  });

  it('has no empty text, and none that a database refuses', () => {
    const { texts } = one({
      original_description: ' ADV\u0000 48213075\n',
      name: '   ',
      merchant_name: 'half \ud83d of a pair',
      check_number: '\u0000',
      payment_meta: null,
      counterparties: null,
    });
    expect(texts).toEqual(['ADV  48213075', 'half \ufffd of a pair']);
  });

  it('whose texts are something else has no such text, and its amount counts', () => {
    const odd = one({
      original_description: { a: 1 },
      payment_meta: 'WIRE',
      counterparties: 'Acme',
      name: 'x',
    });
    expect(odd).toMatchObject({ amountMinor: 49_900, texts: ['x', 'Acme', '0042'] });
  });

  it.each([
    ['who is paying', {}, 'ACME CORPORATION'],
    ['who ordered the wire', { payment_meta: { payer: null, by_order_of: 'ACME CORP' } }, 'ACME CORP'],
    ['the other side, as Plaid guesses', { payment_meta: null }, 'Acme Corp'],
    [
      'nobody, where the other side is a bank or an app',
      {
        payment_meta: null,
        counterparties: [
          { name: 'Chase', type: 'financial_institution' },
          { name: 'Zelle', type: 'payment_app' },
        ],
      },
      null,
    ],
    ['nobody, where money goes out', { amount: 499 }, null],
  ])('names as its payer %s', (_, differs, name) => {
    expect(one(differs).payer.name).toBe(name);
  });

  it.each([
    [
      { international: { iban: 'DE89370400440532013000', bic: 'COBADEFF' }, bacs: null },
      'DE89370400440532013000',
    ],
    [{ bacs: { account: '31926819', sort_code: '601613' }, international: null }, '601613 31926819'],
    [{ bacs: { account: '31926819', sort_code: null } }, null],
    [null, null],
  ])('says from which account it came: %j', (account_numbers, account) => {
    const counterparties = [{ name: 'Acme', type: 'financial_institution', account_numbers }];
    expect(one({ counterparties }).payer.account).toBe(account);
  });

  it('keeps digits that its currency has no room for', () => {
    expect(one({ amount: -499.005 })).toMatchObject({ amountMinor: 49_900, roundedFrom: '499.005' });
  });

  it.each([
    ['a coin', { iso_currency_code: null, unofficial_currency_code: 'BTC' }, 'currency_unknown', 'BTC'],
    [
      'dollars that are none',
      { iso_currency_code: null, unofficial_currency_code: 'USD' },
      'currency_unknown',
      'USD',
    ],
    ['a currency that we do not know', { iso_currency_code: 'XAU' }, 'currency_unknown', 'XAU'],
    ['no currency', { iso_currency_code: null }, 'currency_unknown', ''],
    ['more than can be counted', { amount: -1e20 }, 'amount_too_large', 'USD'],
  ])('in %s is told apart and stops no other', (_, differs, reason, currency) => {
    const { added, unreadable } = page([
      { ...wire, ...differs },
      { ...wire, transaction_id: 'tx2' },
    ]);
    expect(added.map(({ externalId }) => externalId)).toEqual(['tx2']);
    expect(unreadable).toEqual([
      { externalId: 'tx1', accountExternalId: 'acc1', reason, currency, bookedOn: '2026-03-05' },
    ]);
  });
});

describe('a connection of Plaid', () => {
  const error = (error_code: string) => ({ error_type: 'ITEM_ERROR', error_code, error_message: 'Told' });
  it.each([
    ['is well', null, null],
    ['is read no more until somebody signs in', error('ITEM_LOGIN_REQUIRED'), 'login_required'],
    ['fails for a reason that has no word yet', error('SOMETHING_NEW'), 'bank_unavailable'],
  ])('%s', (_what, failure, problem) => {
    const answer = { item: { item_id: 'Item1', error: failure }, status: null };
    expect(toFeedConnection(shapes.itemAnswer.parse(answer))).toMatchObject({ externalId: 'Item1', problem });
  });
});

describe('a page of Plaid', () => {
  it('tells what is new, what has changed and what is gone', () => {
    const told = page([wire], {
      modified: [{ ...wire, transaction_id: 'tx2', amount: 12.5 }],
      removed: [{ transaction_id: 'tx0', account_id: 'acc1' }],
      has_more: true,
    });
    expect(told).toMatchObject({
      added: [{ externalId: 'tx1' }],
      modified: [{ externalId: 'tx2', amountMinor: -1_250 }],
      removed: [{ externalId: 'tx0', accountExternalId: 'acc1' }],
      unreadable: [],
      nextCursor: 'c1',
      hasMore: true,
      isReady: true,
    });
  });

  it.each([
    ['NOT_READY', false],
    ['INITIAL_UPDATE_COMPLETE', true],
    ['HISTORICAL_UPDATE_COMPLETE', true],
    ['TRANSACTIONS_UPDATE_STATUS_UNKNOWN', true],
  ])('with the status %s is ready: %s', (transactions_update_status, isReady) => {
    expect(page([], { transactions_update_status }).isReady).toBe(isReady);
  });

  it.each([
    ['no amount', { amount: null }],
    ['an amount in words', { amount: 'much' }],
    ['no name', { transaction_id: '' }],
    ['a day that is none', { date: '2026-02-30' }],
    ['neither yes nor no for pending', { pending: null }],
  ])('with %s in it is not understood', (_, differs) => {
    expect(() => page([{ ...wire, ...differs }])).toThrow();
  });

  it.each(['added', 'removed', 'next_cursor', 'has_more', 'transactions_update_status'])(
    'without %s is not understood',
    (field) => {
      expect(() => page([wire], { [field]: undefined })).toThrow();
    },
  );
});
