import { describe, expect, it } from 'vitest';
import { bankConnectionPolicy, type UnreadableMovement } from './bank-connection.ts';
import { disconnectExpectedAfter, type ReadMovements, unreadableAfter } from './bank-reading.ts';

const coin = (externalId: string, accountExternalId = 'mine') => ({
  ...{ externalId, accountExternalId, reason: 'currency_unknown' as const },
  ...{ currency: 'BTC', bookedOn: '2026-03-05' },
});
const movement = (externalId: string, accountExternalId = 'mine') => ({
  ...{ externalId, accountExternalId, currency: 'XAU', bookedOn: '2026-03-05' },
});
const accounts = { accounts: new Set(['mine']), elsewhere: new Set(['theirs']) };
const listedAfter = (known: readonly UnreadableMovement[], read: Partial<ReadMovements>) =>
  unreadableAfter(known, { told: [], removed: [], unreadable: [], ...read }, accounts);

describe('what could not be read', () => {
  it('stays listed until it can be, or is gone', () => {
    const known = [coin('1'), coin('2'), coin('3')];
    const removed = [{ externalId: '2', accountExternalId: 'mine' }];
    expect(listedAfter(known, { told: [movement('1')], removed })).toEqual([coin('3')]);
  });

  it('is listed once, as it was told last, and stays dismissed', () => {
    const known = [{ ...coin('1'), isDismissed: true }, coin('2')];
    const again = { ...coin('1'), bookedOn: '2026-03-06' };
    expect(listedAfter(known, { unreadable: [again] })).toEqual([coin('2'), { ...again, isDismissed: true }]);
  });

  it('is also what was told of an account that is not kept, unless another connection reads it', () => {
    const told = [movement('1'), movement('2', 'strange'), movement('3', 'theirs')];
    const unreadable = [coin('4', 'theirs')];
    expect(listedAfter([], { told, unreadable })).toEqual([
      { ...movement('2', 'strange'), reason: 'account_unknown' },
    ]);
  });

  it('is no longer than its limit, and the newest stay', () => {
    const unreadable = Array.from({ length: bankConnectionPolicy.unreadableMax }, (_, at) => coin(`${at}`));
    expect(listedAfter([coin('old')], { unreadable })).toEqual(unreadable);
  });
});

describe('that a connection will be ended', () => {
  const at = new Date('2026-03-09T10:00:00Z');
  const yesterday = new Date('2026-03-08T10:00:00Z');
  const expected = (since: Date | null, types: string[], status: 'active' | 'needs_reauth' = 'active') =>
    disconnectExpectedAfter({ status, disconnectExpectedSince: since }, new Set(types), at);

  it('is known from its first announcement on', () => {
    expect(expected(null, [])).toBeNull();
    expect(expected(null, ['ITEM.PENDING_DISCONNECT'])).toEqual(at);
    expect(expected(yesterday, ['ITEM.PENDING_DISCONNECT'])).toEqual(yesterday);
    expect(expected(yesterday, [])).toEqual(yesterday);
  });

  it('is over once the login was repaired or is required', () => {
    expect(expected(yesterday, ['ITEM.LOGIN_REPAIRED', 'ITEM.PENDING_DISCONNECT'])).toBeNull();
    expect(expected(yesterday, [], 'needs_reauth')).toBeNull();
  });

  it('holds for eight days', () => {
    expect(expected(new Date('2026-03-01T10:00:00Z'), [])).not.toBeNull();
    expect(expected(new Date('2026-03-01T09:59:59Z'), [])).toBeNull();
  });
});
