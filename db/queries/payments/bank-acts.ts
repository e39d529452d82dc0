/**
 * What people decide about movements: which invoices one pays, that it was matched wrongly, or that it is no customer's money.
 *
 * Why it is safe to run twice: an act is made under the locks of the customers and of the movement, which the matching takes
 * too, and refuses what the row says is done already. Of two people at once, and of a person and the rules, one comes first,
 * and the other hears of it.
 */
import { and, desc, eq, inArray, notLike, or } from 'drizzle-orm';
import { type DomainError, stateConflict } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { BankAct } from '../../../domain/payments/bank-act.ts';
import { dayOf } from '../../../domain/payments/match-facts.ts';
import { lookForMatches } from '../../../workflows/payments/bank-matching.contract.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { together } from '../../together.ts';
import { type InvoiceRow, readInvoices } from '../billing/invoices.ts';
import { lockCustomer, notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { addAct, standingAllocations } from './bank-decisions.ts';
import {
  type BankMovementRow,
  lockMovements,
  movementOf,
  readMovement,
  updateMovement,
} from './bank-movements.ts';
import { tellOfCredit } from './bank-notices.ts';
import { bookOf } from './carry-out-match.ts';
import { readRateOfOthers } from './exchange-rates.ts';
import { extendExpiredTransfers } from './extend-expired-transfers.ts';
import { type InvoicePart, planMatch } from './plan-match.ts';
import { linkProofPayment, proofPaymentName, proofPaymentsAwaiting } from './proof-payments.ts';
import { reconsiderReturns } from './reconsider-movements.ts';
import type { Settled } from './settle-payment.ts';
import { undoMatch } from './undo-match.ts';

type Asked = { transactionId: string; actor: string; at: Date };

export type MatchWish = Asked & {
  /** In this order; without amounts each gets what it is due, as far as the money goes. */
  invoices: readonly { invoiceId: string; amountMinor?: number | undefined }[];
  /** Whose credit the rest becomes; else it stays with the movement. */
  creditCustomerId?: string | undefined;
  /** Money in another currency than the invoice's counts at the rate of its day. */
  convert?: boolean | undefined;
  reason?: string | undefined;
};

export type MatchedByHand = {
  row: BankMovementRow;
  payments: {
    paymentId: string;
    /** `proven`: the payment was booked on a proof before, and this is its money. */
    outcome: Settled['outcome'] | 'proven';
    invoiceId: string;
    amountMinor: number;
  }[];
};

/**
 * Throws `not_found`, and `state_conflict` with the reasons `money_out`, `not_booked`, `copy_suspected`, `taken_back`,
 * `already_matched`, `being_decided`, `nothing_to_match`, `invoice_named_twice`, `invoice_not_open`, `currency_mismatch`, `above_due`, `above_movement`, `nothing_left`,
 * `no_invoice_for_credit`, `second_person_required`, `exchange_rate_missing` and `exchange_rate_unusable`.
 */
export async function matchByHand(tx: Tx, wish: MatchWish): Promise<MatchedByHand> {
  const { transactionId, actor, creditCustomerId, at } = wish;
  await readMovement(tx, transactionId);
  const invoiceIds = wish.invoices.map(({ invoiceId }) => invoiceId);
  refuseUnclear(invoiceIds, creditCustomerId);
  const named = await readInvoices(tx, invoiceIds);
  const customerIds = new Set(named.map(({ customerId }) => customerId));
  if (creditCustomerId !== undefined) customerIds.add(creditCustomerId);
  const row = await lock(tx, transactionId, customerIds);
  refuseUnmatchable(row);

  const [owed, proven] = await together([
    readInvoices(tx, invoiceIds),
    proofPaymentsAwaiting(tx, invoiceIds),
  ]);
  const creditTo =
    creditCustomerId === undefined ? null : await creditInvoice(tx, { row, owed, creditCustomerId });
  const planned = planMatch({ row, owed, proven, wish, creditTo });
  const seen = seenOf(row, wish.reason);
  const act: BankAct = { kind: 'match', ...planned.act, ...seen };
  const { id: decisionId } = await addAct(tx, { tenantId: row.tenantId, transactionId, act, actor, at });

  const booked: MatchedByHand['payments'] = [];
  for (const part of planned.parts) {
    booked.push(await bookPart(tx, { row, decisionId, day: seen.day, at }, { part, wish }));
  }
  await extendExpiredTransfers(tx, { invoiceIds, at });
  const allocatedMinor = booked.reduce((total, { amountMinor }) => total + amountMinor, row.allocatedMinor);
  const matched = await updateMovement(tx, transactionId, {
    allocatedMinor,
    status: allocatedMinor === row.amountMinor ? 'matched' : 'partly_matched',
    decidedVersion: row.version,
  });
  if (await reconsiderReturns(tx, [matched])) {
    await appendOutbox(tx, row.tenantId, [lookForMatches({ tenantId: row.tenantId })]);
  }
  const paymentIds = booked.map(({ paymentId }) => paymentId);
  await audit(tx, matched, { action: 'matched', wish, details: { invoiceIds, paymentIds } });
  return { row: matched, payments: booked };
}

/** Throws `not_found`, and `state_conflict` with the reasons `not_matched`, `being_decided` and `payment_refunded`. */
export async function unmatchByHand(tx: Tx, wish: Asked & { reason: string }): Promise<BankMovementRow> {
  const { transactionId, actor, reason, at } = wish;
  const before = await standingAllocations(tx, [transactionId]);
  const row = await lock(tx, transactionId, new Set(before.map(({ customerId }) => customerId)));
  const standing = await standingAllocations(tx, [transactionId]);
  if (standing.length === 0) {
    throw stateConflict(
      'not_matched',
      'Nothing of this movement is booked, so there is nothing to take back.',
    );
  }
  refuseUndecided(row);
  if (standing.some(({ id }) => !before.some((each) => each.id === id))) throw beingDecided();
  await refuseRefunded(
    tx,
    standing.map(({ paymentId }) => paymentId),
  );
  await undoMatch(tx, row, { code: 'transfer_unmatched', by: actor, reason, at });
  const { tenantId, version } = row;
  await addAct(tx, { tenantId, transactionId, act: { kind: 'unmatch', ...seenOf(row, reason) }, actor, at });
  const undone = await updateMovement(tx, transactionId, {
    status: 'unmatched',
    decidedVersion: version,
    leftToPeople: true,
    queuedAt: at,
  });
  const paymentIds = standing.map(({ paymentId }) => paymentId);
  await audit(tx, undone, { action: 'unmatched', wish, details: { paymentIds } });
  return undone;
}

/** Throws `not_found`, and `state_conflict` with the reasons of a match that are about the movement, and `already_ignored`. */
export async function ignoreByHand(tx: Tx, wish: Asked & { reason: string }): Promise<BankMovementRow> {
  const { transactionId, actor, reason, at } = wish;
  await readMovement(tx, transactionId);
  const row = await lock(tx, transactionId, new Set());
  if (row.status === 'ignored' || row.status === 'payout') {
    throw stateConflict('already_ignored', 'This movement counts as nobody’s payment already.');
  }
  refuseUnmatchable(row);
  if (row.allocatedMinor > 0) throw alreadyMatched();
  const { tenantId, version } = row;
  await addAct(tx, { tenantId, transactionId, act: { kind: 'ignore', ...seenOf(row, reason) }, actor, at });
  const ignored = await updateMovement(tx, transactionId, {
    status: 'ignored',
    decidedVersion: version,
    leftToPeople: true,
  });
  await audit(tx, ignored, { action: 'ignored', wish, details: {} });
  return ignored;
}

/** Customers first, by their ids, then the movement, as the matching does. */
async function lock(tx: Tx, id: string, customerIds: ReadonlySet<string>): Promise<BankMovementRow> {
  for (const customerId of [...customerIds].toSorted()) await lockCustomer(tx, customerId);
  const [row] = await lockMovements(tx, [id]);
  if (row === undefined) throw notFound('bank transaction', id);
  return row;
}

function refuseUnclear(invoiceIds: readonly string[], creditCustomerId: string | undefined): void {
  if (invoiceIds.length === 0 && creditCustomerId === undefined) {
    throw stateConflict(
      'nothing_to_match',
      'Name the invoices that it pays, or whose credit it becomes (creditCustomerId).',
    );
  }
  const twice = invoiceIds.find((id, index) => invoiceIds.indexOf(id) < index);
  if (twice === undefined) return;
  throw stateConflict('invoice_named_twice', `Name invoice ${twice} once, with all that it gets.`);
}

function refuseUnmatchable(row: BankMovementRow): void {
  if (row.amountMinor <= 0) throw stateConflict('money_out', 'Only money that came in pays anything.');
  if (row.pending) {
    throw stateConflict(
      'not_booked',
      'The bank has not booked this movement yet; it may still change or vanish.',
    );
  }
  switch (row.status) {
    case 'copy_suspected':
      throw stateConflict(
        'copy_suspected',
        'It may be a copy of a known movement: say first whether it is one.',
      );
    case 'copy':
      throw stateConflict('copy_suspected', 'It is a copy of a known movement; match that one.');
    case 'reversed':
    case 'removed':
      throw stateConflict('taken_back', 'The money of this movement is not there any more.');
    case 'matched':
      throw alreadyMatched();
    default:
  }
  refuseUndecided(row);
}

/** Its source says something else since money was booked of it, and the matching is about to follow. */
function refuseUndecided({ isWaiting, allocatedMinor, removedAt }: BankMovementRow): void {
  if (isWaiting && (allocatedMinor > 0 || removedAt !== null)) throw beingDecided();
}

function beingDecided(): DomainError {
  return stateConflict(
    'being_decided',
    'The movement has just changed and is being decided; try again in a moment.',
  );
}

function alreadyMatched(): DomainError {
  return stateConflict('already_matched', 'The movement is matched already; take that back first (unmatch).');
}

/** What was given back once cannot be taken back as well. */
async function refuseRefunded(tx: Tx, paymentIds: readonly string[]): Promise<void> {
  const [given] = await tx
    .select({ id: refunds.paymentId })
    .from(refunds)
    .innerJoin(payments, eq(payments.id, refunds.paymentId))
    .where(
      and(
        inArray(refunds.paymentId, [...paymentIds]),
        // Of one on a proof nothing is taken back, only the link.
        notLike(payments.externalId, `${proofPaymentName('')}%`),
        or(eq(refunds.status, 'succeeded'), eq(refunds.status, 'pending')),
      ),
    )
    .limit(1);
  if (given === undefined) return;
  throw stateConflict(
    'payment_refunded',
    `Payment ${given.id} was refunded, or a part of it: it stays as it is.`,
  );
}

/**
 * The invoice by which the rest becomes the customer's credit: one that is paid just now, or else the newest that needs nothing
 * any more.
 */
async function creditInvoice(
  tx: Tx,
  {
    row,
    owed,
    creditCustomerId,
  }: { row: BankMovementRow; owed: readonly InvoiceRow[]; creditCustomerId: string },
): Promise<InvoiceRow> {
  const paying = owed.findLast(({ customerId }) => customerId === creditCustomerId);
  if (paying !== undefined) return paying;
  const [settled] = await tx
    .select()
    .from(invoices)
    .where(
      and(
        eq(invoices.customerId, creditCustomerId),
        eq(invoices.currency, row.currency),
        inArray(invoices.status, ['paid', 'void']),
      ),
    )
    .orderBy(desc(invoices.id))
    .limit(1);
  if (settled !== undefined) return settled;
  throw stateConflict(
    'no_invoice_for_credit',
    `The customer has no paid invoice in ${row.currency} to which money could be credited; match it to one that is open.`,
  );
}

async function bookPart(
  tx: Tx,
  booking: Parameters<typeof bookOf>[1],
  { part, wish }: { part: InvoicePart; wish: MatchWish },
): Promise<MatchedByHand['payments'][number]> {
  const { row, day, at } = booking;
  const { invoice, amountMinor, proven } = part;
  if (proven !== undefined) {
    const { id: transactionId, tenantId } = row;
    await linkProofPayment(tx, { tenantId, transactionId, decisionId: booking.decisionId, payment: proven });
    return { paymentId: proven.paymentId, outcome: 'proven', invoiceId: invoice.id, amountMinor };
  }
  const isForeign = invoice.currency !== row.currency && wish.convert === true;
  const pair = { base: row.currency, quote: invoice.currency, day };
  const rate = isForeign ? await readRateOfOthers(tx, { ...pair, actor: wish.actor }) : null;
  const amount = money(amountMinor, row.currency);
  const settled = await bookOf(tx, booking, { invoiceId: invoice.id, amount, rate });
  const { paymentId, outcome, excessMinor } = settled;
  if (excessMinor > 0 && outcome !== 'credited') {
    const credit = money(excessMinor, invoice.currency);
    await tellOfCredit(tx, { template: 'bank_payment_over', invoiceId: invoice.id, paymentId, credit, at });
  }
  return { paymentId, outcome, invoiceId: invoice.id, amountMinor };
}

function seenOf(row: BankMovementRow, reason: string | undefined) {
  const { amountMinor, currency } = row;
  return { received: money(amountMinor, currency), day: dayOf(movementOf(row)), reason: reason ?? null };
}

function audit(
  tx: Tx,
  { id, tenantId, amountMinor, currency }: BankMovementRow,
  {
    action,
    wish: { actor, reason, at },
    details,
  }: {
    action: 'matched' | 'unmatched' | 'ignored';
    wish: Asked & { reason?: string | undefined };
    details: Record<string, unknown>;
  },
): Promise<void> {
  return writeAudit(tx, {
    tenantId,
    actor,
    action: `bank_transaction.${action}`,
    entityType: 'bank_transaction',
    entityId: id,
    ...(reason !== undefined && { reason }),
    details: { amount: formatMoney(money(amountMinor, currency)), ...details },
    at,
  });
}
