/**
 * The state diagram of an invoice in coins, drawn from the rules themselves: every status is put into every situation, and what
 * it becomes in one step is an arrow, named by what the operator did or by the event that tells of it.
 */
import { type CryptoEventKind, eventsBetween, untouched } from '../../domain/payments/crypto-events.ts';
import {
  type CryptoAct,
  type CryptoInvoiceStatus,
  cryptoInvoiceStatuses,
  decideCryptoInvoice,
  isSettled,
  nextCryptoInvoiceStatus,
} from '../../domain/payments/crypto-invoice.ts';
import type { CryptoPayment } from '../../domain/payments/crypto-payment.ts';
import { at, inputOf, minedAt, paymentOf, termsOf } from './crypto-situation.ts';

/** Mermaid, one arrow a line, in the order of the statuses. */
export function stateDiagram(): string {
  const arrows = new Map<string, Set<string>>();
  for (const from of cryptoInvoiceStatuses) {
    for (const situation of situations()) {
      for (const settledAt of settledBefore(from)) {
        const given = { ...situation, history: { status: from, settledAt, flags: [] } };
        const to = nextCryptoInvoiceStatus(inputOf(given));
        if (to === from) continue;
        const isByItself = nextCryptoInvoiceStatus(inputOf({ ...given, acts: [] })) === to;
        const name = isByItself ? eventOf(given, to) : (situation.acts?.at(-1)?.kind ?? '');
        const arrow = `${from} --> ${to}`;
        arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(name));
      }
    }
  }
  const lines = [...arrows].map(([arrow, names]) => `  ${arrow}: ${[...names].sort().join(', ')}`);
  return ['stateDiagram-v2', '  [*] --> awaiting', ...lines, '  final --> [*]'].join('\n');
}

function settledBefore(status: CryptoInvoiceStatus): (string | null)[] {
  if (status === 'invalid') return [null, at('12:00')];
  return [isSettled(status) ? at('12:00') : null];
}

/** What tells of this one step. */
function eventOf(given: NonNullable<Situation>, to: CryptoInvoiceStatus): string {
  const decision = { ...decideCryptoInvoice(inputOf({ ...given, acts: [] })), status: to };
  const before = { ...untouched, status: given.history?.status ?? 'awaiting' };
  const kinds = eventsBetween(before, decision, { version: 1, reversals: 0 }).map(({ kind }) => kind);
  return kinds.find((kind) => tells.has(kind)) ?? '';
}

/** Events that speak of the status. */
const tells: ReadonlySet<CryptoEventKind> = new Set([
  'processing',
  'payment_reversed',
  'settled',
  'settlement_reversed',
  'finalised',
  'expired',
  'extended',
  'failed_to_confirm',
] as const);

type Situation = Parameters<typeof inputOf>[0];

function* situations(): Generator<NonNullable<Situation>> {
  const mined = { txid: 'a'.repeat(64), block: minedAt(98) };
  const payments: Record<string, readonly CryptoPayment[]> = {
    none: [],
    seen: [paymentOf()],
    late: [paymentOf({ effectiveAt: at('16:00'), seenAt: at('16:00') })],
    confirmed: [paymentOf(mined)],
    deep: [paymentOf({ ...mined, block: minedAt(1) })],
    lost: [paymentOf({ rival: { txid: 'b'.repeat(64), height: 90 } })],
  };
  const key = `${'a'.repeat(64)}:0`;
  const acts: readonly (readonly CryptoAct[])[] = [
    [],
    [{ kind: 'accept', paymentKeys: [key], at: at('20:00'), rate: 'locked' }],
    [{ kind: 'mark_settled', at: at('20:00'), txid: null }],
    [{ kind: 'mark_invalid', at: at('20:00'), txid: null }],
    [{ kind: 'cancel', at: at('20:00') }],
  ];
  for (const paid of Object.values(payments)) {
    for (const decided of acts) {
      for (const now of ['14:00', '21:00', '26h'])
        yield { terms: termsOf(), payments: paid, acts: decided, now };
    }
  }
}
