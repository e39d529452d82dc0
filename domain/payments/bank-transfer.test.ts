import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterStanding,
  bankTransferStatuses,
  isTransferOpen,
  isWaitedFor,
  nextTransferAct,
  transferAwaitedUntil,
  transferClock,
} from './bank-transfer.ts';

const dayMs = 86_400_000;
const THURSDAY = '2026-03-05T10:00:00.000Z';

it('a transfer is waited for until it is settled or void, also once it has expired', () => {
  const over = bankTransferStatuses.filter((status) => !isWaitedFor(status));
  expect(over).toEqual(['settled', 'void']);
});

describe('the clock of a transfer', () => {
  it('asks after a day, alerts after two and ends after seven', () => {
    expect(transferClock({ issuedAt: THURSDAY, isInternational: false, dayMs })).toEqual({
      askAt: '2026-03-06T10:00:00.000Z',
      alertAt: '2026-03-07T10:00:00.000Z',
      expiresAt: '2026-03-12T10:00:00.000Z',
    });
  });

  it.each([
    ['Monday', '2026-03-02T10:00:00.000Z', '2026-03-09T10:00:00.000Z'],
    ['Thursday', THURSDAY, '2026-03-12T10:00:00.000Z'],
    ['Friday', '2026-03-06T10:00:00.000Z', '2026-03-13T10:00:00.000Z'],
    ['Saturday', '2026-03-07T10:00:00.000Z', '2026-03-13T10:00:00.000Z'],
    ['Sunday', '2026-03-08T10:00:00.000Z', '2026-03-13T10:00:00.000Z'],
  ])('calls a transfer from abroad late after five business days: %s', (_day, issuedAt, lateAt) => {
    const clock = transferClock({ issuedAt, isInternational: true, dayMs });
    const hoursLater = (hours: number) => new Date(Date.parse(lateAt) + hours * 3_600_000).toISOString();
    expect(clock).toEqual({ askAt: lateAt, alertAt: hoursLater(24), expiresAt: hoursLater(48) });
  });

  it('is over before nobody waits any more: what came in time may be seen two days later', () => {
    expect(transferAwaitedUntil(THURSDAY, { dayMs })).toBe('2026-03-07T10:00:00.000Z');
    expect(transferAwaitedUntil(THURSDAY, { dayMs: 1_000 })).toBe('2026-03-05T10:00:02.000Z');
  });

  it('stands still while the transfer is on hold, and goes on where it stood', () => {
    const clock = transferClock({ issuedAt: THURSDAY, isInternational: false, dayMs });
    const held = { from: '2026-03-05T12:00:00.000Z', to: '2026-03-08T13:00:00.000Z' };
    expect(afterStanding(clock, held)).toEqual({
      askAt: '2026-03-09T11:00:00.000Z',
      alertAt: '2026-03-10T11:00:00.000Z',
      expiresAt: '2026-03-15T11:00:00.000Z',
    });
    expect(afterStanding(clock, { from: held.to, to: held.from })).toEqual(clock);
  });
});

describe('what happens while no money comes', () => {
  const clock = transferClock({ issuedAt: THURSDAY, isInternational: false, dayMs });
  const fresh = { ...clock, isAsked: false, isAlerted: false };

  it.each([
    ['awaiting', {}, 'ask_customer'],
    ['awaiting', { isAsked: true }, 'alert_operators'],
    ['awaiting', { isAsked: true, isAlerted: true }, 'expire'],
    ['partially_paid', {}, 'alert_operators'],
    ['partially_paid', { isAlerted: true }, 'expire'],
    ['in_review', {}, 'alert_operators'],
    ['in_review', { isAlerted: true }, null],
    ['on_hold', {}, null],
    ['settled', {}, null],
    ['expired', {}, null],
    ['void', {}, null],
  ] as const)('%s %o: %s', (status, done, kind) => {
    expect(nextTransferAct({ ...fresh, ...done, status })?.kind ?? null).toBe(kind);
  });

  it('comes to its end in three acts at most, each at its own time and none twice', () => {
    fc.assert(
      fc.property(fc.constantFrom(...bankTransferStatuses), fc.boolean(), (status, isInternational) => {
        let state = {
          ...transferClock({ issuedAt: THURSDAY, isInternational, dayMs }),
          status: status as (typeof bankTransferStatuses)[number],
          isAsked: false,
          isAlerted: false,
        };
        const acts: string[] = [];
        for (let next = nextTransferAct(state); next !== null; next = nextTransferAct(state)) {
          acts.push(next.kind);
          state = {
            ...state,
            ...(next.kind === 'ask_customer' && { isAsked: true }),
            ...(next.kind === 'alert_operators' && { isAlerted: true }),
            ...(next.kind === 'expire' && { status: 'expired' }),
          };
        }
        expect(new Set(acts).size).toBe(acts.length);
        const endsByItself = isTransferOpen(status) && status !== 'on_hold' && status !== 'in_review';
        expect(acts.includes('expire')).toBe(endsByItself);
      }),
    );
  });
});
