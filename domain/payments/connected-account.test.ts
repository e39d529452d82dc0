import { describe, expect, it } from 'vitest';
import type { FeedAccount } from './bank-feed.ts';
import { type KnownAccount, sameAccount } from './connected-account.ts';

const told: FeedAccount = {
  externalId: 'new-1',
  persistentId: 'lasting-1',
  name: 'Checking',
  mask: '3000',
  currency: 'USD',
};
const connection = { id: 'bcn_2', institutionId: 'ins_1' };
const before = { id: 'bcn_1', institutionId: 'ins_1', isRead: true };
const account: KnownAccount = {
  id: 'bac_1',
  name: 'Checking',
  currency: 'USD',
  mask: '3000',
  statementAccount: null,
  externalId: 'old-1',
  persistentId: 'lasting-1',
  isClosed: false,
  connection: before,
};
const find = (known: readonly KnownAccount[], differs: Partial<FeedAccount> = {}) =>
  sameAccount({ ...told, ...differs }, { connection, known, accounts: [{ ...told, ...differs }] });
const unnamed = { persistentId: null };

describe('an account that a feed tells is', () => {
  it('the one that this connection reads already, whatever else fits', () => {
    const ours = {
      ...account,
      id: 'bac_9',
      externalId: 'new-1',
      isClosed: true,
      connection: { ...before, id: 'bcn_2' },
    };
    expect(find([account, ours])).toEqual({ accountId: 'bac_9', readBy: 'this' });
  });

  it.each<[string, KnownAccount['connection'], string]>([
    ['an older connection', before, 'older'],
    ['a newer one', { ...before, id: 'bcn_3' }, 'newer'],
    ['one that is over', { ...before, id: 'bcn_3', isRead: false }, 'nobody'],
  ])('the one with the same lasting name, read by %s', (_, readBy, found) => {
    const known = { ...account, name: 'Renamed', mask: null, connection: readBy };
    expect(find([known])).toEqual({ accountId: 'bac_1', readBy: found });
  });

  it('the one of the same institution with the same last digits, where lasting names are missing', () => {
    expect(find([{ ...account, ...unnamed, name: 'Renamed', mask: '…3000' }])).toMatchObject({
      accountId: 'bac_1',
    });
    expect(find([account], unnamed)).toMatchObject({ accountId: 'bac_1' });
  });

  it.each<[string, Partial<KnownAccount>]>([
    ['another lasting name', { persistentId: 'lasting-2' }],
    ['other last digits', { ...unnamed, mask: '4000' }],
    ['another currency', { ...unnamed, currency: 'EUR' }],
    ['another institution', { ...unnamed, connection: { ...before, institutionId: 'ins_2' } }],
    ['an institution that nobody knows', { ...unnamed, connection: { ...before, institutionId: null } }],
    ['been closed', { ...unnamed, isClosed: true }],
  ])('a new one where the known one has %s', (_, differs) => {
    expect(find([{ ...account, ...differs }])).toBeNull();
  });

  it('of two that fit the one with the same name, or neither', () => {
    const other = { ...account, ...unnamed, id: 'bac_2', name: 'Savings' };
    expect(find([{ ...account, ...unnamed }, other])).toMatchObject({ accountId: 'bac_1' });
    expect(find([{ ...account, ...unnamed, name: 'Savings' }, other])).toBeNull();
  });

  it('of two told that end alike and are known as one the one with its name, and the other a new one', () => {
    const known = [{ ...account, ...unnamed }];
    const savings = { ...told, externalId: 'new-2', name: 'Savings' };
    const accounts = [savings, told];
    expect(sameAccount(savings, { connection, known, accounts })).toBeNull();
    expect(sameAccount(told, { connection, known, accounts })).toMatchObject({ accountId: 'bac_1' });
  });

  it('the one of statement files whose number ends alike', () => {
    const files = { ...account, ...unnamed, connection: null, externalId: null, name: 'Ours' };
    const iban = 'DE89 3704 0044 0532 0130 00';
    expect(find([{ ...files, mask: null, statementAccount: iban }])).toEqual({
      accountId: 'bac_1',
      readBy: 'nobody',
    });
    expect(find([{ ...files, statementAccount: 'DE89370400440532014000' }])).toBeNull();
    const french = { ...files, statementAccount: 'FR1420041010050500013M02606' };
    expect(find([french], { mask: 'M026' })).toMatchObject({ accountId: 'bac_1' });
    expect(find([files])).toMatchObject({ accountId: 'bac_1' });
    expect(find([{ ...files, mask: '00' }], { mask: '00' })).toBeNull();
    expect(find([files], { mask: null })).toBeNull();
    expect(find([{ ...files, isClosed: true }])).toBeNull();
  });
});
