/**
 * The ladder: each step once, in order, on its own date, whatever happens to the worker. `perform` below is the
 * smallest ladder runner: it wakes up at given instants and does what `nextStep` says is due.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inWords, realDayMs } from '../instant.ts';
import {
  type DunningCase,
  type DunningPolicy,
  type DunningStep,
  defaultDunningPolicies,
  dunningWaitingFor,
  holdUntil,
  type LadderLevel,
  levelAfter,
  levelAt,
  nextStep,
  policyMistakes,
  stepAheadInWords,
  technicalRetryAt,
} from './dunning.ts';

const runs = { numRuns: 1_000 };
const firstFailedAt = '2025-01-31T10:00:00.000Z';
const levels: readonly LadderLevel[] = ['grace', 'restricted', 'suspended'];

describe('the default ladders', () => {
  it('D1: standard_30 falls on days 1, 3, 5, 7 (restrict), 14 (suspend) and 30 (cancel)', () => {
    expect(perform(caseOf('standard_30'), everyHour(40)).map(({ at, step }) => [at, does(step)])).toEqual([
      ['2025-02-01T10:00:00.000Z', 'charge, payment_failed_1'],
      ['2025-02-03T10:00:00.000Z', 'charge, payment_failed_2'],
      ['2025-02-05T10:00:00.000Z', 'charge, payment_failed_final'],
      ['2025-02-07T10:00:00.000Z', 'account_restricted, restricted'],
      ['2025-02-14T10:00:00.000Z', 'account_suspended, suspended'],
      ['2025-03-02T10:00:00.000Z', 'subscription_cancelled_unpaid, cancel'],
    ]);
  });

  it('D2: short_10 falls on days 1, 3, 7 and 10 (downgrade to the free plan)', () => {
    expect(perform(caseOf('short_10'), everyHour(40)).map(({ at, step }) => [at, does(step)])).toEqual([
      ['2025-02-01T10:00:00.000Z', 'charge, payment_failed_1'],
      ['2025-02-03T10:00:00.000Z', 'charge, update_payment_method'],
      ['2025-02-07T10:00:00.000Z', 'charge, suspension_warning'],
      ['2025-02-10T10:00:00.000Z', 'subscription_downgraded, downgrade'],
    ]);
  });

  it('leave three days of grace and have no mistakes', () => {
    expect(defaultDunningPolicies.map(({ name }) => name)).toEqual(['standard_30', 'short_10']);
    for (const policy of defaultDunningPolicies) {
      expect(policy.graceDays).toBe(3);
      expect(policy.technicalRetryMinutes).toEqual([15, 60, 240]);
      expect(policyMistakes(policy)).toEqual([]);
    }
  });

  it('D4: a worker down from day 6.9 to day 8 restricts once, late, and suspends on day 14', () => {
    const performed = perform(caseOf('standard_30'), [...everyHour(6.9), dayAt(8), ...everyHour(14, 8)]);
    expect(performed.slice(3).map(({ step, at, performedAt }) => [does(step), at, performedAt])).toEqual([
      ['account_restricted, restricted', dayAt(7), dayAt(8)],
      ['account_suspended, suspended', dayAt(14), dayAt(14)],
    ]);
  });

  it('a worker down from day 2 to day 6 reminds once, with the latest reminder', () => {
    const performed = perform(caseOf('standard_30'), [dayAt(1), dayAt(6), dayAt(7)]);
    expect(performed.map(({ step }) => step.template)).toEqual([
      'payment_failed_1',
      'payment_failed_final',
      'account_restricted',
    ]);
  });

  it('a worker down until after the last day suspends before it cancels', () => {
    const performed = perform(caseOf('standard_30'), [dayAt(45)]);
    expect(performed.map(({ step }) => step.template)).toEqual([
      'account_suspended',
      'subscription_cancelled_unpaid',
    ]);
  });
});

describe('the ladder under any sequence of outages, restarts and late wake-ups', () => {
  it('performs each step at most once and in order', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        const indexes = perform(dunningCase, times).map(({ index }) => index);
        expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
      }),
      runs,
    );
  });

  it('performs no step before its date, and a late step never moves a later one', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        for (const { step, at, performedAt } of perform(dunningCase, times)) {
          expect(at).toBe(dateOf(dunningCase, step));
          expect(Date.parse(performedAt)).toBeGreaterThanOrEqual(Date.parse(at));
        }
      }),
      runs,
    );
  });

  it('skips no step when the worker is there on every date', () => {
    fc.assert(
      fc.property(anyCase(), (dunningCase) => {
        const { steps } = dunningCase.policy;
        const performed = perform(
          dunningCase,
          steps.map((step) => dateOf(dunningCase, step)),
        );
        expect(performed.map(({ step }) => step)).toEqual(steps);
      }),
      runs,
    );
  });

  it('skips a step only for a later warning that was overdue at the same moment', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        const performed = perform(dunningCase, times);
        const done = new Set(performed.map(({ index }) => index));
        const last = performed.at(-1)?.index ?? -1;
        for (let index = 0; index < last; index += 1) {
          if (done.has(index)) continue;
          const by = performed.find((other) => other.index > index);
          expect(by?.step.end).toBeUndefined();
          expect(Date.parse(by?.performedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(by?.at ?? ''));
          // The skipped step was itself overdue by then, and not before the previous step was performed.
          expect(Date.parse(by?.performedAt ?? '')).toBeGreaterThan(
            Date.parse(dateOf(dunningCase, stepOf(dunningCase, index))),
          );
        }
      }),
      runs,
    );
  });

  it('never ends a ladder without the last warning before the end', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        const performed = perform(dunningCase, times);
        const end = performed.findIndex(({ step }) => step.end !== undefined);
        if (end === -1 || dunningCase.policy.steps.length === 1) return;
        expect(end).toBe(performed.length - 1);
        expect(performed[end - 1]?.index).toBe(dunningCase.policy.steps.length - 2);
      }),
      runs,
    );
  });

  it('sends a customer at most one warning, and then at most the end, in one wake-up', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        const performed = perform(dunningCase, times);
        for (const time of new Set(times)) {
          const together = performed.filter(({ performedAt }) => performedAt === time);
          expect(together.filter(({ step }) => step.end === undefined).length).toBeLessThanOrEqual(1);
        }
      }),
      runs,
    );
  });

  it('takes access only ever further, and never inside the grace', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        let level: LadderLevel = 'grace';
        for (const { step, performedAt } of perform(dunningCase, times)) {
          const next = levelAfter(level, step);
          expect(levels.indexOf(next)).toBeGreaterThanOrEqual(levels.indexOf(level));
          if (next !== level)
            expect(daysAfterFailure(dunningCase, performedAt)).toBeGreaterThanOrEqual(
              dunningCase.policy.graceDays,
            );
          level = next;
        }
      }),
      runs,
    );
  });

  it('a payment stops it: nothing is performed afterwards', () => {
    fc.assert(
      fc.property(anyRun(), fc.nat(70 * 24), ({ dunningCase, times }, paidAfterHours) => {
        const paidAt = daysAfter(dunningCase, paidAfterHours / 24);
        const performed = perform(dunningCase, times, { paidAt });
        expect(performed.every(({ performedAt }) => Date.parse(performedAt) < Date.parse(paidAt))).toBe(true);
        expect(performed).toEqual(
          perform(
            dunningCase,
            times.filter((time) => Date.parse(time) < Date.parse(paidAt)),
          ),
        );
      }),
      runs,
    );
  });

  it('comes to an end: after a wake-up past the last date there is nothing left', () => {
    fc.assert(
      fc.property(anyRun(), ({ dunningCase, times }) => {
        const performed = perform(dunningCase, [...times, daysAfter(dunningCase, 400)]);
        expect(performed.at(-1)?.step.end).toBeDefined();
        const exhausted = { ...dunningCase, nextStepIndex: dunningCase.policy.steps.length };
        expect(nextStep(exhausted, daysAfter(dunningCase, 400))).toBeNull();
      }),
      runs,
    );
  });
});

describe('a charge that the bank works on', () => {
  it('D8: holds the ladder until its answer or for seven days; later steps keep their dates', () => {
    const held = { ...caseOf('standard_30'), nextStepIndex: 2, heldUntil: holdUntil(dayAt(3), realDayMs) };
    expect(held.heldUntil).toBe(dayAt(10));
    expect(perform(held, everyHour(40)).map(({ at, step }) => [at, does(step)])).toEqual([
      [dayAt(10), 'account_restricted, restricted'],
      [dayAt(14), 'account_suspended, suspended'],
      [dayAt(30), 'subscription_cancelled_unpaid, cancel'],
    ]);
    expect(dunningWaitingFor(held)).toBe(
      'Waiting for the bank to finish a charge; without its answer the ladder resumes on Mon 10 Feb 2025 10:00 UTC.',
    );
  });

  it('changes nothing once its time is over', () => {
    const over = { ...caseOf('standard_30'), nextStepIndex: 2, heldUntil: dayAt(5) };
    expect(perform(over, everyHour(40))).toEqual(perform({ ...over, heldUntil: null }, everyHour(40)));
    expect(dunningWaitingFor(over)).toBe(dunningWaitingFor({ ...over, heldUntil: null }));
  });

  it('no step is performed before the hold ends, and none twice or out of order', () => {
    fc.assert(
      fc.property(anyRun(), fc.nat(70), ({ dunningCase, times }, heldDays) => {
        const heldUntil = daysAfter(dunningCase, heldDays);
        const performed = perform({ ...dunningCase, heldUntil }, times);
        const indexes = performed.map(({ index }) => index);
        expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
        for (const { step, at, performedAt } of performed) {
          const own = dateOf(dunningCase, step);
          expect(at).toBe(Date.parse(own) > Date.parse(heldUntil) ? own : heldUntil);
          expect(Date.parse(performedAt)).toBeGreaterThanOrEqual(Date.parse(heldUntil));
        }
      }),
      runs,
    );
  });
});

describe('the level by the clock', () => {
  it.each([
    [0, 'grace'],
    [6.99, 'grace'],
    [7, 'restricted'],
    [13.99, 'restricted'],
    [14, 'suspended'],
    [40, 'suspended'],
  ] as const)('of standard_30 on day %d is %s', (day, level) => {
    expect(levelAt(caseOf('standard_30'), dayAt(day))).toBe(level);
  });

  it('is where a punctual worker would have taken the customer', () => {
    fc.assert(
      fc.property(anyCase(), fc.nat(70), (dunningCase, days) => {
        const now = daysAfter(dunningCase, days);
        const dates = dunningCase.policy.steps.map((step) => dateOf(dunningCase, step));
        const performed = perform(
          dunningCase,
          dates.filter((date) => Date.parse(date) <= Date.parse(now)),
        );
        const reached = performed.reduce<LadderLevel>((level, { step }) => levelAfter(level, step), 'grace');
        expect(levelAt(dunningCase, now)).toBe(reached);
      }),
      runs,
    );
  });
});

describe('levels', () => {
  it.each([
    ['grace', undefined, 'grace'],
    ['grace', 'restricted', 'restricted'],
    ['grace', 'suspended', 'suspended'],
    ['restricted', undefined, 'restricted'],
    ['restricted', 'restricted', 'restricted'],
    ['restricted', 'suspended', 'suspended'],
    ['suspended', undefined, 'suspended'],
    ['suspended', 'restricted', 'suspended'],
    ['suspended', 'suspended', 'suspended'],
  ] as const)('from %s by a step that restricts to %s: %s', (level, restrict, expected) => {
    const step: DunningStep = {
      day: 7,
      retry: false,
      template: 'account_restricted',
      ...(restrict && { restrict }),
    };
    expect(levelAfter(level, step)).toBe(expected);
  });
});

describe('technical failures', () => {
  const policy = { technicalRetryMinutes: [15, 60, 240] };

  it.each([
    [0, '2025-01-31T10:15:00.000Z'],
    [1, '2025-01-31T11:00:00.000Z'],
    [2, '2025-01-31T14:00:00.000Z'],
    [3, null],
  ])('after %i of them in a row the next try is at %s', (failures, expected) => {
    expect(technicalRetryAt(policy, failures, firstFailedAt, realDayMs)).toBe(expected);
  });

  it('shrink with the day of a demo', () => {
    expect(technicalRetryAt(policy, 1, firstFailedAt, 24_000)).toBe('2025-01-31T10:00:01.000Z');
  });
});

describe('policyMistakes', () => {
  const standard = defaultDunningPolicies[0] as DunningPolicy;
  const edited = (index: number, change: Partial<DunningStep>) => ({
    graceDays: standard.graceDays,
    steps: standard.steps.map((step, position) => (position === index ? { ...step, ...change } : step)),
  });

  it.each([
    ['no steps', { graceDays: 3, steps: [] }, 'steps: a policy needs at least one step'],
    [
      'a first step before the failure',
      edited(0, { day: 0 }),
      'steps[0].day: 0 must be later than the first failed charge',
    ],
    [
      'two steps on one day',
      edited(1, { day: 1 }),
      'steps[1].day: 1 must be later than day 1 of the step before',
    ],
    [
      'steps out of order',
      edited(2, { day: 2 }),
      'steps[2].day: 2 must be later than day 3 of the step before',
    ],
    [
      'a day that is no number',
      edited(2, { day: Number.NaN }),
      'steps[2].day: NaN must be later than day 3 of the step before',
    ],
    [
      'a restriction inside the grace',
      edited(1, { day: 2, restrict: 'restricted' }),
      'steps[1]: takes access on day 2, inside the grace of 3 days',
    ],
    [
      'an end in the middle',
      edited(4, { end: 'cancel', retry: false }),
      'steps[4].end: only the last step may end the ladder',
    ],
    [
      'an end that charges',
      edited(5, { retry: true }),
      'steps[5]: a step that ends the ladder neither charges nor restricts',
    ],
    [
      'an end that restricts',
      edited(5, { restrict: 'suspended' }),
      'steps[5]: a step that ends the ladder neither charges nor restricts',
    ],
    [
      'no end',
      { graceDays: 3, steps: standard.steps.slice(0, -1) },
      'steps: the last step must end the ladder (cancel or downgrade)',
    ],
    [
      'an unknown grace',
      { graceDays: Number.NaN, steps: standard.steps },
      'graceDays: NaN is not a number of days',
    ],
    ['a negative grace', { graceDays: -1, steps: standard.steps }, 'graceDays: -1 is not a number of days'],
  ])('names %s', (_, policy, mistake) => {
    expect(policyMistakes(policy)).toContain(mistake);
  });

  it('an end inside the grace takes access too early', () => {
    const steps: DunningStep[] = [
      { day: 2, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
    ];
    expect(policyMistakes({ graceDays: 3, steps })).toEqual([
      'steps[0]: takes access on day 2, inside the grace of 3 days',
    ]);
    expect(policyMistakes({ graceDays: 2, steps })).toEqual([]);
    expect(policyMistakes({ graceDays: 0, steps })).toEqual([]);
  });

  it('lists all mistakes at once', () => {
    expect(
      policyMistakes({ ...edited(1, { day: 1 }), steps: edited(1, { day: 1 }).steps.slice(0, 2) }),
    ).toHaveLength(2);
  });

  it('accepts every policy whose steps are dated in order and that ends last, and none of its reversals', () => {
    fc.assert(
      fc.property(anyCase(), ({ policy }) => {
        expect(policyMistakes(policy)).toEqual([]);
        if (policy.steps.length > 1) {
          expect(policyMistakes({ ...policy, steps: policy.steps.toReversed() })).not.toEqual([]);
        }
      }),
      runs,
    );
  });
});

describe('the sentence', () => {
  it.each([
    [0, 'Waiting for payment; step 1 of 6 (charge again, then mail) on Sat 1 Feb 2025 10:00 UTC.'],
    [3, 'Waiting for payment; step 4 of 6 (restrict access) on Fri 7 Feb 2025 10:00 UTC.'],
    [4, 'Waiting for payment; step 5 of 6 (suspend access) on Fri 14 Feb 2025 10:00 UTC.'],
    [5, 'Waiting for payment; step 6 of 6 (cancel the subscription) on Sun 2 Mar 2025 10:00 UTC.'],
    [6, 'The ladder is exhausted; nothing is waited for.'],
  ])('of step index %i', (nextStepIndex, sentence) => {
    expect(dunningWaitingFor({ ...caseOf('standard_30'), nextStepIndex })).toBe(sentence);
  });

  it('names a downgrade and a plain mail', () => {
    expect(dunningWaitingFor({ ...caseOf('short_10'), nextStepIndex: 3 })).toContain(
      '(move to the free plan)',
    );
    const base = caseOf('standard_30');
    const steps: DunningStep[] = [{ day: 1, retry: false, template: 'payment_failed_1' }];
    expect(dunningWaitingFor({ ...base, policy: { ...base.policy, steps } })).toContain('(mail)');
  });

  it('always names the date of the step it waits for', () => {
    fc.assert(
      fc.property(anyCase(), fc.nat(9), (given, position) => {
        const nextStepIndex = position % given.policy.steps.length;
        const sentence = dunningWaitingFor({ ...given, nextStepIndex });
        expect(sentence).toContain(inWords(dateOf(given, stepOf(given, nextStepIndex))));
      }),
      runs,
    );
  });
});

type Performed = { index: number; step: DunningStep; at: string; performedAt: string };

/** Wakes up at the given instants and performs what is due. The case crosses a restart (JSON) each time. */
function perform(
  given: DunningCase,
  wakeUpTimes: string[],
  { paidAt }: { paidAt?: string } = {},
): Performed[] {
  const performed: Performed[] = [];
  let dunningCase = given;
  for (const now of wakeUpTimes) {
    if (paidAt !== undefined && Date.parse(now) >= Date.parse(paidAt)) break;
    dunningCase = JSON.parse(JSON.stringify(dunningCase)) as DunningCase;
    for (let due = nextStep(dunningCase, now); due !== null; due = nextStep(dunningCase, now)) {
      if (Date.parse(due.at) > Date.parse(now)) break;
      performed.push({ ...due, performedAt: now });
      dunningCase = { ...dunningCase, nextStepIndex: due.index + 1 };
    }
  }
  return performed;
}

function does(step: DunningStep): string {
  return [step.retry ? 'charge' : null, step.template, step.restrict, step.end].filter(Boolean).join(', ');
}

function caseOf(name: string): DunningCase {
  const policy = defaultDunningPolicies.find((candidate) => candidate.name === name);
  if (policy === undefined) throw new Error(`No policy ${name}`);
  return {
    policy: { ...policy, version: 1 },
    firstFailedAt,
    nextStepIndex: 0,
    heldUntil: null,
    dayMs: realDayMs,
  };
}

function dayAt(day: number): string {
  return new Date(Date.parse(firstFailedAt) + day * realDayMs).toISOString();
}

function everyHour(untilDay: number, fromDay = 0): string[] {
  const hours = Math.floor((untilDay - fromDay) * 24);
  return Array.from({ length: hours + 1 }, (_, hour) => dayAt(fromDay + hour / 24));
}

function daysAfter({ firstFailedAt: start, dayMs }: DunningCase, days: number): string {
  return new Date(Date.parse(start) + Math.round(days * dayMs)).toISOString();
}

function dateOf(dunningCase: DunningCase, step: DunningStep): string {
  return daysAfter(dunningCase, step.day);
}

function stepOf({ policy }: DunningCase, index: number): DunningStep {
  const step = policy.steps[index];
  if (step === undefined) throw new Error(`No step ${index}`);
  return step;
}

function daysAfterFailure({ firstFailedAt: start, dayMs }: DunningCase, at: string): number {
  return (Date.parse(at) - Date.parse(start)) / dayMs;
}

/** Any usable policy: one to seven dated steps, restrictions after the grace, an end at the end. */
function anyCase(): fc.Arbitrary<DunningCase> {
  const step = fc.record({
    retry: fc.boolean(),
    template: fc.constantFrom('payment_failed_1', 'update_payment_method', 'account_restricted'),
    restrict: fc.constantFrom(undefined, 'restricted', 'suspended'),
  });
  const days = fc.uniqueArray(fc.integer({ min: 3, max: 60 }), { minLength: 1, maxLength: 7 });
  return fc
    .tuple(
      days,
      fc.array(step, { minLength: 7, maxLength: 7 }),
      fc.constantFrom('cancel', 'downgrade'),
      fc.nat(3),
      fc.constantFrom(realDayMs, 5_000),
    )
    .map(([chosenDays, chosenSteps, end, graceDays, dayMs]) => {
      const ordered = chosenDays.toSorted((a, b) => a - b);
      const steps = ordered.map((day, index): DunningStep => {
        if (index === ordered.length - 1)
          return { day, retry: false, template: 'subscription_cancelled_unpaid', end };
        const { retry, template, restrict } = chosenSteps[index] ?? {
          retry: false,
          template: 'payment_failed_1',
        };
        return { day, retry, template, ...(restrict && { restrict }) } as DunningStep;
      });
      const policy = { name: 'any', version: 1, graceDays, steps, technicalRetryMinutes: [15] };
      return { policy, firstFailedAt, nextStepIndex: 0, heldUntil: null, dayMs };
    });
}

/** Any case and the instants, over seventy of its days, at which a worker happens to be awake. */
function anyRun(): fc.Arbitrary<{ dunningCase: DunningCase; times: string[] }> {
  const hours = fc.array(fc.nat(70 * 24), { maxLength: 40 });
  return fc.tuple(anyCase(), hours).map(([dunningCase, awake]) => ({
    dunningCase,
    times: awake.toSorted((a, b) => a - b).map((hour) => daysAfter(dunningCase, hour / 24)),
  }));
}

describe('what the customer is told to come next', () => {
  it.each([
    [0, false, 'we try again on Sat 1 Feb 2025 10:00 UTC'],
    [0, true, 'we will remind you on Sat 1 Feb 2025 10:00 UTC'],
    [3, false, 'access will be restricted on Fri 7 Feb 2025 10:00 UTC'],
    [5, false, 'the subscription will be cancelled on Sun 2 Mar 2025 10:00 UTC'],
    [6, false, 'nothing more will be charged'],
  ])('at step %i, card refused for good: %s', (index, cardRefused, clause) => {
    expect(stepAheadInWords(caseOf('standard_30'), index, { cardRefused })).toBe(clause);
  });
});
