import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bankConnectionPolicy,
  type ConnectionRecord,
  concernsOf,
  nextHintedLookAt,
  nextLookAt,
  retryDelayMs,
  statusAfter,
} from './bank-connection.ts';
import { alertInWords } from './bank-connection-words.ts';

const at = '2026-03-05T10:00:00.000Z';

it.each([
  ['active', true, '2026-03-05T11:00:00.000Z'],
  ['active', false, '2026-03-05T10:10:00.000Z'],
  ['needs_reauth', true, '2026-03-06T10:00:00.000Z'],
  ['revoked', true, null],
  ['unlinked', true, null],
] as const)(
  'a connection that is %s (read before: %s) is looked at next at %s',
  (status, isReady, lookAt) => {
    expect(nextLookAt({ status, isReady }, at)).toBe(lookAt);
  },
);

it('what is told during a look is looked at ten seconds after it began', () => {
  expect(nextHintedLookAt(at)).toBe('2026-03-05T10:00:10.000Z');
});

it.each([
  ['login_required', 'needs_reauth'],
  ['access_revoked', 'revoked'],
  ['bank_unavailable', null],
  ['not_ready', null],
  ['cursor_unknown', null],
  ['changed_while_reading', null],
] as const)('%s makes it %s', (failure, status) => {
  expect(statusAfter(failure)).toBe(status);
});

it('a failed reading waits longer from try to try, never less than a second nor more than ten minutes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const wait = retryDelayMs(attempt, random);
        expect(wait).toBeGreaterThanOrEqual(1_000);
        expect(wait).toBeLessThanOrEqual(600_000);
        expect(wait).toBeLessThanOrEqual(retryDelayMs(attempt + 1, 1));
        expect(wait).toBeGreaterThanOrEqual(retryDelayMs(attempt, 1) / 2);
      },
    ),
  );
});

describe('the concerns about a connection', () => {
  const healthy: ConnectionRecord = {
    status: 'active',
    isReady: true,
    lastSyncedAt: at,
    lastFailedAt: null,
    bankReadAt: at,
    consentExpiresAt: null,
    disconnectExpectedSince: null,
    unreadable: [],
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  const movement = {
    externalId: 't1',
    accountExternalId: 'a1',
    reason: 'currency_unknown',
    currency: 'DOGE',
    bookedOn: '2026-03-04',
  } as const;
  const later = (hours: number) => new Date(Date.parse(at) + hours * 3_600_000).toISOString();

  it.each<[string[], Partial<ConnectionRecord>, string]>([
    [[], {}, at],
    [[], {}, later(bankConnectionPolicy.staleAfterHours)],
    [['stale'], {}, later(bankConnectionPolicy.staleAfterHours + 0.1)],
    [['failing'], { lastFailedAt: later(1) }, later(1)],
    [[], { lastFailedAt: later(-1) }, at],
    [['failing', 'stale'], { lastSyncedAt: null, lastFailedAt: later(1) }, later(1)],
    [['bank_silent'], { bankReadAt: later(-49) }, at],
    [['consent_ends'], { consentExpiresAt: later(24 * 7) }, at],
    [[], { consentExpiresAt: later(24 * 7 + 1) }, at],
    [['disconnect_expected'], { disconnectExpectedSince: at }, at],
    [['unreadable_movements'], { unreadable: [movement] }, at],
    [['needs_reauth'], { status: 'needs_reauth', lastFailedAt: later(1) }, later(100)],
    [['revoked'], { status: 'revoked' }, later(100)],
    [[], { status: 'unlinked', unreadable: [movement] }, later(100)],
  ])('are %j', (concerns, differs, now) => {
    expect(concernsOf({ ...healthy, ...differs }, now)).toEqual(concerns);
  });

  it.each([
    [
      { kind: 'needs_reauth', since: at },
      /wants a new login/,
      /Thu 5 Mar 2026 10:00 UTC.*bcn_1.*Nothing is lost/,
    ],
    [{ kind: 'revoked', since: at }, /has ended/, /Connect the bank anew/],
    [{ kind: 'consent_ends', at }, /ends on 2026-03-05/, /bcn_1.*before that day/],
    [{ kind: 'disconnect_expected', since: at }, /within days/, /2026-03-05.*sign in/],
    [
      { kind: 'unreadable_movements', movements: [movement] },
      /^A movement/,
      /2026-03-04 DOGE \(a currency or coin/,
    ],
    [{ kind: 'unreadable_movements', movements: Array(7).fill(movement) }, /^7 movements/, / and 2 more\./],
  ] as const)('are told with what to do: %j', (alert, title, what) => {
    const words = alertInWords(alert, { connectionId: 'bcn_1', institutionName: 'First Platypus Bank' });
    expect(words.title).toMatch(title);
    expect(words.title).toContain('First Platypus Bank');
    expect(words.what).toMatch(what);
    expect(alertInWords(alert, { connectionId: 'bcn_1', institutionName: null }).what).toContain('the bank');
  });
});
