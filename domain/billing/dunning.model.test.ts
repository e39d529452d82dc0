/**
 * The ladder as a machine that anything may happen to, in any order: time passes, the worker is away, steps are asked
 * for again, payments arrive, cards fail, the bank takes its time, the policy is edited, customers leave. `createLadder`
 * drives the rules as the workflow, the activity and the case's queries do; `Expected` says in plain words what must
 * come of it. The end of the file proves that a wrong ladder is found.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { realDayMs } from '../instant.ts';
import {
  type DueStep,
  type DunningCase,
  type DunningPolicy,
  type DunningStep,
  defaultDunningPolicies,
  holdUntil,
  type LadderLevel,
  levelAfter,
  levelAt,
  nextStep,
  policyMistakes,
} from './dunning.ts';

const runs = { numRuns: 500 };
const startedMs = Date.parse('2025-01-31T10:00:00.000Z');
const levels: readonly LadderLevel[] = ['grace', 'restricted', 'suspended'];
const HOLD_DAYS = 7;

describe('a ladder that anything happens to', () => {
  it.each(defaultDunningPolicies)('$name does what it must, and nothing else', (policy) => {
    fc.assert(ladderProperty(rules, fc.constant({ ...policy, version: 1 })), runs);
  });

  it('does so with any policy that is accepted', () => {
    fc.assert(ladderProperty(rules, usablePolicy()), runs);
  });

  it('comes by everything that may happen', () => {
    const happened = new Set<string>();
    fc.assert(ladderProperty(rules, usablePolicy(), happened), { ...runs, seed: 1 });
    expect([...happened].sort()).toEqual([
      'a charge held it',
      'a later invoice took over',
      'a missed step was superseded',
      'a policy was edited while it ran',
      'a policy was refused',
      'a step was late',
      'access was eased',
      'access was taken',
      'it ended',
      'it was left',
      'it was paid',
      'one was still in its grace at the end',
      'something came after its end',
    ]);
  });
});

/** The rules under test, and what those who drive them decide: each can be replaced by a wrong one. */
type Rules = {
  nextStep: typeof nextStep;
  levelAfter: typeof levelAfter;
  levelAt: typeof levelAt;
  holdUntil: typeof holdUntil;
  policyMistakes: typeof policyMistakes;
  /** The policy that a running case follows. */
  policyOf(pinned: DunningPolicy, latest: DunningPolicy): DunningPolicy;
  /** The clock of an invoice whose charge fails. */
  firstFailure(known: string | null, at: string): string;
  /** The case after a step. */
  advance(dunningCase: DunningCase, performed: DueStep, at: string): DunningCase;
  isOver(closed: boolean): boolean;
};

const rules: Rules = {
  nextStep,
  levelAfter,
  levelAt,
  holdUntil,
  policyMistakes,
  policyOf: (pinned) => pinned,
  firstFailure: (known, at) => known ?? at,
  advance: (dunningCase, { index }) => ({ ...dunningCase, nextStepIndex: index + 1 }),
  isOver: (closed) => closed,
};

/** An unpaid invoice, and the access of the subscription it bills. */
type Debt = {
  id: number;
  firstFailedAt: string;
  heldUntil: string | null;
  level: LadderLevel;
  /** Paid, left by the customer, or given up at the end of the ladder. */
  closedAt: string | null;
};

type Performed = { debt: number; index: number; step: DunningStep; policy: DunningPolicy; at: string };

type OpenCase = { debt: number; closed: boolean; state: DunningCase };

type Ladder = ReturnType<typeof createLadder>;

/** The dunning of one customer. `wake` is the workflow, `perform` its activity; the rest is done under the same lock. */
function createLadder(by: Rules, { first, dayMs }: { first: DunningPolicy; dayMs: number }) {
  const debts: Debt[] = [];
  const performed: Performed[] = [];
  let latest = first;
  let open: OpenCase | null = null;

  const debtOf = (id: number): Debt => debts[id] ?? fail(`No debt ${id}`);
  const unpaid = (): Debt[] =>
    debts
      .filter(({ closedAt }) => closedAt === null)
      .toSorted((a, b) => Date.parse(a.firstFailedAt) - Date.parse(b.firstFailedAt) || a.id - b.id);
  const beyondGrace = ({ firstFailedAt }: Debt, at: string): boolean =>
    Date.parse(firstFailedAt) + current().state.policy.graceDays * dayMs <= Date.parse(at);

  function current(): OpenCase {
    if (open === null) return fail('No case was opened');
    const { policy } = open.state;
    // It crosses the database and a restart of the worker each time.
    open.state = JSON.parse(JSON.stringify({ ...open.state, policy: by.policyOf(policy, latest) }));
    return open;
  }

  const isOver = (): boolean => open === null || by.isOver(open.closed);

  function moveOn(at: string): void {
    if (open === null) return;
    const [next] = unpaid();
    if (next?.id === open.debt) return;
    if (next === undefined) {
      open.closed = true;
      return;
    }
    const { firstFailedAt, heldUntil } = next;
    open.debt = next.id;
    open.state = { ...open.state, firstFailedAt, heldUntil, nextStepIndex: 0 };
    const byClock = by.levelAt(open.state, at);
    for (const debt of unpaid()) {
      if (levels.indexOf(byClock) < levels.indexOf(debt.level)) debt.level = byClock;
    }
  }

  function close(id: number, at: string): void {
    const debt = debtOf(id);
    if (debt.closedAt !== null) return;
    debt.closedAt = at;
    moveOn(at);
  }

  function perform(index: number, at: string): void {
    if (isOver()) return;
    const { state, debt } = current();
    const due = by.nextStep(state, at);
    if (due === null || due.index !== index || Date.parse(due.at) > Date.parse(at)) return;
    const { step } = due;
    performed.push({ debt, index, step, policy: state.policy, at });
    if (performed.length > PERFORMED_MAX) fail('It performs steps without end');
    current().state = by.advance(state, due, at);
    if (step.restrict === undefined && step.end === undefined) return;

    const affected = unpaid().filter((each) => beyondGrace(each, at));
    for (const each of affected) each.level = by.levelAfter(each.level, step);
    if (step.end === undefined) return;
    for (const each of affected) each.closedAt = at;
    moveOn(at);
  }

  function wake(now: string): void {
    while (!isOver()) {
      const due = by.nextStep(current().state, now);
      if (due === null || Date.parse(due.at) > Date.parse(now)) return;
      perform(due.index, now);
    }
  }

  return {
    debts,
    performed,
    open: () => open,
    perform,
    wake,
    /** The worker sleeps until the instant it was told, does what is due then, and looks again. */
    sleepUntil(until: string, from: string): void {
      for (let now = from; !isOver(); ) {
        const due = by.nextStep(current().state, now);
        if (due === null || due.at > until) return;
        if (due.at <= now) fail('It wakes for nothing');
        now = due.at;
        wake(now);
      }
    },
    failNew(at: string): void {
      const id = debts.length;
      const firstFailedAt = by.firstFailure(null, at);
      debts.push({ id, firstFailedAt, heldUntil: null, level: 'grace', closedAt: null });
      if (open !== null && !open.closed) return;
      const state = { policy: latest, firstFailedAt, nextStepIndex: 0, heldUntil: null, dayMs };
      open = { debt: id, closed: false, state };
    },
    failAgain(id: number, at: string): void {
      const debt = debtOf(id);
      debt.firstFailedAt = by.firstFailure(debt.firstFailedAt, at);
      if (open?.debt === id) current().state.firstFailedAt = debt.firstFailedAt;
    },
    hold(id: number, startedAt: string | null): void {
      const debt = debtOf(id);
      debt.heldUntil = startedAt === null ? null : by.holdUntil(startedAt, dayMs);
      if (open?.debt === id) current().state.heldUntil = debt.heldUntil;
    },
    close,
    /** Whether the policy was taken. */
    edit(policy: DunningPolicy): boolean {
      if (by.policyMistakes(policy).length > 0) return false;
      latest = { ...policy, version: latest.version + 1 };
      return true;
    },
  };
}

const PERFORMED_MAX = 200;

/** What must be so, said without the rules: from the dates alone. */
type Expected = {
  nowMs: number;
  dayMs: number;
  isUp: boolean;
  latest: DunningPolicy;
  debts: { failedMs: number; heldUntilMs: number; level: number; isOpen: boolean }[];
  performed: { debt: number; index: number; atMs: number }[];
  /** The case that runs: whose clock it has, and the policy of the day it was opened. */
  running: { debt: number; policy: DunningPolicy; next: number } | null;
  happened: Set<string>;
};

const stepMs = (m: Expected, { debt, policy }: { debt: number; policy: DunningPolicy }, index: number) =>
  (m.debts[debt]?.failedMs ?? Number.NaN) + Math.round((policy.steps[index]?.day ?? Number.NaN) * m.dayMs);

/** Of the steps whose day has come the last warning, or the end where no warning is owed; none while the bank works. */
function expectedStep(m: Expected): number | null {
  const { running } = m;
  if (running === null || (m.debts[running.debt]?.heldUntilMs ?? 0) > m.nowMs) return null;
  const indexes = running.policy.steps.map((_, index) => index);
  const come = indexes.filter((index) => index >= running.next && stepMs(m, running, index) <= m.nowMs);
  const warnings = come.filter((index) => running.policy.steps[index]?.end === undefined);
  return warnings.at(-1) ?? come.at(0) ?? null;
}

function expectStep(m: Expected, index: number): void {
  const { running } = m;
  if (running === null) return;
  const step = running.policy.steps[index];
  m.performed.push({ debt: running.debt, index, atMs: m.nowMs });
  if (index > running.next) m.happened.add('a missed step was superseded');
  if (stepMs(m, running, index) < m.nowMs) m.happened.add('a step was late');
  running.next = index + 1;
  if (step?.restrict === undefined && step?.end === undefined) return;
  const graceMs = running.policy.graceDays * m.dayMs;
  const open = m.debts.filter(({ isOpen }) => isOpen);
  const affected = open.filter(({ failedMs }) => failedMs + graceMs <= m.nowMs);
  for (const debt of affected) {
    if (step.restrict !== undefined) debt.level = Math.max(debt.level, levels.indexOf(step.restrict));
    else debt.isOpen = false;
  }
  m.happened.add(step.end === undefined ? 'access was taken' : 'it ended');
  if (step.end === undefined) return;
  if (affected.length < open.length) m.happened.add('one was still in its grace at the end');
  expectNext(m);
}

/** The earliest open invoice drives; where another one does so now, its clock says how much access is taken. */
function expectNext(m: Expected): void {
  const { running } = m;
  if (running === null) return;
  const open = m.debts.flatMap((debt, id) => (debt.isOpen ? [id] : []));
  const [next] = open;
  if (next === running.debt) return;
  if (next === undefined) {
    m.running = null;
    return;
  }
  m.running = { debt: next, policy: running.policy, next: 0 };
  m.happened.add('a later invoice took over');
  const taken = running.policy.steps.map(({ restrict }, index) =>
    restrict !== undefined && stepMs(m, { debt: next, policy: running.policy }, index) <= m.nowMs
      ? levels.indexOf(restrict)
      : 0,
  );
  for (const id of open) {
    const debt = m.debts[id];
    if (debt === undefined || debt.level <= Math.max(...taken)) continue;
    debt.level = Math.max(...taken);
    m.happened.add('access was eased');
  }
}

function expectAwake(m: Expected): void {
  for (let index = expectedStep(m); index !== null; index = expectedStep(m)) expectStep(m, index);
}

/** A worker that is there wakes on the day of every step and when the bank's time is over. */
function expectTime(m: Expected, untilMs: number): void {
  while (m.isUp && m.running !== null) {
    const { running, nowMs } = m;
    const dates = running.policy.steps.map((_, index) => stepMs(m, running, index));
    const moments = [...dates, m.debts[running.debt]?.heldUntilMs ?? 0];
    const next = Math.min(...moments.filter((moment) => moment > nowMs && moment <= untilMs));
    if (next === Number.POSITIVE_INFINITY) break;
    m.nowMs = next;
    expectAwake(m);
  }
  m.nowMs = untilMs;
}

type Command = fc.Command<Expected, Ladder>;

const instant = (ms: number) => new Date(ms).toISOString();

/** Runs the same on both sides, lets a worker that is there look at what changed, and compares. */
function command(
  name: string,
  run: (m: Expected, ladder: Ladder) => void,
  check: (m: Expected) => boolean = () => true,
): Command {
  return {
    check,
    run(m, ladder) {
      run(m, ladder);
      if (m.isUp) {
        expectAwake(m);
        ladder.wake(instant(m.nowMs));
      }
      expectLawful(ladder, m);
      expectSame(m, ladder);
    },
    toString: () => name,
  };
}

const isOwed = (m: Expected) => m.debts.length > 0;

/** An invoice of the customer, whatever has become of it. */
function pick(m: Expected, which: number) {
  const id = which % m.debts.length;
  const debt = m.debts[id];
  if (debt === undefined) return fail('Nothing was ever owed');
  if (!debt.isOpen) m.happened.add('something came after its end');
  return { id, debt };
}

const pass = (hours: number): Command =>
  command(`${hours} hours pass`, (m, ladder) => {
    const untilMs = m.nowMs + Math.round((hours * m.dayMs) / 24);
    const now = instant(untilMs);
    if (m.isUp) ladder.sleepUntil(now, instant(m.nowMs));
    expectTime(m, untilMs);
  });

const leave = (): Command =>
  command('the worker goes away', (m) => {
    m.isUp = false;
  });

const comeBack = (): Command =>
  command('the worker is back', (m) => {
    m.isUp = true;
  });

const ask = (index: number): Command =>
  command(`step ${index} is asked for`, (m, ladder) => {
    if (expectedStep(m) === index) expectStep(m, index);
    ladder.perform(index, instant(m.nowMs));
  });

const failNew = (): Command =>
  command(
    'an invoice fails',
    (m, ladder) => {
      const debt = { failedMs: m.nowMs, heldUntilMs: 0, level: 0, isOpen: true };
      m.running ??= { debt: m.debts.length, policy: m.latest, next: 0 };
      m.debts.push(debt);
      ladder.failNew(instant(m.nowMs));
    },
    (m) => m.debts.length < 6,
  );

const failAgain = (which: number): Command =>
  command(
    `a card fails again for ${which}`,
    (m, ladder) => ladder.failAgain(pick(m, which).id, instant(m.nowMs)),
    isOwed,
  );

function closeDebt(m: Expected, ladder: Ladder, id: number, how: 'paid' | 'left'): void {
  const debt = m.debts[id] ?? fail('Nothing was ever owed');
  if (debt.isOpen) m.happened.add(`it was ${how}`);
  debt.isOpen = false;
  expectNext(m);
  ladder.close(id, instant(m.nowMs));
}

const close = (which: number, how: 'paid' | 'left'): Command =>
  command(`${which} is ${how}`, (m, ladder) => closeDebt(m, ladder, pick(m, which).id, how), isOwed);

const payEarliest = (): Command =>
  command(
    'the earliest unpaid invoice is paid',
    (m, ladder) => closeDebt(m, ladder, m.running?.debt ?? 0, 'paid'),
    ({ running }) => running !== null,
  );

const hold = (which: number): Command =>
  command(
    `the bank works on a charge of ${which}`,
    (m, ladder) => {
      const { id, debt } = pick(m, which);
      debt.heldUntilMs = m.nowMs + HOLD_DAYS * m.dayMs;
      if (m.running?.debt === id) m.happened.add('a charge held it');
      ladder.hold(id, instant(m.nowMs));
    },
    isOwed,
  );

const answer = (which: number): Command =>
  command(
    `the bank declines the charge of ${which}`,
    (m, ladder) => {
      const { id, debt } = pick(m, which);
      debt.heldUntilMs = 0;
      ladder.hold(id, null);
    },
    isOwed,
  );

const edit = (policy: DunningPolicy): Command =>
  command(`the policy is now ${JSON.stringify(policy.steps.map(({ day }) => day))}`, (m, ladder) => {
    const isTaken = ladder.edit(policy);
    if (isTaken) m.latest = policy;
    if (isTaken && m.running !== null) m.happened.add('a policy was edited while it ran');
    if (!isTaken) m.happened.add('a policy was refused');
  });

function expectSame(m: Expected, ladder: Ladder): void {
  expect(ladder.performed.map(({ debt, index, at }) => ({ debt, index, atMs: Date.parse(at) }))).toEqual(
    m.performed,
  );
  expect(ladder.debts.map(({ level }) => levels.indexOf(level))).toEqual(m.debts.map(({ level }) => level));
  expect(ladder.debts.map(({ closedAt }) => closedAt === null)).toEqual(m.debts.map(({ isOpen }) => isOpen));
  const open = ladder.open();
  expect(open === null || open.closed ? null : open.debt).toBe(m.running?.debt ?? null);
}

/** What no order of happenings may break, read from the list of performed steps. */
function expectLawful({ performed, debts }: Ladder, { dayMs }: Expected): void {
  for (const { id, firstFailedAt, closedAt } of debts) {
    const steps = performed.filter(({ debt }) => debt === id);
    const indexes = steps.map(({ index }) => index);
    expect(indexes, 'once each, in order').toEqual([...new Set(indexes)].sort((a, b) => a - b));
    expect(new Set(steps.map(({ policy }) => policy.version)).size, 'one policy').toBeLessThanOrEqual(1);
    for (const { step, policy, at } of steps) {
      const days = (Date.parse(at) - Date.parse(firstFailedAt)) / dayMs;
      expect(days, 'not before its day').toBeGreaterThanOrEqual(step.day - ROUNDING);
      if (step.restrict !== undefined || step.end !== undefined)
        expect(days, 'not in the grace').toBeGreaterThanOrEqual(policy.graceDays - ROUNDING);
      if (closedAt !== null) expect(at <= closedAt, 'nothing after the end').toBe(true);
    }
  }
}

/** A millisecond of the shortest day. */
const ROUNDING = 1 / 5_000;

function ladderProperty(by: Rules, policies: fc.Arbitrary<DunningPolicy>, happened = new Set<string>()) {
  const commands = fc.commands(
    [
      fc.integer({ min: 1, max: 72 }).map(pass),
      fc.integer({ min: 24, max: 8 * 24 }).map(pass),
      fc.integer({ min: 72, max: 40 * 24 }).map(pass),
      fc.constant(failNew()),
      fc.constant(payEarliest()),
      fc.constant(leave()),
      fc.constant(comeBack()),
      fc.nat(6).map(ask),
      fc.nat(5).map(failAgain),
      fc.tuple(fc.nat(5), fc.constantFrom('paid' as const, 'left' as const)).map((given) => close(...given)),
      fc.nat(5).map(hold),
      fc.nat(5).map(answer),
      anyPolicy().map(edit),
    ],
    { maxCommands: 40, size: 'max' },
  );
  // Several invoices are unpaid at first, and some days have passed since.
  const owed = fc
    .tuple(fc.array(fc.integer({ min: 1, max: 72 }), { maxLength: 4 }), fc.integer({ min: 0, max: 20 * 24 }))
    .map(([gaps, since]) => [...gaps.flatMap((hours) => [failNew(), pass(hours)]), pass(since)]);
  return fc.property(
    policies,
    fc.constantFrom(realDayMs, 5_000),
    owed,
    commands,
    (first, dayMs, beginning, given) => {
      const started = { nowMs: startedMs, dayMs, isUp: true, latest: first, debts: [], performed: [] };
      const model: Expected = { ...started, running: null, happened };
      fc.modelRun(() => ({ model, real: createLadder(by, { first, dayMs }) }), [...beginning, ...given]);
    },
  );
}

/** Any steps on any days, also such as no policy may have. */
function anyPolicy(): fc.Arbitrary<DunningPolicy> {
  const step = fc.record({
    quarters: fc.integer({ min: 1, max: 40 * 4 }),
    retry: fc.boolean(),
    template: fc.constantFrom('payment_failed_1' as const, 'account_restricted' as const),
    restrict: fc.constantFrom(undefined, undefined, 'restricted' as const, 'suspended' as const),
  });
  return fc
    .record({
      steps: fc.uniqueArray(step, { selector: ({ quarters }) => quarters, minLength: 1, maxLength: 7 }),
      end: fc.constantFrom('cancel' as const, 'downgrade' as const),
      graceDays: fc.nat(6),
    })
    .map(({ steps, end, graceDays }) => {
      const ordered = steps.toSorted((a, b) => a.quarters - b.quarters);
      const isLast = (index: number) => index === ordered.length - 1;
      return {
        name: 'any',
        version: 1,
        graceDays,
        technicalRetryMinutes: [15],
        steps: ordered.map(({ quarters, retry, template, restrict }, index): DunningStep => {
          const day = quarters / 4;
          if (isLast(index)) return { day, retry: false, template: 'subscription_cancelled_unpaid', end };
          return { day, retry, template, ...(restrict !== undefined && { restrict }) };
        }),
      };
    });
}

const usablePolicy = () => anyPolicy().filter((policy) => policyMistakes(policy).length === 0);

function fail(message: string): never {
  throw new Error(message);
}

describe('a wrong ladder is found: one that', () => {
  const later = (at: string, ms: number) => instant(Date.parse(at) + ms);
  const shifted =
    (dayShare: number): typeof nextStep =>
    (dunningCase, now) => {
      const due = nextStep(dunningCase, now);
      return due && { ...due, at: later(due.at, dunningCase.dayMs * dayShare) };
    };
  /** The first step that is left, or what `choose` takes of those whose day has come. */
  const choosing =
    (choose: (come: number[], dunningCase: DunningCase) => number | undefined): typeof nextStep =>
    (dunningCase, now) => {
      const { policy, nextStepIndex, firstFailedAt, heldUntil, dayMs } = dunningCase;
      const dateOf = ({ day }: DunningStep) => later(firstFailedAt, Math.round(day * dayMs));
      const come = policy.steps.flatMap((step, index) =>
        index >= nextStepIndex && dateOf(step) <= now ? [index] : [],
      );
      const index = choose(come, dunningCase) ?? nextStepIndex;
      const step = policy.steps[index];
      if (step === undefined) return null;
      return { index, step, at: [dateOf(step), heldUntil ?? ''].toSorted().at(-1) ?? '' };
    };

  const wrong: Record<string, Partial<Rules>> = {
    'performs a step again': {
      advance: (dunningCase, { index }) => ({ ...dunningCase, nextStepIndex: index }),
    },
    'forgets a step': {
      advance: (dunningCase, { index }) => ({ ...dunningCase, nextStepIndex: index + 2 }),
    },
    'is an hour early': { nextStep: shifted(-1 / 24) },
    'is an hour late': { nextStep: shifted(1 / 24) },
    'moves the later steps when one is late': {
      advance: (dunningCase, { at, index }, performedAt) => ({
        ...dunningCase,
        nextStepIndex: index + 1,
        firstFailedAt: later(dunningCase.firstFailedAt, Date.parse(performedAt) - Date.parse(at)),
      }),
    },
    'sends every missed reminder': { nextStep: choosing(() => undefined) },
    'ends without the warning that is owed': { nextStep: choosing((come) => come.at(-1)) },
    'does not wait for the bank': {
      nextStep: (dunningCase, now) => nextStep({ ...dunningCase, heldUntil: null }, now),
    },
    'waits for the bank for too long': { holdUntil: (at, dayMs) => later(at, 8 * dayMs) },
    'waits for the bank for too short a time': { holdUntil: (at, dayMs) => later(at, 6 * dayMs) },
    'gives access back while nothing is paid': { levelAfter: (_level, { restrict }) => restrict ?? 'grace' },
    'takes back a suspension by a restriction': { levelAfter: (level, { restrict }) => restrict ?? level },
    'takes no access': { levelAfter: (level) => level },
    'keeps the access of the invoice before': { levelAt: () => 'suspended' },
    'gives all access back when another invoice takes over': { levelAt: () => 'grace' },
    'takes a policy that restricts in the grace': { policyMistakes: () => [] },
    'follows the policy as it is edited': { policyOf: (_pinned, latest) => latest },
    'begins anew with every card that fails': { firstFailure: (_known, at) => at },
    'goes on after its end': { isOver: () => false },
  };

  it('(but not one that chooses its steps in another way, and rightly)', () => {
    const right = choosing((come, { policy }) => {
      const warnings = come.filter((index) => policy.steps[index]?.end === undefined);
      return warnings.at(-1) ?? come.at(0);
    });
    fc.assert(ladderProperty({ ...rules, nextStep: right }, usablePolicy()), { numRuns: 300 });
  });

  it.each(Object.entries(wrong))('%s', (_what, mistake) => {
    const property = ladderProperty({ ...rules, ...mistake }, usablePolicy());
    const { failed } = fc.check(property, { seed: 1, numRuns: 5_000, endOnFailure: true });
    expect(failed).toBe(true);
  });
});
