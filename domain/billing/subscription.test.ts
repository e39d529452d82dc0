/**
 * What a subscription does next. Vectors for the documented dates, then properties over any snapshot and over whole
 * lives: `live` below performs what `nextAct` says at random wake-ups, with extensions of the trial in between.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDays, inWords, realDayMs } from '../instant.ts';
import type { LadderLevel } from './dunning.ts';
import { defaultSubscriptionPolicy, type SubscriptionPolicy, type TrialTemplate } from './plan.ts';
import { dropCharge, planCharge, technicalRetry } from './planned-charge.ts';
import {
  type Access,
  accessOf,
  isTerminal,
  nextAct,
  type SubscriptionAct,
  type SubscriptionEvent,
  type SubscriptionSnapshot,
  type SubscriptionStatus,
  statusAfter,
  terminalStatuses,
  waitingFor,
} from './subscription.ts';

const runs = { numRuns: 1_000 };
const startedAt = '2025-03-01T15:00:00.000Z';

// Written so that a new one is missed by the compiler, not by the tests.
const statuses = keysOf({
  trialing: true,
  incomplete: true,
  active: true,
  past_due: true,
  paused: true,
  suspended: true,
  cancelled: true,
  expired: true,
} satisfies Record<SubscriptionStatus, true>);
const events = keysOf({
  paid: true,
  payment_failed: true,
  trial_ended_without_method: true,
  downgraded: true,
  paused: true,
  resumed: true,
  cancelled: true,
  expired: true,
} satisfies Record<SubscriptionEvent, true>);
const ladders: readonly (LadderLevel | null)[] = [null, 'grace', 'restricted', 'suspended'];

describe('statuses', () => {
  const expected: Record<SubscriptionStatus, Partial<Record<SubscriptionEvent, SubscriptionStatus>>> = {
    trialing: {
      paid: 'active',
      payment_failed: 'past_due',
      trial_ended_without_method: 'suspended',
      cancelled: 'cancelled',
    },
    incomplete: { paid: 'active', cancelled: 'cancelled', expired: 'expired' },
    active: { payment_failed: 'past_due', paused: 'paused', cancelled: 'cancelled' },
    past_due: { paid: 'active', downgraded: 'active', cancelled: 'cancelled' },
    paused: { resumed: 'active', cancelled: 'cancelled' },
    suspended: { paid: 'active', cancelled: 'cancelled', expired: 'expired' },
    cancelled: {},
    expired: {},
  };
  const table = statuses.flatMap((status) =>
    events.map((event) => ({ status, event, to: expected[status][event] ?? null })),
  );

  it.each(table)('$status on $event: $to', ({ status, event, to }) => {
    expect(statusAfter(status, event)).toBe(to);
  });

  it('no sequence of events leaves a terminal status', () => {
    expect(terminalStatuses).toEqual(['cancelled', 'expired']);
    const sequence = fc.array(fc.constantFrom(...events), { maxLength: 50 });
    fc.assert(
      fc.property(fc.constantFrom(...statuses), sequence, (first, happening) => {
        let status = first;
        let ended: SubscriptionStatus | null = isTerminal(first) ? first : null;
        for (const event of happening) {
          status = statusAfter(status, event) ?? status;
          if (ended !== null) expect(status).toBe(ended);
          if (isTerminal(status)) ended = status;
        }
      }),
      runs,
    );
  });

  it('every status but the terminal ones can be cancelled', () => {
    for (const status of statuses) {
      expect(statusAfter(status, 'cancelled')).toBe(isTerminal(status) ? null : 'cancelled');
    }
  });
});

describe('access', () => {
  const expected: Record<SubscriptionStatus, (ladder: LadderLevel | null) => Access> = {
    trialing: () => 'full',
    active: () => 'full',
    past_due: (ladder) => ladder ?? 'grace',
    paused: () => 'suspended',
    suspended: () => 'suspended',
    incomplete: () => 'none',
    cancelled: () => 'none',
    expired: () => 'none',
  };

  it('follows from status and ladder for every combination', () => {
    for (const status of statuses) {
      for (const ladder of ladders) expect(accessOf({ status, ladder })).toBe(expected[status](ladder));
    }
  });

  it('refuses a status it does not know instead of giving access', () => {
    expect(() => accessOf({ status: 'frozen' as SubscriptionStatus, ladder: null })).toThrow(
      'Unexpected value',
    );
  });
});

describe('a trial', () => {
  it('T1: 14 exact days from 10:00 in New York, across the change of clocks', () => {
    expect(live(trial(), everyHours(6, 14)).map(({ act }) => [act.at, what(act)])).toEqual([
      ['2025-03-08T15:00:00.000Z', 'trial_halfway'],
      ['2025-03-13T15:00:00.000Z', 'trial_ending'],
      ['2025-03-14T15:00:00.000Z', 'trial_last_chance'],
      ['2025-03-15T15:00:00.000Z', 'end_trial'],
    ]);
  });

  it('T3: converted on day 9, the messages of days 12 and 13 are not sent', () => {
    const converted: SubscriptionSnapshot = {
      ...trial(),
      status: 'active',
      statusSince: day(9),
      trialMessagesDone: ['trial_halfway'],
      periodEndsAt: day(40),
    };
    expect(nextAct(converted, day(12))).toEqual({ kind: 'renew', at: day(40), to: null });
  });

  it('T5: the end belongs to the subscription, whatever the plan says', () => {
    const policy = { ...defaultSubscriptionPolicy, trialDays: 30 };
    const last = live({ ...trial(), policy }, everyHours(6, 14)).at(-1);
    expect(last?.act).toEqual({ kind: 'end_trial', at: day(14) });
  });

  it('T7: without a payment method it is suspended, and expires when nobody takes it up for 30 days', () => {
    const lived = live(trial(), everyHours(24, 100));
    expect(lived.slice(3).map(({ act }) => [act.at, what(act)])).toEqual([
      [day(14), 'end_trial'],
      [day(44), 'expire'],
      [day(51), 'win_back_1'],
      [day(65), 'win_back_2'],
      [day(74), 'close'],
    ]);
  });

  it('a message that would fall on or before the start is not sent', () => {
    const week = { ...trial(), trialEndsAt: day(7) };
    expect(live(week, everyHours(6, 7)).map(({ act }) => what(act))).toEqual([
      'trial_ending',
      'trial_last_chance',
      'end_trial',
    ]);
  });

  it('after an outage only the latest overdue message is sent; the others are superseded', () => {
    expect(nextAct(trial(), day(13.5))).toEqual({
      kind: 'send_trial_message',
      at: day(13),
      template: 'trial_last_chance',
      superseded: ['trial_halfway', 'trial_ending'],
    });
    expect(nextAct(trial(), day(7))).toMatchObject({ template: 'trial_halfway', superseded: [] });
    expect(nextAct(trial(), day(0))).toMatchObject({ template: 'trial_halfway', at: day(7), superseded: [] });
  });

  it('sends its messages by date, in whatever order the policy lists them', () => {
    const { policy } = trial();
    const reversed = { ...policy, trialMessages: policy.trialMessages.toReversed() };
    const acts = (snapshot: SubscriptionSnapshot, happenings: Happening[]) =>
      live(snapshot, happenings).map(({ act }) => act);
    const punctual = everyHours(6, 14);
    expect(acts({ ...trial(), policy: reversed }, punctual)).toEqual(acts(trial(), punctual));
    expect(nextAct({ ...trial(), policy: reversed }, day(13.5))).toMatchObject({
      template: 'trial_last_chance',
      superseded: ['trial_halfway', 'trial_ending'],
    });
  });

  it('of two messages for the same moment one is enough', () => {
    const trialMessages = trial().policy.trialMessages.map((message) => ({ ...message, daysBeforeEnd: 2 }));
    const crowded = { ...trial(), policy: { ...trial().policy, trialMessages } };
    expect(live(crowded, everyHours(6, 14)).map(({ act }) => what(act))).toEqual([
      'trial_last_chance',
      'end_trial',
    ]);
    expect(nextAct({ ...crowded, trialMessagesDone: ['trial_halfway'] }, day(1))).toMatchObject({
      kind: 'end_trial',
    });
  });

  it('once it is over no message is sent any more, it ends', () => {
    expect(nextAct(trial(), day(14))).toEqual({ kind: 'end_trial', at: day(14) });
    expect(nextAct(trial(), day(20))).toEqual({ kind: 'end_trial', at: day(14) });
  });

  it('cancelled in the trial, it only ends: no message, no charge', () => {
    const cancelled = { ...trial(), cancelAtPeriodEnd: true };
    expect(live(cancelled, everyHours(6, 15)).map(({ act }) => act)[0]).toEqual({ kind: 'end', at: day(14) });
  });

  it('sends each message at most once, in order and not after the end, under any outages and extensions', () => {
    fc.assert(
      fc.property(anyTrial(), anyHappenings(), (snapshot, happenings) => {
        const lived = live(snapshot, happenings);
        const sent = lived.flatMap(({ act }) => (act.kind === 'send_trial_message' ? [act.template] : []));
        expect(sent).toEqual([...new Set(sent)]);
        const days = sent.map((template) => daysBeforeEndOf(snapshot.policy, template));
        expect(days).toEqual(days.toSorted((a, b) => b - a));
        for (const { act, before, performedAt } of lived) {
          if (act.kind !== 'send_trial_message') continue;
          expect(Date.parse(performedAt)).toBeLessThan(Date.parse(before.trialEndsAt ?? ''));
          expect(before.trialMessagesDone).not.toContain(act.template);
          expect(Date.parse(act.at)).toBeGreaterThan(Date.parse(before.startedAt));
        }
      }),
      runs,
    );
  });

  it('an extension moves exactly what was not sent, by exactly its days', () => {
    const hours = fc.integer({ min: 1, max: 14 * 24 - 1 });
    fc.assert(
      fc.property(hours, fc.integer({ min: 1, max: 60 }), (extendedAtHour, days) => {
        const daily = everyHours(24, 14 + days);
        const happenings = [...daily, { afterHours: extendedAtHour, extendDays: days }].toSorted(
          (one, other) => one.afterHours - other.afterHours,
        );
        const { policy } = trial();
        const expected = policy.trialMessages.map(({ template, daysBeforeEnd }) => {
          const original = 14 - daysBeforeEnd;
          // At the very hour of the extension the message that is due goes first.
          const alreadySent = original * 24 <= extendedAtHour;
          return [template, day(alreadySent ? original : original + days)];
        });
        const acts = live(trial(), happenings).map(({ act }) => [what(act), act.at]);
        expect(acts).toEqual([...expected, ['end_trial', day(14 + days)]]);
      }),
      runs,
    );
  });

  it('an extension never goes back to a message earlier in the trial than one already sent', () => {
    const short: SubscriptionSnapshot = {
      ...trial(),
      trialEndsAt: day(5),
      trialMessagesDone: ['trial_ending'],
    };
    const extended = { ...short, trialEndsAt: day(25) };
    expect(nextAct(extended, day(4))).toMatchObject({ template: 'trial_last_chance', at: day(24) });
  });
});

describe('a trial that is over while its first charge is under way', () => {
  const charging: SubscriptionSnapshot = { ...trial(), periodEndsAt: day(45), hasPaymentMethod: true };

  it('waits for the bank, ends no second time and sends no trial message any more', () => {
    expect(nextAct(charging, day(13))).toBeNull();
    expect(nextAct(charging, day(20))).toBeNull();
    expect(waitingFor(charging)).toBe('The trial is over; waiting for the bank to finish the first charge.');
  });

  it('is tried again after a technical failure', () => {
    const charge = technicalRetry('inv_1', day(14), 1);
    const failed = { ...charging, plannedCharges: [charge] };
    expect(nextAct(failed, day(14))).toEqual({ kind: 'collect', at: day(14), charge });
    expect(waitingFor(failed)).toBe(
      'The trial is over; next: the charge is tried again on Sat 15 Mar 2025 15:00 UTC.',
    );
  });
});

describe('the other statuses', () => {
  it('a subscription that starts with a payment charges at once, then waits 23 hours', () => {
    const incomplete: SubscriptionSnapshot = { ...trial(), status: 'incomplete', trialEndsAt: null };
    expect(nextAct(incomplete, day(0))).toEqual({ kind: 'collect_first_invoice', at: day(0) });
    const charged = { ...incomplete, periodEndsAt: day(31) };
    expect(nextAct(charged, day(0))).toEqual({ kind: 'expire', at: day(23 / 24) });
  });

  it('what waits for a first payment waits longer while that is not decided, never shorter', () => {
    const suspended: SubscriptionSnapshot = { ...trial(), status: 'suspended', statusSince: day(14) };
    const incomplete: SubscriptionSnapshot = { ...trial(), status: 'incomplete', periodEndsAt: day(31) };
    const expiry = (snapshot: SubscriptionSnapshot) => nextAct(snapshot, day(0))?.at;
    expect(expiry({ ...suspended, firstPaymentUntil: day(50) })).toBe(day(50));
    expect(expiry({ ...suspended, firstPaymentUntil: day(20) })).toBe(day(44));
    expect(expiry({ ...incomplete, firstPaymentUntil: day(7) })).toBe(day(7));
  });

  it('an active one renews at the end of its period', () => {
    expect(nextAct(active(), day(1))).toEqual({ kind: 'renew', at: day(31), to: null });
  });

  it('one cancelled at the end of the period ends there instead of renewing', () => {
    expect(nextAct({ ...active(), cancelAtPeriodEnd: true }, day(1))).toEqual({ kind: 'end', at: day(31) });
  });

  it.each([null, 'grace', 'restricted'] as const)('an unpaid one renews while its ladder is %s', (ladder) => {
    const unpaid: SubscriptionSnapshot = { ...active(), status: 'past_due', ladder };
    expect(nextAct(unpaid, day(1))).toEqual({ kind: 'renew', at: day(31), to: null });
  });

  it('an unpaid one whose access is suspended opens and bills no further period', () => {
    const suspended: SubscriptionSnapshot = { ...active(), status: 'past_due', ladder: 'suspended' };
    expect(nextAct(suspended, day(40))).toBeNull();
    expect(nextAct({ ...suspended, cancelAtPeriodEnd: true }, day(1))).toEqual({ kind: 'end', at: day(31) });
  });

  it('an upgrade nobody pays for lapses, at the end of the period before it renews', () => {
    const pendingChange = { kind: 'upgrade' as const, at: day(4), to: 'Team' };
    const lapses = { kind: 'lapse_change', at: day(4), to: 'Team' };
    expect(nextAct({ ...active(), pendingChange }, day(3))).toEqual(lapses);
    expect(nextAct({ ...active(), status: 'past_due', ladder: 'suspended', pendingChange }, day(3))).toEqual(
      lapses,
    );
    const late = { ...active(), pendingChange: { ...pendingChange, at: day(31) } };
    expect(nextAct(late, day(32))).toMatchObject({ kind: 'lapse_change', at: day(31) });
    expect(nextAct({ ...late, cancelAtPeriodEnd: true }, day(32))).toMatchObject({ kind: 'lapse_change' });
  });

  it('a paused one waits for its day, or for somebody to resume it', () => {
    const paused: SubscriptionSnapshot = { ...active(), status: 'paused', statusSince: day(3) };
    expect(nextAct(paused, day(400))).toBeNull();
    expect(nextAct({ ...paused, resumesAt: day(90) }, day(4))).toEqual({ kind: 'resume', at: day(90) });
  });

  it('a downgrade waits for the renewal, and for the end of a cancelled one in vain', () => {
    const pendingChange = { kind: 'downgrade' as const, at: day(31), to: 'Basic' };
    expect(nextAct({ ...active(), pendingChange }, day(3))).toEqual({
      kind: 'renew',
      at: day(31),
      to: 'Basic',
    });
    expect(nextAct({ ...active(), pendingChange, cancelAtPeriodEnd: true }, day(3))).toEqual({
      kind: 'end',
      at: day(31),
    });
  });

  it('a charge that failed technically is tried again, whichever comes first', () => {
    const charge = technicalRetry('inv_1', day(2), 1);
    const plannedCharges = [charge];
    const retry = { kind: 'collect', at: day(2), charge };
    expect(nextAct({ ...active(), plannedCharges }, day(1))).toEqual(retry);
    for (const retryAt of [day(31), day(32)]) {
      const renewsFirst = { ...active(), plannedCharges: [technicalRetry('inv_1', retryAt, 1)] };
      expect(nextAct(renewsFirst, day(1))).toMatchObject({ kind: 'renew' });
    }
    const suspended: SubscriptionSnapshot = {
      ...active(),
      status: 'past_due',
      ladder: 'suspended',
      plannedCharges,
    };
    expect(nextAct(suspended, day(1))).toEqual(retry);
    const cancelled = { status: 'cancelled', statusSince: day(1) } as const;
    const ended: SubscriptionSnapshot = { ...active(), ...cancelled, plannedCharges };
    expect(nextAct(ended, day(1))).toMatchObject({ kind: 'send_win_back' });
  });

  it('of several charges, each is made at its time', () => {
    const [first, second] = [technicalRetry('inv_1', day(3), 1), technicalRetry('inv_2', day(2), 1)];
    const both = { ...active(), plannedCharges: [first, second] };
    expect(nextAct(both, day(1))).toEqual({ kind: 'collect', at: day(2), charge: second });
    const one = { ...both, plannedCharges: dropCharge(both.plannedCharges, 'inv_2') };
    expect(nextAct(one, day(2))).toEqual({ kind: 'collect', at: day(3), charge: first });
    const again = { ...one, plannedCharges: planCharge(one.plannedCharges, { ...first, at: day(4) }) };
    expect(nextAct(again, day(3))).toMatchObject({ kind: 'collect', at: day(4) });
  });

  it('a trial does not end while the charge of its conversion is still to be made', () => {
    const converting = { ...trial(), plannedCharges: [technicalRetry('inv_1', day(15), 1)] };
    expect(nextAct(converting, day(14))).toMatchObject({ kind: 'collect', at: day(15) });
    expect(nextAct({ ...converting, plannedCharges: [] }, day(15))).toMatchObject({ kind: 'end_trial' });
  });

  it.each(['cancelled', 'expired'] as const)(
    'a %s one is won back on days 7 and 21 and closed on day 30',
    (status) => {
      const ended: SubscriptionSnapshot = { ...active(), status, statusSince: day(10) };
      expect(live(ended, everyHours(24, 60)).map(({ act }) => [act.at, what(act)])).toEqual([
        [day(17), 'win_back_1'],
        [day(31), 'win_back_2'],
        [day(40), 'close'],
      ]);
    },
  );
});

describe('an invoice that waits for its tax', () => {
  const taxHold = { reason: 'engine_unavailable', until: day(32) } as const;

  it('holds back what issues it, and nothing else', () => {
    expect(nextAct({ ...active(), taxHold }, day(31))).toEqual({ kind: 'renew', at: day(32), to: null });
    const leaving = { ...active(), taxHold, cancelAtPeriodEnd: true };
    expect(nextAct(leaving, day(31))).toEqual({ kind: 'end', at: day(31) });
    const ending = { ...trial(), taxHold: { ...taxHold, until: day(15) } };
    expect(nextAct(ending, day(14))).toEqual({ kind: 'end_trial', at: day(15) });
  });

  it('holds back the end where that bills a change', () => {
    const leaving = {
      ...active(),
      taxHold: { ...taxHold, holdsEnd: true as const },
      cancelAtPeriodEnd: true,
    };
    expect(nextAct(leaving, day(31))).toEqual({ kind: 'end', at: day(32) });
    expect(waitingFor(leaving)).toContain('Waiting for the tax of its invoice');
  });

  it('holds back nothing that is due later anyway', () => {
    expect(nextAct({ ...active(), taxHold: { ...taxHold, until: day(30) } }, day(30))?.at).toBe(day(31));
  });

  it('lets a first payment expire in its time', () => {
    const waiting = (until: string): SubscriptionSnapshot => ({
      ...trial(),
      status: 'incomplete',
      trialEndsAt: null,
      taxHold: { ...taxHold, until },
    });
    expect(nextAct(waiting(day(22 / 24)), day(0))).toEqual({
      kind: 'collect_first_invoice',
      at: day(22 / 24),
    });
    expect(nextAct(waiting(day(1)), day(0))).toEqual({ kind: 'expire', at: day(23 / 24) });
  });
});

describe('for any snapshot', () => {
  it('the next act is one its status allows', () => {
    const allowed: Record<SubscriptionStatus, readonly SubscriptionAct['kind'][]> = {
      trialing: ['send_trial_message', 'end_trial', 'end', 'collect'],
      incomplete: ['collect_first_invoice', 'expire', 'collect'],
      active: ['renew', 'end', 'collect'],
      past_due: ['renew', 'end', 'collect'],
      paused: ['resume', 'collect'],
      suspended: ['expire', 'collect'],
      cancelled: ['send_win_back', 'close'],
      expired: ['send_win_back', 'close'],
    };
    fc.assert(
      fc.property(anySnapshot(), anyInstant(), (snapshot, now) => {
        const act = nextAct(snapshot, now);
        if (act !== null) expect(allowed[snapshot.status]).toContain(act.kind);
        if (snapshot.cancelAtPeriodEnd)
          expect(['renew', 'end_trial', 'send_trial_message']).not.toContain(act?.kind);
      }),
      runs,
    );
  });

  it('a closed subscription does nothing more', () => {
    fc.assert(
      fc.property(anySnapshot(), anyInstant(), (snapshot, now) => {
        const closed = { ...snapshot, closedAt: snapshot.statusSince };
        expect(nextAct(closed, now)).toBeNull();
        expect(waitingFor(closed)).toBe(
          'Nothing: the subscription has ended and its data has been dealt with.',
        );
      }),
      runs,
    );
  });

  it('access is one of the five', () => {
    fc.assert(
      fc.property(anySnapshot(), (snapshot) => {
        expect(['full', 'grace', 'restricted', 'suspended', 'none']).toContain(accessOf(snapshot));
      }),
      runs,
    );
  });

  it('one sentence says what is waited for, and names the date of the next act', () => {
    fc.assert(
      fc.property(anySnapshot(), (snapshot) => {
        const sentence = waitingFor(snapshot);
        expect(sentence).toMatch(/^[A-Z][^\n]+\.$/);
        expect(sentence).not.toMatch(/undefined|null|Invalid|NaN/);
        const act = nextAct(snapshot, snapshot.statusSince);
        if (act !== null) expect(sentence).toContain(inWords(act.at));
      }),
      runs,
    );
  });

  it('nothing is decided by the version or the time of day: the same snapshot always gives the same act', () => {
    fc.assert(
      fc.property(anySnapshot(), anyInstant(), (snapshot, now) => {
        const restarted = JSON.parse(JSON.stringify(snapshot)) as SubscriptionSnapshot;
        expect(nextAct({ ...restarted, version: 999 }, now)).toEqual(nextAct(snapshot, now));
      }),
      runs,
    );
  });
});

describe('a whole life without a payment', () => {
  it('ends closed, with every act at most once, in the order of its stages and never early', () => {
    const stages = ['send_trial_message', 'end_trial', 'end', 'expire', 'send_win_back', 'close'];
    fc.assert(
      fc.property(anyTrial(), anyHappenings(), (snapshot, happenings) => {
        const enough = [400, 800, 1200].map((days): Happening => ({ afterHours: days * 24 }));
        const lived = live(snapshot, [...happenings, ...enough]);
        const order = lived.map(({ act }) => stages.indexOf(act.kind));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(new Set(lived.map(({ act }) => what(act))).size).toBe(lived.length);
        expect(lived.at(-1)?.act.kind).toBe('close');
        for (const { act, performedAt } of lived) {
          expect(Date.parse(performedAt)).toBeGreaterThanOrEqual(Date.parse(act.at));
        }
      }),
      runs,
    );
  });
});

describe('the sentence', () => {
  it.each<[string, SubscriptionSnapshot, string]>([
    [
      'a trial without a payment method',
      trial(),
      'In trial until Sat 15 Mar 2025 15:00 UTC (no payment method yet); next: the trial_halfway mail on Sat 8 Mar 2025 15:00 UTC.',
    ],
    [
      'a trial with one, all messages sent',
      {
        ...trial(),
        hasPaymentMethod: true,
        trialMessagesDone: ['trial_halfway', 'trial_ending', 'trial_last_chance'],
      },
      'In trial until Sat 15 Mar 2025 15:00 UTC (a payment method is on file); next: the trial ends on Sat 15 Mar 2025 15:00 UTC.',
    ],
    [
      'a start with a payment',
      { ...trial(), status: 'incomplete', trialEndsAt: null },
      'Waiting for the first payment; next: the first charge on Sat 1 Mar 2025 15:00 UTC.',
    ],
    [
      'a first payment that is waited for',
      { ...trial(), status: 'incomplete', trialEndsAt: null, periodEndsAt: day(31) },
      'Waiting for the first payment; next: it expires on Sun 2 Mar 2025 14:00 UTC.',
    ],
    ['an active one', active(), 'Active; next: renewal on Tue 1 Apr 2025 15:00 UTC.'],
    [
      'one that will end',
      { ...active(), cancelAtPeriodEnd: true },
      'Active; next: the subscription ends as cancelled on Tue 1 Apr 2025 15:00 UTC.',
    ],
    [
      'an unpaid one',
      { ...active(), status: 'past_due', ladder: 'restricted' },
      'Waiting for payment of an open invoice, see the dunning case; next: renewal on Tue 1 Apr 2025 15:00 UTC.',
    ],
    [
      'an unpaid one before the ladder begins',
      {
        ...active(),
        status: 'past_due',
        plannedCharges: [technicalRetry('inv_1', day(1), 1)],
      },
      'Waiting for payment of an open invoice, see the dunning case; next: the charge is tried again on Sun 2 Mar 2025 15:00 UTC.',
    ],
    [
      'one whose access is suspended',
      { ...active(), status: 'past_due', ladder: 'suspended' },
      'Waiting for payment: access is suspended and no further period is billed until the open invoice is paid.',
    ],
    [
      'a trial nobody paid for',
      { ...trial(), status: 'suspended', statusSince: day(14) },
      'Suspended: the trial ended without a payment method; waiting for one, else it expires on Mon 14 Apr 2025 15:00 UTC.',
    ],
    [
      'an ended one',
      { ...active(), status: 'cancelled', statusSince: day(31) },
      'Ended; next: the win_back_1 mail on Tue 8 Apr 2025 15:00 UTC.',
    ],
    [
      'an expired one, won back in vain',
      { ...active(), status: 'expired', statusSince: day(31), winBackDone: ['win_back_1', 'win_back_2'] },
      'Ended; next: personal data is erased on Thu 1 May 2025 15:00 UTC.',
    ],
    [
      'one that waits for the payment of an upgrade',
      { ...active(), pendingChange: { kind: 'upgrade', at: day(4), to: 'Team, 3 seats' } },
      'Active; waiting for the payment of the change to Team, 3 seats; next: the change to Team, 3 seats lapses on Wed 5 Mar 2025 15:00 UTC.',
    ],
    [
      'a paused one',
      { ...active(), status: 'paused' },
      'Paused until somebody resumes it; the remaining time of its period is kept.',
    ],
    [
      'one that is paused for a while',
      { ...active(), status: 'paused', resumesAt: day(31) },
      'Paused, the remaining time of its period is kept; next: it resumes on Tue 1 Apr 2025 15:00 UTC.',
    ],
    [
      'one with a planned downgrade',
      { ...active(), pendingChange: { kind: 'downgrade', at: day(31), to: 'Basic' } },
      'Active; next: renewal as Basic on Tue 1 Apr 2025 15:00 UTC.',
    ],
    [
      'one whose renewal waits for its tax',
      { ...active(), taxHold: { reason: 'location_invalid', until: day(32) } },
      "Waiting for the tax of its invoice: the tax engine cannot use the customer's address; mend it; next: renewal on Wed 2 Apr 2025 15:00 UTC.",
    ],
    [
      'a trial whose first invoice waits for its tax',
      { ...trial(), hasPaymentMethod: true, taxHold: { reason: 'engine_unavailable', until: day(15) } },
      'Waiting for the tax of its invoice: the tax engine does not answer; next: the trial ends on Sun 16 Mar 2025 15:00 UTC.',
    ],
    [
      'one that was held and is cancelled now',
      {
        ...active(),
        cancelAtPeriodEnd: true,
        taxHold: { reason: 'engine_unavailable', until: day(32) },
      },
      'Active; next: the subscription ends as cancelled on Tue 1 Apr 2025 15:00 UTC.',
    ],
    [
      'one without a period',
      { ...active(), periodEndsAt: null },
      'Nothing is scheduled: no period is running.',
    ],
  ])('of %s', (_, snapshot, sentence) => {
    expect(waitingFor(snapshot)).toBe(sentence);
  });
});

type Happening = { afterHours: number; extendDays?: number };
type Lived = { act: SubscriptionAct; before: SubscriptionSnapshot; performedAt: string };

/** Wakes up at the given hours and performs what is due; then an extension may happen, while the trial runs. */
function live(given: SubscriptionSnapshot, happenings: readonly Happening[]): Lived[] {
  const lived: Lived[] = [];
  let snapshot = given;
  for (const { afterHours, extendDays } of happenings) {
    const now = addDays(given.startedAt, afterHours / 24, given.dayMs);
    for (let act = nextAct(snapshot, now); act !== null; act = nextAct(snapshot, now)) {
      if (Date.parse(act.at) > Date.parse(now)) break;
      lived.push({ act, before: snapshot, performedAt: now });
      if (lived.length > 50) throw new Error(`${act.kind} is never done`);
      snapshot = afterAct(snapshot, act);
    }
    if (extendDays !== undefined && snapshot.status === 'trialing' && snapshot.trialEndsAt !== null) {
      snapshot = { ...snapshot, trialEndsAt: addDays(snapshot.trialEndsAt, extendDays, snapshot.dayMs) };
    }
  }
  return lived;
}

/** The row after an act, as far as the next act depends on it, when nobody ever pays. */
function afterAct(snapshot: SubscriptionSnapshot, act: SubscriptionAct): SubscriptionSnapshot {
  switch (act.kind) {
    case 'send_trial_message': {
      const done = [...snapshot.trialMessagesDone, ...act.superseded, act.template];
      return { ...snapshot, trialMessagesDone: done };
    }
    case 'end_trial':
      return entered(snapshot, 'trial_ended_without_method', act.at);
    case 'end':
      return entered(snapshot, 'cancelled', act.at);
    case 'expire':
      return entered(snapshot, 'expired', act.at);
    case 'send_win_back':
      return { ...snapshot, winBackDone: [...snapshot.winBackDone, act.template] };
    case 'close':
      return { ...snapshot, closedAt: act.at };
    default:
      throw new Error(`Not part of a life without a payment: ${act.kind}`);
  }
}

function entered(snapshot: SubscriptionSnapshot, event: SubscriptionEvent, at: string): SubscriptionSnapshot {
  const status = statusAfter(snapshot.status, event);
  if (status === null) throw new Error(`${event} changes nothing in ${snapshot.status}`);
  return { ...snapshot, status, statusSince: at };
}

function keysOf<Key extends string>(all: Record<Key, true>): readonly Key[] {
  return Object.keys(all) as Key[];
}

function what(act: SubscriptionAct): string {
  return 'template' in act ? act.template : act.kind;
}

function trial(): SubscriptionSnapshot {
  return {
    version: 1,
    status: 'trialing',
    ladder: null,
    hasPaymentMethod: false,
    policy: defaultSubscriptionPolicy,
    dayMs: realDayMs,
    statusSince: startedAt,
    startedAt,
    trialEndsAt: day(14),
    trialMessagesDone: [],
    periodEndsAt: null,
    cancelAtPeriodEnd: false,
    plannedCharges: [],
    winBackDone: [],
    closedAt: null,
  };
}

function active(): SubscriptionSnapshot {
  return { ...trial(), status: 'active', trialEndsAt: null, periodEndsAt: day(31) };
}

function day(count: number): string {
  return addDays(startedAt, count, realDayMs);
}

function everyHours(step: number, untilDay: number): Happening[] {
  return Array.from({ length: Math.floor((untilDay * 24) / step) + 1 }, (_, index) => ({
    afterHours: index * step,
  }));
}

function daysBeforeEndOf(policy: SubscriptionPolicy, template: TrialTemplate): number {
  const message = policy.trialMessages.find((candidate) => candidate.template === template);
  if (message === undefined) throw new Error(`No message ${template}`);
  return message.daysBeforeEnd;
}

function anyInstant(): fc.Arbitrary<string> {
  return fc.integer({ min: -10 * 24, max: 120 * 24 }).map((hours) => day(hours / 24));
}

function anyPolicy(): fc.Arbitrary<SubscriptionPolicy> {
  const subset = fc.subarray(defaultSubscriptionPolicy.trialMessages);
  const daysBefore = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 3, maxLength: 3 });
  return fc.tuple(subset, daysBefore, fc.nat(40), fc.integer({ min: 22, max: 60 })).map(
    ([messages, days, trialWindowDays, retentionDays]): SubscriptionPolicy => ({
      ...defaultSubscriptionPolicy,
      trialMessages: messages.map((message, index) => ({ ...message, daysBeforeEnd: days[index] ?? 0 })),
      trialWindowDays,
      retentionDays,
    }),
  );
}

function anyTrial(): fc.Arbitrary<SubscriptionSnapshot> {
  const dayMs = fc.constantFrom(realDayMs, 5_000);
  return fc
    .tuple(anyPolicy(), fc.integer({ min: 1, max: 45 }), dayMs, fc.boolean())
    .map(([policy, trialDays, length, cancelAtPeriodEnd]): SubscriptionSnapshot => {
      const trialEndsAt = addDays(startedAt, trialDays, length);
      return { ...trial(), policy, dayMs: length, trialEndsAt, cancelAtPeriodEnd };
    });
}

function anyHappenings(): fc.Arbitrary<Happening[]> {
  const happening = fc.record(
    { afterHours: fc.nat(60 * 24), extendDays: fc.integer({ min: 1, max: 20 }) },
    { requiredKeys: ['afterHours'] },
  );
  return fc
    .array(happening, { maxLength: 30 })
    .map((happenings) => happenings.toSorted((a, b) => a.afterHours - b.afterHours));
}

/** Any snapshot at all, contradictory ones included. */
function anySnapshot(): fc.Arbitrary<SubscriptionSnapshot> {
  return fc.record({
    version: fc.nat(),
    status: fc.constantFrom(...statuses),
    ladder: fc.constantFrom(...ladders),
    hasPaymentMethod: fc.boolean(),
    policy: anyPolicy(),
    dayMs: fc.constantFrom(realDayMs, 5_000),
    statusSince: anyInstant(),
    startedAt: anyInstant(),
    trialEndsAt: fc.option(anyInstant()),
    trialMessagesDone: fc.subarray(defaultSubscriptionPolicy.trialMessages.map(({ template }) => template)),
    periodEndsAt: fc.option(anyInstant()),
    cancelAtPeriodEnd: fc.boolean(),
    plannedCharges: fc.array(
      fc.tuple(fc.uuid(), anyInstant(), fc.nat(3)).map((charge) => technicalRetry(...charge)),
      { maxLength: 2 },
    ),
    winBackDone: fc.subarray(defaultSubscriptionPolicy.winBack.map(({ template }) => template)),
    closedAt: fc.constant(null),
  });
}
