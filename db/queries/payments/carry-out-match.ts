/**
 * What a decision about a movement does: invoices are paid, credit is given, a credit that went back is undone, or it waits
 * for a person. Everything is in the caller's transaction, under the locks of the customers and of the movement, and with facts
 * that were read under them.
 *
 * Why it is safe to run twice: the row says which version of the movement was decided, in the transaction that carries the
 * decision out; whoever comes second finds it decided. A payment is named by its movement and its ordinal, so that it could not
 * be booked a second time either.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import { movesMoney, queueStatuses, statusAfter } from '../../../domain/payments/bank-movement.ts';
import type { AppliedRate } from '../../../domain/payments/exchange-rate.ts';
import type { DecisionOf, MatchDecision } from '../../../domain/payments/match-decision.ts';
import { returnCodeIn } from '../../../domain/payments/match-reversal.ts';
import { matchInWords } from '../../../domain/payments/match-sentence.ts';
import { startOfDay } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankAllocations } from '../../schema/banking.ts';
import { readInvoice } from '../billing/invoices.ts';
import { currentTenant } from '../tenants/tenants.ts';
import {
  addDecision,
  type BankDecisionRow,
  MATCHING,
  nextPaymentName,
  putDecisions,
  standingDecisions,
} from './bank-decisions.ts';
import { type BankMovementRow, markDecided, readMovement, updateMovement } from './bank-movements.ts';
import { tellBankOperators, tellOfCredit } from './bank-notices.ts';
import type { GatheredMovement } from './gather-match-facts.ts';
import { linkProofPayment, proofPaymentAwaiting } from './proof-payments.ts';
import { reconsiderReturns } from './reconsider-movements.ts';
import { type Settled, settlePayment } from './settle-payment.ts';
import { undoMatch } from './undo-match.ts';

export type DecidedMovement = { movement: GatheredMovement; decision: MatchDecision };

/** Carries out what moves money, or may have been about to. */
export async function carryOutMatch(
  tx: Tx,
  { movement, decision }: DecidedMovement,
  at: Date,
): Promise<void> {
  const { row, facts, input } = movement;
  if (row.leftToPeople || !movesMoney(decision)) return keepDecisions(tx, [{ movement, decision }], at);
  const { id, tenantId, version } = row;
  const { id: decisionId } = await addDecision(tx, { tenantId, transactionId: id, decision, at });
  const booking = { row, decisionId, day: decision.evidence.day, at };
  const decided = { status: statusAfter(decision), decidedVersion: version };
  switch (decision.kind) {
    case 'auto':
    case 'auto_over':
    case 'auto_combined':
    case 'auto_fx':
    case 'partial':
      await pay(tx, booking, decision);
      break;
    case 'proof_seen':
      await seeProof(tx, booking, decision);
      break;
    case 'duplicate_credit':
      await credit(tx, booking, { decision, rates: facts.rates });
      break;
    case 'reversal':
      await reverse(tx, { row, texts: input.transaction.texts, decision, at });
      await updateMovement(tx, id, decided);
      return;
    default:
      throw new Error(`Nothing is known of how ${decision.kind} moves money`);
  }
  await updateMovement(tx, id, { ...decided, allocatedMinor: row.amountMinor });
  await reconsiderReturns(tx, [row]);
}

/**
 * Keeps decisions that move no money, a constant number of statements for any number of them. Of one that is decided as before,
 * and of one that is left to people, nothing is written but that it was looked at. One of the same kind as before takes its
 * place, so that what waits for weeks has not a row for every change of what may be meant.
 */
export async function keepDecisions(tx: Tx, decided: readonly DecidedMovement[], at: Date): Promise<void> {
  const free = decided.filter(({ movement }) => !movement.row.leftToPeople);
  const standing = await standingDecisions(
    tx,
    free.map(({ movement }) => movement.row.id),
  );
  const news = free.filter(
    ({ movement: { row }, decision }) => !isDecidedSo(row, decision, standing.get(row.id)),
  );
  await putDecisions(
    tx,
    news.map(({ movement: { row }, decision }) => ({
      tenantId: row.tenantId,
      transactionId: row.id,
      decision,
      replacedId: replacedId(row, decision, standing.get(row.id)),
    })),
    at,
  );
  const byStatus = Map.groupBy(news, ({ decision }) => statusAfter(decision));
  for (const [status, each] of byStatus) await markDecided(tx, idsOf(each), status);
  const queued = queueStatuses.flatMap((status) => byStatus.get(status) ?? []);
  await reconsiderReturns(
    tx,
    queued.map(({ movement }) => movement.row),
  );
  await tellOfReturns(tx, { news, standing, at });
  // What people have taken over, and its source tells otherwise now, waits for them again.
  const toPeople = decided.filter(({ movement: { row } }) => row.leftToPeople && row.status === 'new');
  await markDecided(tx, idsOf(toPeople), 'unmatched', { isToldAnew: true });
  const others = decided.filter((each) => !news.includes(each) && !toPeople.includes(each));
  await markDecided(tx, idsOf(others), null);
}

/** Operators are told once of money out that may take money back, and books nothing by itself. */
async function tellOfReturns(
  tx: Tx,
  {
    news,
    standing,
    at,
  }: { news: readonly DecidedMovement[]; standing: ReadonlyMap<string, BankDecisionRow>; at: Date },
): Promise<void> {
  for (const { movement, decision } of news) {
    const { id, tenantId, version } = movement.row;
    if (!suspectsCredit(decision) || suspectsCredit(standing.get(id)?.decision)) continue;
    await tellBankOperators(tx, {
      tenantId,
      title: 'A bank transfer may have gone back',
      what: `${matchInWords(decision)} Nothing is to be done where it is a refund that is recorded. Where one of them went back, take its match back (unmatch) and ignore it: what it had paid is open again then.`,
      key: `bank_return_suspected:${id}:${version}`,
      at,
    });
  }
}

function suspectsCredit(decision: MatchDecision | null | undefined): boolean {
  return decision?.kind === 'ignore_outflow' && decision.suspectedCredits.length > 0;
}

function idsOf(decided: readonly DecidedMovement[]): string[] {
  return decided.map(({ movement }) => movement.row.id);
}

function isDecidedSo(
  row: BankMovementRow,
  decision: MatchDecision,
  standing: BankDecisionRow | undefined,
): boolean {
  if (row.status !== statusAfter(decision)) return false;
  return isDeepStrictEqual(standing?.decision, JSON.parse(JSON.stringify(decision)));
}

/** The standing decision, where the rules have said the same kind of thing, booked nothing of it, and nobody has acted since. */
function replacedId(
  { status }: BankMovementRow,
  decision: MatchDecision,
  standing: BankDecisionRow | undefined,
): string | null {
  if (standing?.decision?.kind !== decision.kind || movesMoney(standing.decision)) return null;
  return status === statusAfter(decision) ? standing.id : null;
}

export type MovementBooking = { row: BankMovementRow; decisionId: string; day: string; at: Date };

/**
 * Books a part of a movement, or all of it, as a payment of an invoice; what exceeds the invoice becomes the customer's credit.
 * `amount` is in the movement's currency.
 */
export async function bookOf(
  tx: Tx,
  { row, decisionId, day, at }: MovementBooking,
  {
    invoiceId,
    amount,
    rate,
    forgiveMinor,
  }: { invoiceId: string; amount: Money; rate: AppliedRate | null; forgiveMinor?: number },
): Promise<Settled> {
  const { id: transactionId, tenantId } = row;
  const { timeZone } = await currentTenant(tx);
  const dayBegins = new Date(startOfDay(day, timeZone));
  const settled = await settlePayment(tx, {
    tenantId,
    invoiceId,
    rail: 'bank',
    externalId: await nextPaymentName(tx, transactionId),
    amount,
    ...(rate !== null && { exchange: { rate } }),
    ...(forgiveMinor !== undefined && { forgiveMinor }),
    at,
    receivedAt: dayBegins < at ? dayBegins : at,
  });
  await tx.insert(bankAllocations).values({
    id: newId('bal'),
    tenantId,
    transactionId,
    decisionId,
    paymentId: settled.paymentId,
    invoiceId,
    amountMinor: amount.amountMinor,
  });
  return settled;
}

type PayingDecision = DecisionOf<'auto' | 'auto_over' | 'auto_combined' | 'auto_fx' | 'partial'>;

/** One invoice takes all that came, in whatever currency; of several each takes its own. */
async function pay(tx: Tx, booking: MovementBooking, decision: PayingDecision): Promise<void> {
  const { settlement, evidence } = decision;
  const { received, rate } = evidence;
  const isOne = settlement.allocations.length === 1;
  for (const { invoiceId, amountMinor } of settlement.allocations) {
    const amount = isOne ? received : money(amountMinor, settlement.currency);
    const { paymentId, excessMinor } = await bookOf(tx, booking, {
      invoiceId,
      amount,
      rate,
      forgiveMinor: settlement.writtenOffMinor,
    });
    if (excessMinor === 0) continue;
    const excess = money(excessMinor, settlement.currency);
    await tellOfCredit(tx, {
      template: 'bank_payment_over',
      invoiceId,
      paymentId,
      credit: excess,
      at: booking.at,
    });
  }
}

/** The money of a payment that was booked on a proof: it is that payment's, and nothing is booked. */
async function seeProof(
  tx: Tx,
  { row, decisionId }: MovementBooking,
  { invoiceId, evidence: { received } }: DecisionOf<'proof_seen'>,
): Promise<void> {
  const payment = await proofPaymentAwaiting(tx, { invoiceId, ...received });
  if (payment === null) throw new Error(`No payment on a proof of invoice ${invoiceId} waits for ${row.id}`);
  await linkProofPayment(tx, { tenantId: row.tenantId, transactionId: row.id, decisionId, payment });
}

/** Nothing is activated a second time; the customer and the operators choose what becomes of the money. */
async function credit(
  tx: Tx,
  booking: MovementBooking,
  { decision, rates }: { decision: DecisionOf<'duplicate_credit'>; rates: readonly AppliedRate[] },
): Promise<void> {
  const { invoiceId, credit: received } = decision;
  const { row, at } = booking;
  const invoice = await readInvoice(tx, invoiceId);
  const rate = rates.find(({ quote }) => quote === invoice.currency) ?? null;
  const { paymentId, excessMinor } = await bookOf(tx, booking, { invoiceId, amount: received, rate });
  const excess = money(excessMinor, invoice.currency);
  await tellOfCredit(tx, { template: 'bank_payment_duplicate', invoiceId, paymentId, credit: excess, at });
  await tellBankOperators(tx, {
    tenantId: row.tenantId,
    title: `Invoice ${invoice.number} was paid twice`,
    what: `${formatMoney(received)} came by bank transfer for invoice ${invoice.number}, which was paid before. It is credit of the customer and pays the next invoice; to give it back, refund payment ${paymentId}.`,
    key: `bank_duplicate:${paymentId}`,
    at,
  });
}

/** The credit is taken back whole, with everything that it had paid. */
async function reverse(
  tx: Tx,
  {
    row,
    texts,
    decision,
    at,
  }: { row: BankMovementRow; texts: readonly string[]; decision: DecisionOf<'reversal'>; at: Date },
): Promise<void> {
  const credited = await readMovement(tx, decision.creditId);
  const code = returnCodeIn(texts) ?? 'returned';
  const reason = `Reversed by ${row.id}`;
  const { undoneMinor } = await undoMatch(tx, credited, { code, by: MATCHING, reason, at });
  await updateMovement(tx, credited.id, { status: 'reversed', reversedAt: at });
  await tellBankOperators(tx, {
    tenantId: row.tenantId,
    title: 'A bank transfer went back',
    what: `${matchInWords(decision)} ${undoneMinor > 0 ? 'What it had paid is open again, and the customer is told.' : 'It had paid nothing.'}`,
    key: `bank_reversal:${row.id}:${row.version}`,
    at,
  });
}
