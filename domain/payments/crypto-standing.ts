/**
 * How each payment of an invoice stands, taken by itself and together: whether its coins are alive, how deep they lie, and
 * what they count for. Whether a transaction lives is read from the chain first: where a rival is mined, it is dead, whatever
 * mempool still shows it (knowledge: crypto invoices §1.2, §5.2).
 */
import { exponentOf } from '../money.ts';
import { type CryptoAsset, unitsPerCoin } from './crypto-asset.ts';
import { type ChainName, familyOf } from './crypto-chain.ts';
import { hoursMs, isOver } from './crypto-clock.ts';
import type { ChainView, CryptoAct, CryptoInvoiceInput, CryptoTerms } from './crypto-invoice.ts';
import type { CryptoPayment, CryptoPaymentStatus, CryptoRival } from './crypto-payment.ts';

export type Standing = {
  payment: CryptoPayment;
  status: CryptoPaymentStatus;
  isAlive: boolean;
  isMined: boolean;
  isLate: boolean;
  isDust: boolean;
  wrong: 'asset' | 'chain' | 'token' | null;
  /** In the smallest unit of what is due, where it counts; `creditedUnits` while it is alive as well. */
  countedUnits: bigint;
  creditedUnits: bigint;
  /** It was on time and right, or it was accepted; and nobody dismissed it. */
  isCounted: boolean;
  isAccepted: boolean;
  isDismissed: boolean;
  /** Alive, and an operator has to say what becomes of it. */
  isPending: boolean;
  confirmations: number;
  isDeep: boolean;
  isFinal: boolean;
  /** It was in the chain, and is out of it for good. */
  isLost: boolean;
  rival: CryptoRival | null;
  isRivalDeep: boolean;
  /** A transaction that pays us in its stead, be it another invoice. */
  replacedBy: string | null;
  /** Unconfirmed itself: the unconfirmed transaction it needs. */
  parent: string | null;
};

export type Standings = {
  /** Sorted by chain and key, each once. */
  all: Standing[];
  creditedUnits: bigint;
  confirmedUnits: bigint;
  lateUnits: bigint;
  /** In the chain, or out of it but not for good: what a settlement rests on. */
  securedUnits: bigint;
  /** So deep that it is never looked at again. */
  finalUnits: bigint;
  /** Something counts, and all of it is as deep. */
  isAllFinal: boolean;
  /** On the invoice's chain. */
  depths: Depths;
  isAttempted: boolean;
  isOrphaned: boolean;
  wasMined: boolean;
  hasAccepted: boolean;
  hasLate: boolean;
  /** Dust that would be enough together. */
  isDustEnough: boolean;
  /** Since when the longest-waiting one has waited for its first block, or for one again. */
  waitingSince: string | null;
};

export type Depth = number | 'finalized';

export type Depths = {
  /** Of a payment, before it settles anything. */
  payment: Depth;
  /** Of a rival, before it has won: caution is ours, the chain knows none. */
  rival: Depth;
  /** From which nothing is looked at again. */
  final: Depth;
};

export function standingsOf({ terms, payments, acts, views, now }: CryptoInvoiceInput): Standings {
  const unique = uniquePayments(payments);
  const relatives = relativesOf(unique);
  const clock = { now, views };
  const lives = unique.map((payment) => lifeOf(payment, relatives, terms, acts, clock));
  const living = lives.filter((life) => life.isCounted && life.isAlive);
  const sumUsd = sumOf(living, (life) => life.countedUnits) * BigInt(terms.usdMinor);
  const isAttempted = lives.some((life) => life.rival !== null && life.replacedBy === null && isAsked(life));
  const isLarge =
    terms.usdMinor >= terms.policy.largeUsdMinor ||
    sumUsd >= BigInt(terms.policy.largeUsdMinor) * terms.dueUnits;
  const depthsOn = (chain: ChainName): Depths => {
    const depth = terms.policy.depth[familyOf(chain)][isLarge || isAttempted ? 'large' : 'small'];
    return depthsBy(depth, viewOn(chain, views), terms, now);
  };
  const all = lives.map((life) => standingOf(life, depthsOn(life.payment.chain), terms, clock));
  const counted = all.filter((each) => each.isCounted);
  const credited = counted.filter((each) => each.creditedUnits > 0n);
  const waiting = credited.filter((each) => !each.isMined);
  const orphans = counted.filter(isOrphan);
  const late = all.filter((each) => each.isAlive && each.isLate && isAsked(each));
  return {
    all,
    creditedUnits: sumOf(all, (each) => each.creditedUnits),
    confirmedUnits: sumOf(
      credited.filter((each) => each.isDeep),
      (each) => each.creditedUnits,
    ),
    lateUnits: sumOf(
      late.filter((each) => each.isPending),
      (each) => each.payment.units,
    ),
    securedUnits: sumOf(
      all.filter((each) => !each.isLost && (each.isMined || each.payment.orphanedAt !== null)),
      (each) => each.countedUnits,
    ),
    finalUnits: sumOf(
      credited.filter((each) => each.isFinal),
      (each) => each.creditedUnits,
    ),
    isAllFinal: credited.length > 0 && orphans.length === 0 && credited.every((each) => each.isFinal),
    depths: depthsOn(terms.chain),
    isAttempted,
    isOrphaned: orphans.length > 0,
    wasMined: credited.some((each) => each.isMined || each.payment.orphanedAt !== null),
    hasAccepted: credited.some((each) => each.isAccepted),
    hasLate: late.some((each) => !each.isDismissed),
    isDustEnough: isDustEnough(all, terms),
    waitingSince: firstOf(waiting.map(({ payment }) => payment.orphanedAt ?? payment.effectiveAt)),
  };
}

/** How a payment stands before it is known how deep it has to lie. */
type Life = Pick<
  Standing,
  | 'payment'
  | 'isAlive'
  | 'isLate'
  | 'isDust'
  | 'wrong'
  | 'countedUnits'
  | 'isCounted'
  | 'isAccepted'
  | 'isDismissed'
  | 'rival'
  | 'replacedBy'
> & { isDropped: boolean };

type Clock = { now: string; views: readonly ChainView[] };

function lifeOf(
  payment: CryptoPayment,
  relatives: Relatives,
  terms: CryptoTerms,
  acts: readonly CryptoAct[],
  { now, views }: Clock,
): Life {
  const rival = rivalOf(payment, relatives);
  const isOurs =
    rival?.isOurs === true ||
    relatives.withTxid(payment.chain, rival?.txid ?? '').some(({ asset }) => asset !== null);
  const isDropped = isGone(payment, terms, viewOn(payment.chain, views), now);
  const isLate = Date.parse(payment.effectiveAt) > Date.parse(terms.expiresAt);
  const isDust = isDustOf(payment, terms);
  const wrong = wrongOf(payment, terms);
  const { acceptedAt, isDismissed } = wordOn(payment, acts);
  const isRight = wrong === null && !isLate && !isDust;
  const worth = () => (isRight ? payment.units : worthOf(payment, acceptedAt ?? 'locked', terms));
  const acceptedUnits = acceptedAt === null ? null : worth();
  const countedUnits = isRight ? payment.units : (acceptedUnits ?? 0n);
  return {
    payment,
    isAlive: livesOn(payment, rival, isDropped),
    isDropped,
    isLate,
    isDust,
    wrong,
    countedUnits,
    isCounted: (isRight || acceptedUnits !== null) && !isDismissed,
    isAccepted: acceptedUnits !== null && !isDismissed,
    isDismissed,
    rival,
    replacedBy: rival !== null && isOurs ? rival.txid : null,
  };
}

function standingOf(life: Life, depths: Depths, terms: CryptoTerms, { now, views }: Clock): Standing {
  const { payment, isAlive, rival } = life;
  const view = viewOn(payment.chain, views);
  const height = payment.block?.height ?? null;
  // A chain that is paused proves nothing; the invoice's own is asked about where that matters.
  const isTrusted = life.wrong !== 'chain' || view?.isPaused === false;
  const isDeep = isAlive && isTrusted && isDeepAt(height, view, depths.payment);
  const isRivalDeep = rival !== null && isDeepAt(rival.height, view, depths.rival);
  const orphanedMs = Date.parse(payment.orphanedAt ?? '');
  const isOutForGood =
    isOrphanOf(payment) && isOver(orphanedMs + hoursMs(terms.policy.orphanedHours), view, now);
  // Elsewhere it is no money before it lies deep enough there.
  const isCredited = life.isCounted && isAlive && (life.wrong !== 'chain' || isDeep);
  const known = {
    ...life,
    isMined: height !== null && isAlive,
    confirmations: height === null || view === null ? 0 : Math.max(0, view.tipHeight - height + 1),
    isDeep,
    isFinal: isAlive && isDeepAt(height, view, depths.final),
    isRivalDeep,
    isLost: isRivalDeep || isOutForGood,
    creditedUnits: isCredited ? life.countedUnits : 0n,
    parent: height === null && isAlive ? payment.unconfirmedParent : null,
    isPending: isAlive && !life.isCounted && !life.isDismissed && !life.isDust && life.wrong !== 'token',
  };
  return { ...known, status: statusOf(known) };
}

function statusOf(standing: Omit<Standing, 'status'> & Pick<Life, 'isDropped'>): CryptoPaymentStatus {
  const { payment, rival } = standing;
  if (!standing.isAlive) {
    if (standing.replacedBy !== null) return 'replaced';
    if (standing.isRivalDeep) return 'double_spent';
    if (rival !== null) return payment.orphanedAt === null ? 'replaced' : 'orphaned';
    return standing.isDropped ? 'dropped' : 'orphaned';
  }
  if (!standing.isAccepted) {
    if (standing.isDust) return 'ignored_dust';
    if (standing.wrong !== null) return 'unexpected_asset';
  }
  if (standing.isDeep) return 'confirmed';
  if (standing.isMined) return 'mined';
  return payment.orphanedAt === null ? 'seen' : 'orphaned';
}

/** A payment that was mined and is not, that may be mined again. */
function isOrphan({ payment, isLost }: Standing): boolean {
  return isOrphanOf(payment) && !isLost;
}

function isOrphanOf({ block, orphanedAt }: CryptoPayment): boolean {
  return block === null && orphanedAt !== null;
}

/** Back in the mempool, an orphan lives as any transaction that waits; nowhere to be seen, it does not. */
function livesOn(payment: CryptoPayment, rival: CryptoRival | null, isDropped: boolean): boolean {
  if (rival !== null && rival.height !== null) return false;
  if (payment.block !== null) return true;
  if (rival !== null || isDropped || payment.seenAt === null) return false;
  return payment.orphanedAt === null || Date.parse(payment.seenAt) >= Date.parse(payment.orphanedAt);
}

/** In no block, and not seen for so long that it is given up; as far as we have looked. */
function isGone(payment: CryptoPayment, terms: CryptoTerms, view: ChainView | null, now: string): boolean {
  if (payment.block !== null) return false;
  const { seenAt, orphanedAt } = payment;
  if (seenAt === null && orphanedAt === null) return true;
  return isOver(lastSeenMs(payment) + hoursMs(terms.policy.droppedHours), view, now);
}

/** When a payment that is in no block was last anywhere. */
export function lastSeenMs({ seenAt, orphanedAt, effectiveAt }: CryptoPayment): number {
  return Math.max(...[seenAt, orphanedAt, effectiveAt].map((at) => (at === null ? 0 : Date.parse(at))));
}

/**
 * What uses up what a payment needs. Two payments of one customer may be rivals, and a parent that is replaced takes its
 * child along; the word of a block goes before that of a mempool.
 */
function rivalOf(
  payment: CryptoPayment,
  relatives: Relatives,
  children: readonly string[] = [],
): CryptoRival | null {
  const { chain, block, txid, unconfirmedParent } = payment;
  const own = payment.rival && {
    ...payment.rival,
    height: payment.rival.height ?? minedAt(relatives.withTxid(chain, payment.rival.txid)),
  };
  // In a block itself, it has won over what is in none.
  if (block !== null || (own !== null && own.height !== null)) return own;
  const winner = relatives.minedOver(chain, txid);
  if (winner !== null) return { txid: winner.txid, height: minedAt([winner]) };
  const parent = unconfirmedParent === null ? [] : relatives.withTxid(chain, unconfirmedParent);
  const [unmined] = parent.filter((each) => each.block === null && !children.includes(each.txid));
  return (unmined && rivalOf(unmined, relatives, [...children, txid])) ?? own;
}

function minedAt(payments: readonly CryptoPayment[]): number | null {
  return payments.find(({ block }) => block !== null)?.block?.height ?? null;
}

/** Of an invoice's payments those that share a transaction, or rival one; looked up, since strangers can send thousands. */
type Relatives = {
  withTxid(chain: ChainName, txid: string): readonly CryptoPayment[];
  /** The mined one that names this transaction as its rival. */
  minedOver(chain: ChainName, txid: string): CryptoPayment | null;
};

function relativesOf(payments: readonly CryptoPayment[]): Relatives {
  const byTxid = Map.groupBy(payments, ({ chain, txid }) => `${chain} ${txid}`);
  const byRival = Map.groupBy(
    payments.filter(({ block, rival }) => block !== null && rival !== null),
    ({ chain, rival }) => `${chain} ${rival?.txid}`,
  );
  return {
    withTxid: (chain, txid) => byTxid.get(`${chain} ${txid}`) ?? [],
    minedOver: (chain, txid) => byRival.get(`${chain} ${txid}`)?.[0] ?? null,
  };
}

function wrongOf({ chain, asset }: CryptoPayment, terms: CryptoTerms): Standing['wrong'] {
  if (asset === null) return 'token';
  if (chain !== terms.chain) return 'chain';
  return asset === terms.asset ? null : 'asset';
}

/** The last word of an operator on a payment; that it was accepted once is kept. */
function wordOn({ key }: CryptoPayment, acts: readonly CryptoAct[]) {
  let acceptedAt: 'locked' | 'received' | null = null;
  let isDismissed = false;
  for (const act of acts) {
    if ((act.kind !== 'accept' && act.kind !== 'dismiss') || !act.paymentKeys.includes(key)) continue;
    isDismissed = act.kind === 'dismiss';
    if (act.kind === 'accept') acceptedAt = act.rate;
  }
  return { acceptedAt, isDismissed };
}

/** What an accepted payment counts for, in units of what is due, rounded down; null where nobody knows its worth. */
export function worthOf(
  payment: CryptoPayment,
  rate: 'locked' | 'received',
  terms: CryptoTerms,
): bigint | null {
  if (payment.asset === null) return null;
  if (payment.asset === terms.asset && rate === 'locked') return payment.units;
  const value = usdMinorOf(payment.units, payment.asset, payment.usdRate);
  return value && (value.numerator * terms.dueUnits) / (value.denominator * BigInt(terms.usdMinor));
}

/** Worth less than a dollar when it came, and not enough for the invoice (row 13). */
function isDustOf(payment: CryptoPayment, terms: CryptoTerms): boolean {
  if (payment.asset === null) return false;
  const isRight = wrongOf(payment, terms) === null;
  if (isRight && payment.units >= terms.minDueUnits) return false;
  const locked = { numerator: payment.units * BigInt(terms.usdMinor), denominator: terms.dueUnits };
  const value = usdMinorOf(payment.units, payment.asset, payment.usdRate) ?? (isRight ? locked : null);
  return value !== null && value.numerator < BigInt(terms.policy.dustUsdMinor) * value.denominator;
}

/** Below this an output of Bitcoin is not worth what it costs to spend it: it counts for nothing together, either. */
const RELAY_DUST_SAT = 546n;

function isDustEnough(all: readonly Standing[], terms: CryptoTerms): boolean {
  const dust = all.filter(
    (each) =>
      each.status === 'ignored_dust' &&
      each.wrong === null &&
      !each.isDismissed &&
      (terms.asset !== 'BTC' || each.payment.units > RELAY_DUST_SAT),
  );
  return sumOf(dust, (each) => each.payment.units) >= terms.minDueUnits;
}

const rateForm = /^(\d{1,30})(?:[.](\d{1,30}))?$/;

/** Cents of US dollars, exactly; null without a rate. Throws a `RangeError` for what is no rate. */
function usdMinorOf(units: bigint, asset: CryptoAsset, usdRate: string | null) {
  if (usdRate === null) return null;
  const [, whole = '', decimals = ''] = rateForm.exec(usdRate) ?? [];
  if (whole === '') throw new RangeError(`Not a rate in US dollars: ${usdRate}`);
  return {
    numerator: units * BigInt(whole + decimals) * 10n ** BigInt(exponentOf('USD')),
    denominator: unitsPerCoin(asset) * 10n ** BigInt(decimals.length),
  };
}

/** A block at this height is the first of its confirmations. */
export function isDeepAt(height: number | null, view: ChainView | null, depth: Depth): boolean {
  if (height === null || view === null) return false;
  if (depth === 'finalized') return view.finalizedHeight !== null && height <= view.finalizedHeight;
  return view.tipHeight - height + 1 >= depth;
}

/** Twice the depth for a while after the chain was paused; a chain's own finality stays what it is, and where it has none, depth does. */
function depthsBy(depth: Depth, view: ChainView | null, { policy }: CryptoTerms, now: string): Depths {
  const final: Depth = view?.finalizedHeight === null ? policy.finalDepth : 'finalized';
  if (depth === 'finalized') return { payment: final, rival: final, final };
  const until = view?.cautiousUntil ?? null;
  const isCautious = until !== null && Date.parse(now) < Date.parse(until);
  return { payment: isCautious ? depth * 2 : depth, rival: depth, final };
}

/** What the invoice asks for, be it late. */
export function isAsked({ wrong, isDust }: Pick<Standing, 'wrong' | 'isDust'>): boolean {
  return wrong === null && !isDust;
}

function viewOn(chain: ChainName, views: readonly ChainView[]): ChainView | null {
  return views.find((view) => view.chain === chain) ?? null;
}

function uniquePayments(payments: readonly CryptoPayment[]): CryptoPayment[] {
  const unique = new Map(payments.map((payment) => [`${payment.chain} ${payment.key}`, payment]));
  return [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, payment]) => payment);
}

function sumOf<T>(items: readonly T[], unitsIn: (item: T) => bigint): bigint {
  return items.reduce((sum, item) => sum + unitsIn(item), 0n);
}

function firstOf(instants: readonly string[]): string | null {
  const [first] = instants.toSorted((a, b) => Date.parse(a) - Date.parse(b));
  return first ?? null;
}
