/**
 * What happened to an invoice in coins, told from two decisions about it. Decisions say how things are; events say once what
 * became of them, for the customer, the operators and the books.
 *
 * Why it is safe to run twice: between a decision and itself nothing happened, and each event has a key under which it is kept
 * once for its invoice. A settlement and its reversal are numbered by the settlement, so that each is booked once however often
 * and by whomever it is decided; what can happen only once to a payment is keyed by that; all else by the invoice's version.
 */
import type { FailedTransfer } from './chain-node.ts';
import type { ChainName } from './crypto-chain.ts';
import {
  type CryptoDecision,
  type CryptoInvoiceFlag,
  type DecidedPayment,
  isSettled,
} from './crypto-invoice.ts';
import type { CryptoPaymentStatus } from './crypto-payment.ts';

export const cryptoEventKinds = [
  'payment_seen',
  'payment_replaced',
  'payment_dropped',
  'late_payment',
  'wrong_asset',
  'wrong_chain',
  'dust_ignored',
  'call_failed',
  'partial_payment',
  'processing',
  'payment_reversed',
  'settled',
  'settlement_reversed',
  'finalised',
  'expired',
  'extended',
  'cancelled',
  'failed_to_confirm',
  'over_paid',
  'unconfirmed_parent',
  'reorged',
  'reorg_healed',
  'double_spend_attempt',
  'double_spent',
  'slow_confirm',
  'confirmation_overdue',
  'review_opened',
  'review_closed',
  'marked',
  'paused',
  'resumed',
] as const;

export type CryptoEventKind = (typeof cryptoEventKinds)[number];

/** Amounts are decimal strings of smallest units, so that an event can be kept as JSON. */
export type CryptoEvent = {
  /** Unique for its invoice. */
  key: string;
  kind: CryptoEventKind;
  /** The payment it is about; null for the invoice as a whole. */
  payment: { chain: ChainName; key: string; txid: string; units: string } | null;
  /** On time and alive, the exact excess, and what is still missing, when it happened. */
  creditedUnits: string;
  excessUnits: string;
  missingUnits: string;
  /** Of `call_failed` only: why. */
  failure?: FailedTransfer['failure'];
};

/** What is kept of a decision, and is compared with the next. */
export type CryptoSnapshot = Pick<CryptoDecision, 'status' | 'flags' | 'creditedUnits' | 'excessUnits'> & {
  payments: readonly Pick<DecidedPayment, 'chain' | 'key' | 'status' | 'isLate'>[];
};

/** An invoice before anything happened to it. */
export const untouched: CryptoSnapshot = {
  status: 'awaiting',
  flags: [],
  creditedUnits: 0n,
  excessUnits: 0n,
  payments: [],
};

/**
 * In the order in which they are told. `version` is that of the invoice that `after` leads to; `reversals` how many of its
 * settlements were reversed before.
 */
export function eventsBetween(
  before: CryptoSnapshot,
  after: CryptoDecision,
  { version, reversals }: { version: number; reversals: number },
): CryptoEvent[] {
  const known = new Map(before.payments.map((payment) => [nameOf(payment), payment]));
  const ofPayments = after.payments.flatMap((payment) =>
    kindsOf(payment, known.get(nameOf(payment)) ?? null, after).map((kind) => ({ kind, payment })),
  );
  const ofInvoice = [
    ...moneyKinds(before, after),
    ...statusKinds(before, after),
    ...flagKinds(before, after),
  ].map((kind) => ({ kind, payment: null }));
  return [...ofPayments, ...ofInvoice].map(({ kind, payment }) => ({
    key: keyOf(kind, payment, { version, settlement: reversals + 1 }),
    kind,
    payment: payment && {
      chain: payment.chain,
      key: payment.key,
      txid: payment.txid,
      units: String(payment.units),
    },
    creditedUnits: String(after.creditedUnits),
    excessUnits: String(after.excessUnits),
    missingUnits: String(after.missingUnits),
  }));
}

/** Money moves in the books. */
export function needsBooks({ kind }: Pick<CryptoEvent, 'kind'>): boolean {
  return kind === 'settled' || kind === 'settlement_reversed';
}

/** Kept for the record: nobody has to be told, and nobody has to act. */
export function isHarmless({ kind }: Pick<CryptoEvent, 'kind'>): boolean {
  return harmless.has(kind);
}

const harmless: ReadonlySet<CryptoEventKind> = new Set([
  'payment_replaced',
  'payment_dropped',
  'dust_ignored',
  'finalised',
  'unconfirmed_parent',
  'reorg_healed',
  'review_closed',
  'paused',
  'resumed',
]);

/** These happen to a payment once; what a payment may lose and win again is told of the invoice. */
const oncePerPayment: ReadonlySet<CryptoEventKind> = new Set(['payment_seen', 'dust_ignored']);

function keyOf(
  kind: CryptoEventKind,
  payment: DecidedPayment | null,
  { version, settlement }: { version: number; settlement: number },
): string {
  if (needsBooks({ kind })) return `${kind}:${settlement}`;
  if (payment === null) return `${kind}:${version}`;
  const name = `${kind}:${nameOf(payment)}`;
  return oncePerPayment.has(kind) ? name : `${name}:${version}`;
}

function nameOf({ chain, key }: Pick<DecidedPayment, 'chain' | 'key'>): string {
  return `${chain}:${key}`;
}

const dead: ReadonlySet<CryptoPaymentStatus> = new Set(['replaced', 'double_spent', 'dropped']);

type Known = CryptoSnapshot['payments'][number] | null;

function kindsOf(payment: DecidedPayment, before: Known, after: CryptoDecision): CryptoEventKind[] {
  const { status } = payment;
  if (payment.wrong === 'token') return [];
  if (status !== before?.status && status === 'replaced') return ['payment_replaced'];
  if (status !== before?.status && status === 'dropped') return ['payment_dropped'];
  if (dead.has(status)) return [];
  const isNews = before === null || dead.has(before.status);
  if (status === 'ignored_dust') return before === null ? ['dust_ignored'] : [];
  if (status === 'unexpected_asset') {
    const kind = payment.wrong === 'chain' ? 'wrong_chain' : 'wrong_asset';
    return isNews ? [kind] : [];
  }
  if (payment.wrong !== null) return [];
  // What merely raises its fee is no second payment.
  const isReplacement = after.payments.some(
    (each) => each.replacedBy === payment.txid && each.chain === payment.chain,
  );
  if (isReplacement && before === null) return [];
  if (payment.isLate) return isNews || !before.isLate ? ['late_payment'] : [];
  return before === null ? ['payment_seen'] : [];
}

function moneyKinds(before: CryptoSnapshot, after: CryptoDecision): CryptoEventKind[] {
  const isShort = !isPaid(after.status) && after.missingUnits > 0n && !isSettled(before.status);
  const fell = after.creditedUnits < before.creditedUnits || before.status === 'processing';
  const rose = after.creditedUnits > before.creditedUnits;
  const isExcessNews = after.excessUnits > 0n && after.excessUnits !== before.excessUnits;
  return [
    ...(isShort && fell ? (['payment_reversed'] as const) : []),
    ...(isShort && rose ? (['partial_payment'] as const) : []),
    ...(isExcessNews ? (['over_paid'] as const) : []),
  ];
}

function isPaid(status: CryptoDecision['status']): boolean {
  return status === 'processing' || isSettled(status);
}

function statusKinds(before: CryptoSnapshot, after: CryptoDecision): CryptoEventKind[] {
  if (after.status === before.status) return [];
  switch (after.status) {
    case 'awaiting':
      return before.status === 'expired' ? ['extended'] : [];
    case 'processing':
      return ['processing'];
    case 'settled':
      return ['settled'];
    case 'final':
      return [...(isSettled(before.status) ? [] : (['settled'] as const)), 'finalised'];
    case 'expired':
      return ['expired'];
    case 'cancelled':
      return ['cancelled'];
    case 'invalid':
      if (isSettled(before.status)) return ['settlement_reversed'];
      return [after.flags.includes('marked') ? 'marked' : 'failed_to_confirm'];
  }
}

/** One that was out of the chain will not be in it again. */
function hasLostOrphan(before: CryptoSnapshot, after: CryptoDecision): boolean {
  const orphans = new Set(before.payments.filter(({ status }) => status === 'orphaned').map(nameOf));
  return after.payments.some((payment) => orphans.has(nameOf(payment)) && dead.has(payment.status));
}

/** What is told when a flag is set, and when it is taken away. */
const told: [flag: CryptoInvoiceFlag, set: CryptoEventKind, taken: CryptoEventKind | null][] = [
  ['unconfirmed_parent', 'unconfirmed_parent', null],
  ['reorged', 'reorged', 'reorg_healed'],
  ['double_spend_attempt', 'double_spend_attempt', null],
  ['double_spent', 'double_spent', null],
  ['slow_confirm', 'slow_confirm', null],
  ['confirmation_overdue', 'confirmation_overdue', null],
  ['review', 'review_opened', 'review_closed'],
  ['paused', 'paused', 'resumed'],
  ['marked', 'marked', null],
];

function flagKinds(before: CryptoSnapshot, after: CryptoDecision): CryptoEventKind[] {
  const isOver = after.status === 'invalid' || after.status === 'cancelled';
  const isMarkTold = after.status === 'invalid' && before.status !== 'invalid' && !isSettled(before.status);
  return told.flatMap(([flag, set, taken]) => {
    const [was, is] = [before.flags.includes(flag), after.flags.includes(flag)];
    if (was === is || (flag === 'marked' && isMarkTold)) return [];
    if (is) return [set];
    // What is lost does not heal, and on what is over nothing goes on.
    const isGone = (isOver && flag !== 'review') || (flag === 'reorged' && hasLostOrphan(before, after));
    return taken === null || isGone ? [] : [taken];
  });
}
