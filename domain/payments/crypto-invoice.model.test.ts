/**
 * An invoice in coins in a small world of its own: a chain with a mempool, wallets that pay, replace and cheat, a watcher that
 * looks away, and a clock. `World` knows what is true; `observe` says what a watcher sees of it. Two of the same invoice are
 * decided side by side, one after every step and one only when something touched it or it had asked to be woken. Where the
 * policy says so, late money is accepted by itself, at a price that is not the same for long.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, decided, historyOf, quotedAt, termsOf, viewOf } from '../../test/support/crypto-situation.ts';
import { type CryptoSnapshot, eventsBetween, needsBooks, untouched } from './crypto-events.ts';
import {
  type ChainView,
  type CryptoAct,
  type CryptoDecision,
  type CryptoHistory,
  type CryptoInvoiceInput,
  type CryptoTerms,
  cryptoInvoiceStatuses,
  decideCryptoInvoice,
  inheritedEffectiveAt,
  isSettled,
} from './crypto-invoice.ts';
import type { CryptoPayment } from './crypto-payment.ts';
import { cryptoPolicyOn } from './crypto-policy.ts';

const MINUTE_MS = 60_000;
const terms = termsOf();
const autoTerms = termsOf({ policy: cryptoPolicyOn('mainnet', { late: 'auto' }) });
const iso = (ms: number) => new Date(ms).toISOString();

type Transaction = { txid: string; input: number; units: bigint; isOurs: boolean; isWaiting: boolean };
type Seen = {
  firstObservedAt: string;
  blockTime: string | null;
  seenAt: string | null;
  orphanedAt: string | null;
  wasMined: boolean;
};

/** What is true, whoever looks. */
class World {
  nowMs = Date.parse(quotedAt);
  /** What is in each block; the index is its height less `BASE`. */
  blocks: { time: string; txids: string[] }[] = [];
  transactions: Transaction[] = [];
  isPaused = false;
  cautiousUntil: string | null = null;
  isWatched = true;
  freshUntil: string | null = null;
  #seen = new Map<string, Seen>();

  static readonly BASE = 100;

  get tipHeight(): number {
    return World.BASE + this.blocks.length - 1;
  }

  heightOf(txid: string): number | null {
    const index = this.blocks.findIndex((block) => block.txids.includes(txid));
    return index === -1 ? null : World.BASE + index;
  }

  send(units: bigint, isOurs: boolean, input: number): Transaction {
    for (const each of this.transactions) if (each.input === input) each.isWaiting = false;
    const sent = { txid: `t${this.transactions.length}`, input, units, isOurs, isWaiting: true };
    this.transactions.push(sent);
    return sent;
  }

  mine({ isEmpty = false, minutes = 10 } = {}): void {
    this.nowMs += minutes * MINUTE_MS;
    const waiting: Transaction[] = [];
    for (const each of isEmpty ? [] : this.transactions) {
      const isTaken = this.isSpent(each.input) || waiting.some(({ input }) => input === each.input);
      if (each.isWaiting && !isTaken) waiting.push(each);
    }
    for (const each of waiting) each.isWaiting = false;
    this.blocks.push({ time: iso(this.nowMs), txids: waiting.map(({ txid }) => txid) });
  }

  isSpent(input: number): boolean {
    return this.transactions.some((each) => each.input === input && this.heightOf(each.txid) !== null);
  }

  /** The mempool keeps what was mined, even where the new branch spends its coins otherwise: nodes do that. */
  reorganise(depth: number, isCheated: boolean, isForgotten: boolean): void {
    const gone = this.blocks.splice(Math.max(0, this.blocks.length - depth)).flatMap(({ txids }) => txids);
    const orphans = this.transactions.filter(({ txid }) => gone.includes(txid));
    for (const each of orphans) each.isWaiting = !isForgotten;
    const [victim] = orphans;
    if (isCheated && victim !== undefined) {
      const thief = this.send(victim.units, false, victim.input);
      thief.isWaiting = false;
      this.blocks.push({ time: iso(this.nowMs), txids: [thief.txid] });
      victim.isWaiting = true;
    }
    while (this.blocks.length < depth + 1) this.mine({ isEmpty: true, minutes: 0 });
    for (let more = 0; more <= depth; more += 1) this.mine({ isEmpty: true, minutes: 1 });
  }

  look(): void {
    if (!this.isWatched) return;
    this.freshUntil = iso(this.nowMs);
    for (const { txid, isOurs, isWaiting } of this.transactions) {
      const height = this.heightOf(txid);
      if (!isOurs || (height === null && !isWaiting && !this.#seen.has(txid))) continue;
      const known = this.#seen.get(txid);
      const isOut = height === null && known?.wasMined === true;
      this.#seen.set(txid, {
        firstObservedAt: known?.firstObservedAt ?? iso(this.nowMs),
        blockTime:
          height === null ? (known?.blockTime ?? null) : (this.blocks[height - World.BASE]?.time ?? null),
        seenAt: isWaiting ? iso(this.nowMs) : (known?.seenAt ?? null),
        orphanedAt: isOut ? (known.orphanedAt ?? iso(this.nowMs)) : null,
        wasMined: height !== null || known?.wasMined === true,
      });
    }
  }

  /** As of the last look. */
  payments(): CryptoPayment[] {
    return this.transactions.flatMap((transaction) => {
      const { txid, units, input } = transaction;
      const seen = this.#seen.get(txid);
      if (seen === undefined) return [];
      const others = this.transactions.filter((each) => each.input === input && each.txid !== txid);
      const height = this.heightOf(txid);
      const rival =
        others.find((each) => this.heightOf(each.txid) !== null) ??
        others.find((each) => each.isWaiting && !transaction.isWaiting);
      const group = others.flatMap((each) => this.#seen.get(each.txid) ?? []);
      return {
        key: `${txid}:0`,
        chain: 'bitcoin' as const,
        txid,
        asset: 'BTC' as const,
        token: null,
        units,
        block: height === null ? null : { height, hash: `${height}` },
        effectiveAt: inheritedEffectiveAt(
          seen,
          group.map((each) => inheritedEffectiveAt(each)),
        ),
        seenAt: seen.seenAt,
        orphanedAt: seen.orphanedAt,
        rival: rival === undefined ? null : { txid: rival.txid, height: this.heightOf(rival.txid) },
        unconfirmedParent: null,
        usdRate: null,
      };
    });
  }

  /** The same with the price of the half hour in which each counts. */
  pricedPayments(): CryptoPayment[] {
    return this.payments().map((payment) => ({ ...payment, usdRate: rateAt(payment.effectiveAt) }));
  }

  view(): ChainView {
    const { tipHeight, freshUntil, isPaused, cautiousUntil } = this;
    return viewOf({ tipHeight, freshUntil, isPaused, cautiousUntil });
  }

  isOnTime({ effectiveAt }: CryptoPayment): boolean {
    return Date.parse(effectiveAt) <= Date.parse(terms.expiresAt);
  }
}

/** Falls by a tenth every second half hour. */
function rateAt(instant: string): string {
  const halfHours = Math.floor((Date.parse(instant) - Date.parse(quotedAt)) / (30 * MINUTE_MS));
  return halfHours % 2 === 0 ? '100000' : '90000';
}

/** In units of what is due. */
function worthOf({ units, effectiveAt }: CryptoPayment): bigint {
  return (units * BigInt(rateAt(effectiveAt))) / 100_000n;
}

type Step =
  | { do: 'pay'; units: bigint }
  | { do: 'bump' | 'steal' | 'evict' | 'resend'; which: number }
  | { do: 'mine'; isEmpty: boolean }
  | { do: 'reorganise'; depth: number; isCheated: boolean; isForgotten: boolean }
  | { do: 'wait'; minutes: number }
  | { do: 'pause' | 'watch' };

/** Whether something the watcher would tell the invoice about may have happened. */
function perform(world: World, step: Step): void {
  const waiting = world.transactions.filter(
    (each) => each.isOurs && each.isWaiting && !world.isSpent(each.input),
  );
  const gone = world.transactions.filter(
    (each) => each.isOurs && !each.isWaiting && !world.isSpent(each.input),
  );
  const chosen = 'which' in step ? (step.do === 'resend' ? gone : waiting).at(step.which) : undefined;
  switch (step.do) {
    case 'pay':
      world.send(step.units, true, world.transactions.length);
      break;
    case 'bump':
      if (chosen !== undefined) world.send(chosen.units, true, chosen.input);
      break;
    case 'steal':
      if (chosen !== undefined) world.send(chosen.units, false, chosen.input);
      break;
    case 'evict':
      if (chosen !== undefined) chosen.isWaiting = false;
      break;
    case 'resend':
      if (chosen !== undefined) {
        for (const each of world.transactions) if (each.input === chosen.input) each.isWaiting = false;
        chosen.isWaiting = true;
      }
      break;
    case 'mine':
      world.mine(step);
      break;
    case 'reorganise':
      world.reorganise(step.depth, step.isCheated, step.isForgotten);
      break;
    case 'wait':
      world.nowMs += step.minutes * MINUTE_MS;
      break;
    case 'pause':
      world.isPaused = !world.isPaused;
      if (!world.isPaused) world.cautiousUntil = iso(world.nowMs + 24 * 60 * MINUTE_MS);
      break;
    case 'watch':
      world.isWatched = !world.isWatched;
      break;
  }
}

/** A row of an invoice, and what was told of it. */
class Invoice {
  history: CryptoHistory = { status: 'awaiting', settledAt: null, flags: [] };
  snapshot: CryptoSnapshot = untouched;
  decision: CryptoDecision | null = null;
  version = 0;
  reversals = 0;
  told: { key: string; kind: string }[] = [];
  acts: CryptoAct[] = [];

  /** With what is accepted by itself, as whoever carries it out does. */
  decide(input: Omit<CryptoInvoiceInput, 'history' | 'acts'>): void {
    this.#decideOnce(input);
    const paymentKeys = this.decision?.acceptable ?? [];
    if (paymentKeys.length === 0) return;
    this.acts.push({ kind: 'accept', paymentKeys, at: input.now, rate: 'received' });
    this.#decideOnce(input);
    expect(this.decision).toMatchObject({ acceptable: [], status: expect.not.stringMatching('expired') });
  }

  #decideOnce(given: Omit<CryptoInvoiceInput, 'history' | 'acts'>): void {
    const input = { ...given, acts: this.acts };
    const decision = decideCryptoInvoice({ ...input, history: this.history });
    this.version += 1;
    const events = eventsBetween(this.snapshot, decision, this);
    this.told.push(...events);
    this.reversals += events.filter(({ kind }) => kind === 'settlement_reversed').length;
    this.history = historyOf(decision, this.history, input.now);
    this.snapshot = decision;
    this.decision = decision;
  }

  isDue(nowMs: number, tipHeight: number): boolean {
    const { wakeAt, wakeHeight } = this.decision ?? { wakeAt: quotedAt, wakeHeight: null };
    return (
      (wakeAt !== null && nowMs >= Date.parse(wakeAt)) || (wakeHeight !== null && tipHeight >= wakeHeight)
    );
  }
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(100_000n, 100_000n, 60_000n, 40_000n, 98_000n, 500n, 150_000n)
      .map((units) => ({ do: 'pay' as const, units })),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('bump', 'steal', 'evict', 'resend'),
      which: fc.constantFrom(0, -1),
    }) as fc.Arbitrary<Step>,
  },
  { weight: 6, arbitrary: fc.boolean().map((isEmpty) => ({ do: 'mine' as const, isEmpty })) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('reorganise' as const),
      depth: fc.integer({ min: 1, max: 5 }),
      isCheated: fc.boolean(),
      isForgotten: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(1, 4, 30, 150, 361, 1_440, 4_321)
      .map((minutes) => ({ do: 'wait' as const, minutes })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'pause' }, { do: 'watch' }) },
);

const touchOf = (world: World) =>
  JSON.stringify([
    world.isPaused,
    world.cautiousUntil,
    world.isWatched,
    world.payments().map(({ seenAt, units, ...rest }) => [rest, String(units), seenAt === world.freshUntil]),
  ]);

function live(schedule: readonly Step[], happened: Set<string>, agreed = terms): void {
  const world = new World();
  for (let height = 0; height < 6; height += 1) world.mine({ minutes: 0 });
  const eager = new Invoice();
  const lazy = new Invoice();
  let touched = '';
  const tick = () => {
    world.look();
    const input = {
      terms: agreed,
      payments: agreed === autoTerms ? world.pricedPayments() : world.payments(),
      views: [world.view()],
      now: iso(world.nowMs),
    };
    // While nobody watches, nobody tells of anything; yet what is woken sees the same rows.
    if (!world.isWatched) return;
    const before = eager.history.status;
    eager.decide(input);
    const touch = touchOf(world);
    if (touch !== touched || lazy.isDue(world.nowMs, world.tipHeight)) lazy.decide(input);
    touched = touch;
    const { decision } = eager;
    if (decision === null || lazy.decision === null) throw new Error('Both were decided');
    expect([lazy.decision.status, lazy.decision.flags]).toEqual([decision.status, decision.flags]);
    expect(lazy.decision.payments.map((each) => each.status)).toEqual(
      decision.payments.map((each) => each.status),
    );
    if (before === 'final') expect(decision.status).toBe('final');
    if (isSettled(before)) expect(['settled', 'final', 'invalid']).toContain(decision.status);
    if (isSettled(decision.status) && !isSettled(before)) {
      expect(decision.confirmedUnits).toBeGreaterThanOrEqual(terms.minDueUnits);
      expect(world.isPaused).toBe(false);
    }
    if (world.isPaused && before === 'awaiting') expect(decision.status).not.toBe('expired');
    happened.add(decision.status);
    for (const flag of decision.flags) happened.add(flag);
    for (const { status } of decision.payments) happened.add(`payment ${status}`);
  };
  tick();
  for (const step of schedule) {
    perform(world, step);
    tick();
  }
  // Calm at last: all that can be mined is, and everything is final.
  world.isWatched = true;
  world.isPaused = false;
  tick();
  for (let block = 0; block < 30; block += 1) {
    world.mine({ minutes: 300 });
    tick();
  }
  for (let block = 0; block < 80; block += 1) world.mine();
  tick();
  tick();
  judge(world, eager, happened, agreed);
  judge(world, lazy, happened, agreed);
}

function judge(
  world: World,
  { decision, told, history, acts }: Invoice,
  happened: Set<string>,
  agreed: CryptoTerms,
): void {
  if (decision === null) throw new Error('It was decided');
  const { status, flags } = decision;
  for (const { kind } of told) happened.add(`told ${kind}`);
  expect(['final', 'expired', 'invalid']).toContain(status);
  const payments = agreed === autoTerms ? world.pricedPayments() : world.payments();
  const mined = payments.filter((payment) => payment.block !== null && payment.units > 500n);
  const late = mined.filter((payment) => !world.isOnTime(payment));
  const accepted = new Set(acts.flatMap((act) => (act.kind === 'accept' ? act.paymentKeys : [])));
  if (acts.length > 0) happened.add('accepted by itself');
  const paid =
    mined.filter((payment) => world.isOnTime(payment)).reduce((sum, { units }) => sum + units, 0n) +
    late.filter(({ key }) => accepted.has(key)).reduce((sum, payment) => sum + worthOf(payment), 0n);
  if (agreed === autoTerms && status === 'expired' && !flags.includes('double_spend_attempt')) {
    const pending = late.filter(({ key, rival }) => !accepted.has(key) && rival === null);
    const worth = pending.reduce((sum, payment) => sum + worthOf(payment), paid);
    // What was enough on time, and came to light too late, is for a person.
    if (paid < terms.minDueUnits) expect(worth).toBeLessThan(terms.minDueUnits);
  }
  if (paid < terms.minDueUnits) expect(status).not.toBe('final');
  // What came on time and was given up on is not forgotten.
  if (paid >= terms.minDueUnits && status !== 'final') expect(flags).toContain('review');
  if (status === 'invalid' && history.settledAt !== null) expect(flags).toContain('double_spent');
  const replay = decided({ terms: agreed, payments, acts, view: world.view(), now: '60d' });
  if (status === 'final') expect([replay.status, replay.creditedUnits]).toEqual(['final', paid]);
  const books = told.filter((event) => needsBooks({ kind: event.kind as 'settled' })).map(({ key }) => key);
  const expected = books.map(
    (_, index) => `${index % 2 === 0 ? 'settled' : 'settlement_reversed'}:${Math.floor(index / 2) + 1}`,
  );
  expect(books).toEqual(expected);
  expect(books.length % 2).toBe(status === 'final' ? 1 : 0);
  expect(new Set(told.map(({ key }) => key)).size).toBe(told.length);
}

describe('an invoice that anything happens to', () => {
  it('is told once of everything, ends with what the chain says, and is as right when it sleeps as when it watches', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 25 }), (schedule) => live(schedule, new Set())),
      { numRuns: 400 },
    );
  });

  it('is as right where late money is accepted by itself, and leaves nothing lying that is worth enough', () => {
    const happened = new Set<string>();
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 25 }), (schedule) => live(schedule, happened, autoTerms)),
      { numRuns: 400 },
    );
    expect(happened).toContain('accepted by itself');
  });

  it('comes by everything that may happen', () => {
    const happened = new Set<string>();
    fc.assert(
      fc.property(fc.array(steps, { minLength: 15, maxLength: 30 }), (schedule) => live(schedule, happened)),
      { numRuns: 300, seed: 1 },
    );
    const wanted = [
      ...['awaiting', 'processing', 'settled', 'final', 'expired', 'invalid'],
      ...[
        'partial',
        'within_tolerance',
        'over',
        'late',
        'replaced',
        'reorged',
        'double_spent',
        'double_spend_attempt',
      ],
      ...['dust', 'review', 'paused', 'slow_confirm', 'confirmation_overdue'],
      ...[
        'seen',
        'mined',
        'confirmed',
        'orphaned',
        'replaced',
        'double_spent',
        'dropped',
        'ignored_dust',
      ].map((status) => `payment ${status}`),
      ...[
        'settled',
        'settlement_reversed',
        'reorg_healed',
        'payment_reversed',
        'failed_to_confirm',
        'finalised',
      ].map((kind) => `told ${kind}`),
    ];
    expect(wanted.filter((each) => !happened.has(each))).toEqual([]);
  });
});

const minuteOf = (max: number) =>
  fc.integer({ min: 0, max }).map((minutes) => iso(Date.parse(quotedAt) + minutes * MINUTE_MS));

/** Anything a row may hold, also what no watcher would write. */
const anyPayment = fc.record({
  txid: fc.constantFrom('1', '2', '3', '4'),
  key: fc.constantFrom('0', '1', '2'),
  chain: fc.constantFrom('bitcoin' as const, 'bitcoin' as const, 'base' as const),
  asset: fc.constantFrom('BTC' as const, 'BTC' as const, 'USDC' as const, null),
  token: fc.constant(null),
  units: fc.bigInt({ min: 0n, max: 150_000n }),
  block: fc.option(fc.integer({ min: 1, max: 110 }).map((height) => ({ height, hash: `${height}` }))),
  effectiveAt: minuteOf(25),
  seenAt: fc.option(minuteOf(5_000)),
  orphanedAt: fc.option(minuteOf(500), { freq: 3 }),
  rival: fc.option(
    fc.record({
      txid: fc.constantFrom('1', '2', 'away'),
      height: fc.option(fc.integer({ min: 90, max: 100 })),
    }),
    { freq: 3 },
  ),
  unconfirmedParent: fc.option(fc.constantFrom('1', '2', '3')),
  usdRate: fc.option(fc.constantFrom('100000', '1', '0.99')),
});

const keysOf = fc.array(fc.constantFrom('1:0', '2:0', '3:1', '4:2'), { minLength: 1, maxLength: 3 });
const anyAct: fc.Arbitrary<CryptoAct> = fc.oneof(
  fc.record({
    kind: fc.constant('accept' as const),
    paymentKeys: keysOf,
    at: minuteOf(60),
    rate: fc.constantFrom('locked' as const, 'received' as const),
  }),
  fc.record({ kind: fc.constant('dismiss' as const), paymentKeys: keysOf, at: minuteOf(60) }),
  fc.record({
    kind: fc.constantFrom('mark_settled' as const, 'mark_invalid' as const),
    at: minuteOf(60),
    txid: fc.constant(null),
  }),
  fc.record({ kind: fc.constant('cancel' as const), at: minuteOf(60) }),
);

const anyInput: fc.Arbitrary<CryptoInvoiceInput> = fc
  .record({
    payments: fc.uniqueArray(
      anyPayment.map((payment) => ({ ...payment, key: `${payment.txid}:${payment.key}` })),
      { maxLength: 5, selector: ({ chain, key }) => `${chain} ${key}` },
    ),
    acts: fc.array(anyAct, { maxLength: 3 }),
    status: fc.constantFrom(...cryptoInvoiceStatuses),
    wasSettled: fc.boolean(),
    wasReorged: fc.boolean(),
    usdMinor: fc.constantFrom(10_000, 1_000_000),
    late: fc.constantFrom('review' as const, 'auto' as const),
    isPaused: fc.boolean(),
    cautiousUntil: fc.option(minuteOf(2_000)),
    now: minuteOf(5_000),
    staleMinutes: fc.constantFrom(0, 0, 0, 10, 3_000),
    tipHeight: fc.integer({ min: 90, max: 210 }),
  })
  .map(({ payments, acts, status, wasSettled, wasReorged, usdMinor, late, now, staleMinutes, ...view }) => ({
    terms: termsOf({ usdMinor, policy: cryptoPolicyOn('mainnet', { late }) }),
    payments,
    acts,
    history: {
      status,
      settledAt: isSettled(status) || (wasSettled && status === 'invalid') ? at('1m') : null,
      flags: wasReorged ? ['reorged' as const] : [],
    },
    views: [
      viewOf({ ...view, freshUntil: iso(Date.parse(now) - staleMinutes * MINUTE_MS) }),
      viewOf({
        chain: 'base',
        tipHeight: view.tipHeight,
        finalizedHeight: view.tipHeight - 40,
        freshUntil: now,
      }),
    ],
    now,
  }));

/** What has expired, and but for one payment nothing odd about what was paid. */
const latelyPaid = anyInput.map((input): CryptoInvoiceInput => {
  const plain = { chain: 'bitcoin', asset: 'BTC', usdRate: '100000', rival: null } as const;
  return {
    ...input,
    history: { ...input.history, status: 'expired', settledAt: null },
    acts: input.acts.slice(2),
    payments: input.payments.map((payment, n) => {
      if (n === 0) return payment;
      return { ...payment, ...plain, seenAt: input.now, orphanedAt: null, unconfirmedParent: null };
    }),
  };
});

describe('any decision', () => {
  const holds = (property: (input: CryptoInvoiceInput, decision: CryptoDecision) => void) =>
    fc.assert(
      fc.property(anyInput, (input) => property(input, decideCryptoInvoice(input))),
      { numRuns: 3_000 },
    );

  it('does not depend on the order of payments, nor on how often they are told', () => {
    fc.assert(
      fc.property(anyInput, fc.infiniteStream(fc.nat()), (input, random) => {
        const shuffled = [...input.payments, ...input.payments]
          .map((payment) => ({ payment, rank: random.next().value ?? 0 }))
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ payment }) => payment);
        expect(decideCryptoInvoice({ ...input, payments: shuffled })).toEqual(decideCryptoInvoice(input));
      }),
      { numRuns: 1_000 },
    );
  });

  it('decided again from its own result changes nothing, and tells nothing', () => {
    holds((input, decision) => {
      const again = decideCryptoInvoice({ ...input, history: historyOf(decision, input.history, input.now) });
      expect(again).toEqual(decision);
      expect(eventsBetween(decision, again, { version: 2, reversals: 0 })).toEqual([]);
    });
  });

  it('credits no more than the payments that live, and confirms no more than it credits', () => {
    holds(({ payments, acts }, { payments: decidedPayments, creditedUnits, confirmedUnits }) => {
      const living = decidedPayments.filter(({ status }) =>
        ['seen', 'mined', 'confirmed', 'orphaned'].includes(status),
      );
      expect(living.reduce((sum, each) => sum + each.creditedUnits, 0n)).toBe(creditedUnits);
      expect(confirmedUnits).toBeLessThanOrEqual(creditedUnits);
      const confirmed = decidedPayments.filter(({ status }) => status === 'confirmed');
      expect(confirmed.reduce((sum, each) => sum + each.creditedUnits, 0n)).toBe(confirmedUnits);
      if (acts.length > 0) return;
      const most = payments
        .filter(
          (each) => each.chain === 'bitcoin' && each.asset === 'BTC' && each.effectiveAt <= terms.expiresAt,
        )
        .filter((each) => each.rival === null || each.rival.height === null)
        .reduce((sum, { units }) => sum + units, 0n);
      expect(creditedUnits).toBeLessThanOrEqual(most);
    });
  });

  it('settles only what is confirmed or marked, and not while the chain is paused', () => {
    holds(({ history, terms: agreed, views, acts }, { status, confirmedUnits }) => {
      if (!isSettled(status) || isSettled(history.status)) return;
      if (acts.some(({ kind }) => kind === 'mark_settled')) return;
      expect(confirmedUnits).toBeGreaterThanOrEqual(agreed.minDueUnits);
      expect(views[0]?.isPaused).toBe(false);
    });
  });

  it('never leaves what is final but by a mark, nor goes back from what is settled to what is not', () => {
    holds(({ history, acts }, { status }) => {
      const isMarked = acts.some(({ kind }) => kind === 'mark_invalid');
      if (history.status === 'final' && !isMarked) expect(status).toBe('final');
      if (history.status === 'settled') expect(['settled', 'final', 'invalid']).toContain(status);
      if (history.status === 'invalid' && history.settledAt !== null)
        expect(['invalid', 'settled', 'final']).toContain(status);
    });
  });

  it('accepts by itself only late money that nobody spoke on, where the policy says so, and enough of it', () => {
    let count = 0;
    const property = (input: CryptoInvoiceInput) => {
      const decision = decideCryptoInvoice(input);
      const { acceptable, status, flags } = decision;
      if (acceptable.length === 0) return;
      count += 1;
      expect([input.terms.policy.late, status, input.views[0]?.isPaused]).toEqual(['auto', 'expired', false]);
      for (const flag of ['double_spend_attempt', 'reorged'] as const) expect(flags).not.toContain(flag);
      const named = input.acts.flatMap((act) => ('paymentKeys' in act ? act.paymentKeys : []));
      for (const key of acceptable) {
        expect(named).not.toContain(key);
        const payment = decision.payments.find((each) => each.chain === 'bitcoin' && each.key === key);
        expect(payment).toMatchObject({ isLate: true, wrong: null, creditedUnits: 0n });
      }
      const act = {
        kind: 'accept' as const,
        paymentKeys: acceptable,
        at: input.now,
        rate: 'received' as const,
      };
      const history = historyOf(decision, input.history, input.now);
      const after = decideCryptoInvoice({ ...input, history, acts: [...input.acts, act] });
      expect(after.creditedUnits).toBeGreaterThanOrEqual(input.terms.minDueUnits);
      expect(['processing', 'settled', 'final']).toContain(after.status);
      expect(after.acceptable).toEqual([]);
    };
    fc.assert(fc.property(latelyPaid, property), { numRuns: 3_000, seed: 1 });
    expect(count).toBeGreaterThan(20);
  });

  it('expires and gives up only on a fresh view of a chain that is not paused', () => {
    holds(({ history, acts, views: [view], terms: agreed }, { status, flags, payments }) => {
      const isExpiry = status === 'expired' && history.status !== 'expired';
      const isGivenUp = status === 'invalid' && !isSettled(history.status) && history.status !== 'invalid';
      if ((!isExpiry && !isGivenUp) || acts.some(({ kind }) => kind === 'mark_invalid')) return;
      expect(view?.isPaused).toBe(false);
      expect(Date.parse(view?.freshUntil ?? '')).toBeGreaterThan(Date.parse(agreed.expiresAt));
      // Giving up is no double spend; another payment of the invoice may be one.
      const isAnySpent = payments.some((payment) => payment.status === 'double_spent');
      if (isGivenUp && flags.includes('double_spent')) expect(isAnySpent).toBe(true);
    });
  });

  it('stays the same until it wakes by the clock', () => {
    fc.assert(
      fc.property(anyInput, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (input, part) => {
        const [view, ...others] = input.views;
        if (view?.freshUntil !== input.now) return;
        const first = decideCryptoInvoice(input);
        const { wakeAt, ...decision } = first;
        const history = historyOf(first, input.history, input.now);
        const nowMs = Date.parse(input.now);
        const untilMs = wakeAt === null ? nowMs + 30 * 24 * 60 * MINUTE_MS : Date.parse(wakeAt) - 1000;
        const later = iso(nowMs + Math.floor((untilMs - nowMs) * part));
        const views = [view, ...others].map((each) => ({ ...each, freshUntil: later }));
        const {
          wakeAt: _,
          requiredDepth: __,
          ...after
        } = decideCryptoInvoice({ ...input, history, views, now: later });
        const { requiredDepth: ___, ...before } = decision;
        expect(after).toEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it('stays the same until it wakes by the height of its chain', () => {
    fc.assert(
      fc.property(anyInput, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (input, part) => {
        const [view, ...others] = input.views;
        if (view === undefined) return;
        const before = decideCryptoInvoice(input);
        const blocks = (before.wakeHeight ?? view.tipHeight + 200) - view.tipHeight;
        const tipHeight = view.tipHeight + Math.floor(blocks * part);
        const history = historyOf(before, input.history, input.now);
        const after = decideCryptoInvoice({ ...input, history, views: [{ ...view, tipHeight }, ...others] });
        expect([after.status, after.flags, after.confirmedUnits]).toEqual([
          before.status,
          before.flags,
          before.confirmedUnits,
        ]);
      }),
      { numRuns: 2_000 },
    );
  });
});
