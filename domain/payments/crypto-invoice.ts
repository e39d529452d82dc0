/**
 * What an invoice paid in coins is worth at this moment: its status and flags, computed anew from all its payments whenever
 * one of them changes, the chain grows, or time passes. Nothing is added up step by step, so that an event that comes twice,
 * late or out of order changes nothing (seed 002 §3.2, §8.1).
 *
 * Why it is safe to run twice: the decision follows from its input alone, and from its own result and the same payments it
 * decides the same again. What it leads to is done once, by the keys of `crypto-events.ts`.
 */
import type { CryptoAsset } from './crypto-asset.ts';
import type { ChainName } from './crypto-chain.ts';
import { clocksOf, isOver, MINUTE_MS } from './crypto-clock.ts';
import { acceptableOf } from './crypto-late.ts';
import type { CryptoPayment, CryptoPaymentStatus } from './crypto-payment.ts';
import type { CryptoPolicy } from './crypto-policy.ts';
import { isAsked, type Standing, type Standings, standingsOf } from './crypto-standing.ts';
import { wakeOf } from './crypto-wake.ts';

export const cryptoInvoiceStatuses = [
  'awaiting',
  'processing',
  'settled',
  'final',
  'expired',
  'invalid',
  'cancelled',
] as const;

export type CryptoInvoiceStatus = (typeof cryptoInvoiceStatuses)[number];

export const cryptoInvoiceFlags = [
  'partial',
  'within_tolerance',
  'over',
  'late',
  'replaced',
  'reorged',
  'double_spent',
  'double_spend_attempt',
  'unconfirmed_parent',
  'wrong_asset',
  'wrong_chain',
  'dust',
  'review',
  'marked',
  'paused',
  'slow_confirm',
  'confirmation_overdue',
] as const;

export type CryptoInvoiceFlag = (typeof cryptoInvoiceFlags)[number];

/** What was agreed with the customer; an extension is a new quote with terms of its own. */
export type CryptoTerms = {
  chain: ChainName;
  asset: CryptoAsset;
  /** What is asked for, and what is enough, in the smallest unit. */
  dueUnits: bigint;
  minDueUnits: bigint;
  /** The invoice's value in US dollars, which the depth follows; cents. */
  usdMinor: number;
  expiresAt: string;
  policy: CryptoPolicy;
};

/** How far we have read a chain. */
export type ChainView = {
  chain: ChainName;
  tipHeight: number;
  /** Of the chain's own finality; null where it has none. */
  finalizedHeight: number | null;
  /** When the last poll that was read to its end had begun: what happened before it is known. Null before the first. */
  freshUntil: string | null;
  isPaused: boolean;
  /** Until then depths are doubled: the chain was paused a short while ago. */
  cautiousUntil: string | null;
};

/** What operators, or the policy for late money, decided about an invoice, in the order in which they did. */
export type CryptoAct =
  /** Money that waits for a decision counts: as many units as came, or what they were worth when they came. */
  | { kind: 'accept'; paymentKeys: string[]; at: string; rate: 'locked' | 'received' }
  /** It counts no (longer): it goes back, or nobody wants it. */
  | { kind: 'dismiss'; paymentKeys: string[]; at: string }
  /**
   * Stands until the next mark; `mark_invalid` and `cancel` only until money is accepted. `isVouched`: nothing here says that
   * the transaction pays enough, somebody does.
   */
  | { kind: 'mark_settled' | 'mark_invalid'; at: string; txid: string | null; isVouched?: boolean }
  /** Of what is not paid; one that is being paid or was paid is not cancelled. */
  | { kind: 'cancel'; at: string };

/** What the row remembers of earlier decisions. */
export type CryptoHistory = {
  status: CryptoInvoiceStatus;
  /** When it settled last; kept when the settlement is reversed, since coins that come back settle it again. */
  settledAt: string | null;
  flags: readonly CryptoInvoiceFlag[];
};

/** A payment as the decision sees it. */
export type DecidedPayment = {
  key: string;
  chain: ChainName;
  txid: string;
  asset: CryptoAsset | null;
  units: bigint;
  status: CryptoPaymentStatus;
  isLate: boolean;
  /** On its own chain; 0 while it is in no block. */
  confirmations: number;
  /** What of it is in `creditedUnits`; 0n for what counts for nothing. */
  creditedUnits: bigint;
  /** What it counts for wherever it is, so also while it is out of the chain; 0n for what counts for nothing. */
  countedUnits: bigint;
  /** Why it is not what was asked for: another asset of ours, another chain, or a token that is none of ours. */
  wrong: 'asset' | 'chain' | 'token' | null;
  /** The transaction that pays us in its stead, be it another invoice. */
  replacedBy: string | null;
};

export type CryptoDecision = {
  status: CryptoInvoiceStatus;
  /** In the order of `cryptoInvoiceFlags`. */
  flags: CryptoInvoiceFlag[];
  /** On time (or accepted) and alive, and of that what is deep enough. */
  creditedUnits: bigint;
  confirmedUnits: bigint;
  /**
   * In the chain, or out of it but not for good: what a settlement rests on. What is due at least, where an operator marked
   * the invoice as settled.
   */
  securedUnits: bigint;
  /** Keys of late payments that are to be accepted by themselves, if the invoice still is to be paid. Empty as usual. */
  acceptable: string[];
  /** Alive but too late, not accepted by anybody. */
  lateUnits: bigint;
  /** More than is due, to the unit; 0n where it is no more than rounding, see `over`. */
  excessUnits: bigint;
  /** Still missing of what is due; 0n where enough came. */
  missingUnits: bigint;
  /** On the invoice's chain. */
  requiredDepth: number | 'finalized';
  /** Sorted by chain and key. */
  payments: DecidedPayment[];
  /** While it is `processing`: since when the longest-waiting payment has waited for its first block; else null. */
  progressAt: string | null;
  /** When something changes although nothing happens: the expiry, the end of the watch; null where nothing does. */
  wakeAt: string | null;
  /** The height of the chain from which it has to be decided again; null where blocks change nothing. */
  wakeHeight: number | null;
};

export type CryptoInvoiceInput = {
  terms: CryptoTerms;
  history: CryptoHistory;
  payments: readonly CryptoPayment[];
  /** In the order in which they were decided. */
  acts: readonly CryptoAct[];
  /** Of the invoice's chain, and of every other one it was paid on; payments on a chain without a view are not confirmed. */
  views: readonly ChainView[];
  /** UTC instant. */
  now: string;
};

/**
 * The whole decision. Throws a `RangeError` where the terms are none or the view of the invoice's own chain is missing.
 * The transitions are those of the knowledge on crypto invoices, §1.7, taken one after the other until none applies.
 */
export function decideCryptoInvoice(input: CryptoInvoiceInput): CryptoDecision {
  const view = viewOf(input);
  const standings = standingsOf(input);
  const situation = situationOf(input, view, standings);
  const { status, wasSettled } = settleDown(situation);
  const flags = flagsOf(situation, status, wasSettled);
  const excessUnits = flags.includes('over') ? standings.creditedUnits - input.terms.dueUnits : 0n;
  const isEnough = standings.creditedUnits >= input.terms.minDueUnits;
  return {
    status,
    flags,
    creditedUnits: standings.creditedUnits,
    confirmedUnits: standings.confirmedUnits,
    securedUnits: securedOf(situation),
    acceptable: acceptableOf({ terms: input.terms, standings, status, isPaused: view.isPaused }),
    lateUnits: standings.lateUnits,
    excessUnits,
    missingUnits: isEnough ? 0n : input.terms.dueUnits - standings.creditedUnits,
    requiredDepth: standings.depths.payment,
    payments: standings.all.map(asDecided),
    progressAt: status === 'processing' ? standings.waitingSince : null,
    ...wakeOf({ input, view, standings, status }),
  };
}

/** The first transition alone: what follows from the status that is remembered. The same status where none applies. */
export function nextCryptoInvoiceStatus(input: CryptoInvoiceInput): CryptoInvoiceStatus {
  const situation = situationOf(input, viewOf(input), standingsOf(input));
  return after(situation.history.status, situation, situation.history.settledAt !== null);
}

/** Of what pays us again, or of what is mined: its own time, or that of what it replaces, whichever came first (§1.4). */
export function inheritedEffectiveAt(
  own: { firstObservedAt: string; blockTime: string | null },
  earlier: readonly string[] = [],
): string {
  const instants = [own.firstObservedAt, ...(own.blockTime === null ? [] : [own.blockTime]), ...earlier];
  return instants.reduce((first, each) => (Date.parse(each) < Date.parse(first) ? each : first));
}

function viewOf({ terms, views }: CryptoInvoiceInput): ChainView {
  if (terms.dueUnits < 1n || terms.minDueUnits < 1n || terms.minDueUnits > terms.dueUnits) {
    throw new RangeError(
      `What is enough must lie between 1 and what is due: ${terms.minDueUnits} of ${terms.dueUnits}`,
    );
  }
  if (!Number.isSafeInteger(terms.usdMinor) || terms.usdMinor < 1) {
    throw new RangeError(`The value of an invoice is at least one cent of US dollars: ${terms.usdMinor}`);
  }
  const view = views.find((each) => each.chain === terms.chain);
  if (view === undefined) {
    throw new RangeError(`An invoice on ${terms.chain} needs the view of that chain: pass it in views`);
  }
  return view;
}

/** The last word of an operator on the whole invoice. */
type Ruling = 'mark_settled' | 'mark_invalid' | 'cancel' | null;

/** All that the transitions look at. */
type Situation = {
  history: CryptoHistory;
  terms: CryptoTerms;
  standings: Standings;
  isPaused: boolean;
  ruling: Ruling;
  /** Before the expiry, or at it. */
  isOpen: boolean;
  /** The expiry, and the end of the watch, are over for certain: on a view that is fresh. */
  isExpired: boolean;
  isWatchOver: boolean;
  isSlow: boolean;
  isOverdue: boolean;
};

function situationOf(input: CryptoInvoiceInput, view: ChainView, standings: Standings): Situation {
  const { terms, history, now } = input;
  const clocks = clocksOf(terms);
  const waitedMinutes =
    standings.waitingSince === null ? 0 : (Date.parse(now) - Date.parse(standings.waitingSince)) / MINUTE_MS;
  return {
    history,
    terms,
    standings,
    isPaused: view.isPaused,
    ruling: rulingOf(input.acts),
    isOpen: Date.parse(now) <= Date.parse(terms.expiresAt),
    isExpired: isOver(clocks.expiresMs, view, now),
    isWatchOver: isOver(clocks.monitorUntilMs, view, now),
    isSlow: waitedMinutes >= terms.policy.slowMinutes,
    isOverdue: waitedMinutes >= terms.policy.confirmationTimeoutMinutes,
  };
}

function rulingOf(acts: readonly CryptoAct[]): Ruling {
  let ruling: Ruling = null;
  for (const { kind } of acts) {
    if (kind === 'mark_settled' || kind === 'mark_invalid' || kind === 'cancel') ruling = kind;
    if (kind === 'accept' && ruling !== 'mark_settled') ruling = null;
  }
  return ruling;
}

function settleDown(situation: Situation): { status: CryptoInvoiceStatus; wasSettled: boolean } {
  let status = situation.history.status;
  let wasSettled = situation.history.settledAt !== null;
  // No path through the statuses is longer than there are statuses.
  for (let left = cryptoInvoiceStatuses.length; left > 0; left -= 1) {
    const next = after(status, situation, wasSettled);
    if (next === status) break;
    status = next;
    wasSettled ||= next === 'settled';
  }
  return { status, wasSettled };
}

/** The first transition that applies; the same status where none does. */
function after(status: CryptoInvoiceStatus, situation: Situation, wasSettled: boolean): CryptoInvoiceStatus {
  const { ruling } = situation;
  if (ruling === 'mark_invalid') return 'invalid';
  if (ruling === 'mark_settled' && status !== 'settled' && status !== 'final') return 'settled';
  switch (status) {
    case 'awaiting':
      return afterAwaiting(situation);
    case 'processing':
      return afterProcessing(situation);
    case 'settled':
      return afterSettled(situation);
    case 'final':
      return 'final';
    case 'expired':
      return afterExpired(situation);
    case 'invalid':
      return afterInvalid(situation, wasSettled);
    case 'cancelled':
      return isCredited(situation) && situation.standings.hasAccepted ? 'processing' : 'cancelled';
  }
}

function afterAwaiting(situation: Situation): CryptoInvoiceStatus {
  if (isCredited(situation)) return 'processing';
  if (situation.ruling === 'cancel') return 'cancelled';
  return situation.isExpired ? 'expired' : 'awaiting';
}

function afterProcessing(situation: Situation): CryptoInvoiceStatus {
  const { standings } = situation;
  // From there it expires, where it has to, on a view that is fresh.
  if (!isCredited(situation)) return 'awaiting';
  if (isConfirmed(situation)) return 'settled';
  const isHopeless = situation.isWatchOver && !standings.wasMined && !standings.hasAccepted;
  return isHopeless ? 'invalid' : 'processing';
}

/** Never back to `processing`: what has been given is taken back only when the coins are gone for good. */
function afterSettled(situation: Situation): CryptoInvoiceStatus {
  const { standings, terms, ruling } = situation;
  const isMarked = ruling === 'mark_settled';
  if (!isMarked && standings.securedUnits < terms.minDueUnits) return 'invalid';
  if (situation.isPaused) return 'settled';
  const isFinal = standings.finalUnits >= terms.minDueUnits || (isMarked && standings.isAllFinal);
  return isFinal ? 'final' : 'settled';
}

function afterExpired(situation: Situation): CryptoInvoiceStatus {
  // It was extended.
  if (situation.isOpen) return 'awaiting';
  const mayStill = !situation.isWatchOver || situation.standings.hasAccepted;
  if (isCredited(situation) && mayStill) return 'processing';
  return situation.ruling === 'cancel' ? 'cancelled' : 'expired';
}

/** Coins that were lost after the settlement and are deep in the chain again settle it again, and so does money accepted. */
function afterInvalid(situation: Situation, wasSettled: boolean): CryptoInvoiceStatus {
  if (wasSettled) return situation.ruling === null && isConfirmed(situation) ? 'settled' : 'invalid';
  return isCredited(situation) && situation.standings.hasAccepted ? 'processing' : 'invalid';
}

function securedOf({ standings: { securedUnits }, terms: { dueUnits }, ruling }: Situation): bigint {
  return ruling === 'mark_settled' && securedUnits < dueUnits ? dueUnits : securedUnits;
}

function isCredited({ standings, terms }: Situation): boolean {
  return standings.creditedUnits >= terms.minDueUnits;
}

function isConfirmed({ standings, terms, isPaused }: Situation): boolean {
  return standings.confirmedUnits >= terms.minDueUnits && !isPaused;
}

function flagsOf(
  situation: Situation,
  status: CryptoInvoiceStatus,
  wasSettled: boolean,
): CryptoInvoiceFlag[] {
  const { standings, terms, ruling } = situation;
  const { creditedUnits, all } = standings;
  const isPaid = status === 'processing' || isSettled(status);
  const isShort = creditedUnits > 0n && creditedUnits < terms.minDueUnits;
  const isLost = isSettled(status) && ruling !== 'mark_settled' && standings.securedUnits < terms.minDueUnits;
  const isReversed =
    status === 'invalid' && wasSettled && ruling !== 'mark_invalid' && !hasMovedOn(standings);
  const isTooLate = comesTooLate(situation, status, wasSettled);
  const isOpen = status === 'awaiting' || status === 'processing';
  const flags: Record<CryptoInvoiceFlag, boolean> = {
    partial: isShort && !isPaid,
    within_tolerance: isPaid && creditedUnits >= terms.minDueUnits && creditedUnits < terms.dueUnits,
    over: isMoreThanRounding(creditedUnits - terms.dueUnits, situation),
    late: standings.hasLate || isTooLate,
    replaced: all.some((each) => each.status === 'replaced' && isAsked(each)),
    reorged: isReorged(situation, status),
    double_spent: all.some((each) => each.status === 'double_spent' && isAsked(each)) || isReversed,
    double_spend_attempt: standings.isAttempted,
    unconfirmed_parent: all.some((each) => each.isCounted && each.isAlive && each.parent !== null),
    wrong_asset: all.some((each) => isNoticed(each) && each.wrong === 'asset'),
    wrong_chain: all.some((each) => isNoticed(each) && each.wrong === 'chain'),
    dust: all.some((each) => each.status === 'ignored_dust'),
    review:
      all.some((each) => each.isPending) ||
      standings.isDustEnough ||
      (isShort && status === 'expired') ||
      isTooLate ||
      isLost ||
      hasMoneyFor(status, standings),
    marked: ruling === 'mark_settled' || ruling === 'mark_invalid' || standings.hasAccepted,
    paused: situation.isPaused && isOpen,
    slow_confirm: status === 'processing' && situation.isSlow,
    confirmation_overdue: status === 'processing' && situation.isOverdue,
  };
  return cryptoInvoiceFlags.filter((flag) => flags[flag]);
}

/** All that is lost pays another invoice now: that is no double spend. */
function hasMovedOn({ all }: Standings): boolean {
  const lost = all.filter((each) => each.isCounted && each.isLost);
  return lost.length > 0 && lost.every(({ rival }) => rival?.isOurs === true);
}

/** Whether the customer has what was paid for. */
export function isSettled(status: CryptoInvoiceStatus): boolean {
  return status === 'settled' || status === 'final';
}

/** On time by its own clock, yet nobody waits for it any more: it is treated as late money is (§1.7, 5 and 6). */
function comesTooLate(situation: Situation, status: CryptoInvoiceStatus, wasSettled: boolean): boolean {
  if (status === 'expired') return isCredited(situation);
  const isGivenUp = status === 'invalid' && !wasSettled && situation.ruling !== 'mark_invalid';
  return isGivenUp && hasMoneyFor(status, situation.standings);
}

/** Money lies on an invoice that will not be settled: somebody has to say what becomes of it. */
function hasMoneyFor(status: CryptoInvoiceStatus, { all }: Standings): boolean {
  if (status === 'cancelled') return all.some((each) => each.isCounted && each.isAlive);
  return status === 'invalid' && all.some((each) => each.isCounted && each.isAlive && each.isMined);
}

/** In the chain no more; after a settlement until enough is deep in the chain again. */
function isReorged({ standings, history, terms, ruling }: Situation, status: CryptoInvoiceStatus): boolean {
  if (status === 'invalid' || status === 'cancelled') return false;
  if (standings.isOrphaned) return true;
  const wasReorged = history.flags.includes('reorged') && isSettled(status) && ruling !== 'mark_settled';
  return wasReorged && standings.confirmedUnits < terms.minDueUnits;
}

/** More than one unit for each output that could have been rounded, and more than a dollar (§1.7, 1). */
function isMoreThanRounding(excessUnits: bigint, { terms, standings }: Situation): boolean {
  const outputs = BigInt(standings.all.filter((each) => each.creditedUnits > 0n).length);
  const isWorthIt =
    excessUnits * BigInt(terms.usdMinor) > BigInt(terms.policy.excessUsdMinor) * terms.dueUnits;
  return excessUnits > outputs && isWorthIt;
}

function isNoticed(standing: Standing): boolean {
  return standing.isAlive && !standing.isDust && !standing.isDismissed;
}

function asDecided(standing: Standing): DecidedPayment {
  const { payment, status, isLate, confirmations, creditedUnits, wrong, replacedBy } = standing;
  const { key, chain, txid, asset, units } = payment;
  const countedUnits = standing.isCounted ? standing.countedUnits : 0n;
  return {
    key,
    chain,
    txid,
    asset,
    units,
    status,
    isLate,
    confirmations,
    creditedUnits,
    countedUnits,
    wrong,
    replacedBy,
  };
}
