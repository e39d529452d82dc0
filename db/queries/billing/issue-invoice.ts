/**
 * Issues invoices: one per subscription and period, one per change, and one per draft, each with a gapless number and the tax
 * of the day.
 *
 * Why it is safe to run twice: issuing happens under the customer's lock and first looks for the invoice of that period
 * or change; unique indexes back that up. The number is taken from a locked counter in the same transaction, so a
 * rollback gives it back. Where a tax engine decides, and has not been asked about exactly these lines yet, issuing throws
 * `TaxNotCalculated` and leaves nothing.
 */
import { and, eq, ne } from 'drizzle-orm';
import { afterPeriod, type Discount, periodReduction } from '../../../domain/billing/coupon.ts';
import type { DraftLine } from '../../../domain/billing/invoice-draft.ts';
import {
  type ChangeLine,
  type PlanTerms,
  termsInWords,
  type UnbilledChange,
} from '../../../domain/billing/plan-change.ts';
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import type { TaxedLines } from '../../../domain/billing/tax.ts';
import type { LineTaxation, TaxedLine } from '../../../domain/billing/tax-amounts.ts';
import type { Period } from '../../../domain/calendar.ts';
import { formatMoney, type Money, money, subtract } from '../../../domain/money.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import {
  type InvoiceKind,
  type InvoiceLineKind,
  invoiceLines,
  invoiceLineTaxes,
  invoices,
  subscriptions,
} from '../../schema/billing.ts';
import { together } from '../../together.ts';
import { postToLedger } from '../payments/ledger.ts';
import { addCredit } from './customers.ts';
import { nextNumber } from './document-number.ts';
import { type InvoiceRow, negative } from './invoices.ts';
import { addTimelineEntry, type SubscriptionContext, termsOf } from './subscriptions.ts';
import { taxesOf } from './tax-calculations.ts';
import { oweInvoice } from './tax-records.ts';
import { billedTo, readTaxRules, sellerOf, type TaxRules } from './tax-rules.ts';

type NewLine = {
  /** Of a line that had one before it was issued. */
  id?: string;
  kind: InvoiceLineKind;
  description: string;
  quantity: number;
  unitMinor: number;
  /** What is billed: without the discount. */
  amountMinor: number;
  discountMinor?: number;
  discountCode?: string | null;
  period: Period;
  creditsLineId?: string;
  taxCode: string | null;
  /** A credit takes tax back as its line bore it; everything else is taxed as today. */
  taxedAs?: LineTaxation;
};

type NewInvoice = {
  /** Of a draft. */
  id?: string;
  kind: InvoiceKind;
  changeId: string | null;
  periodIndex: number;
  period: Period;
  lines: readonly NewLine[];
  rules: TaxRules;
  /** What it is for, after "was issued for". */
  subject: string;
  at: Date;
  /** As usual: when it is issued. */
  dueAt?: Date;
};

/**
 * Issues the invoice of a period of the current plan, or returns the one that exists. It also bills a change that waits
 * for it; the caller clears that in the same transaction.
 */
export async function issuePeriodInvoice(
  tx: Tx,
  context: SubscriptionContext,
  { periodIndex, period, at }: { periodIndex: number; period: Period; at: Date },
): Promise<InvoiceRow> {
  const { subscription } = context;
  const [[existing], rules] = await together([
    tx
      .select()
      .from(invoices)
      .where(
        and(
          eq(invoices.subscriptionId, subscription.id),
          eq(invoices.kind, 'period'),
          eq(invoices.periodIndex, periodIndex),
          ne(invoices.status, 'void'),
        ),
      )
      .execute(),
    readTaxRules(tx, context),
  ]);
  if (existing !== undefined) return existing;
  const terms = termsOf(context);
  const { discount } = subscription;
  const discountMinor = periodReduction(discount, priceOf(terms));
  const line = {
    kind: 'plan' as const,
    description: `${termsInWords(terms)}, ${daysOf(period, context)}`,
    quantity: terms.quantity,
    unitMinor: terms.unitMinor,
    amountMinor: priceOf(terms) - discountMinor,
    discountMinor,
    discountCode: discountMinor === 0 ? null : (discount?.code ?? null),
    period,
    taxCode: terms.taxCode ?? null,
  };
  const unbilled = subscription.unbilledChange?.lines.map(unbilledLine) ?? [];
  if (discount !== null) await countPeriod(tx, subscription.id, discount);
  return insertInvoice(tx, context, {
    kind: 'period',
    changeId: null,
    periodIndex,
    period,
    lines: line.unitMinor === 0 && unbilled.length > 0 ? unbilled : [line, ...unbilled],
    rules,
    subject: `the period from ${daysOf(period, context)}`,
    at,
  });
}

/**
 * Issues the invoice of a change. Where the credits exceed the charges, the rest becomes the customer's credit, the
 * total is zero and the invoice is paid with that.
 */
export async function issueChangeInvoice(
  tx: Tx,
  context: SubscriptionContext,
  {
    changeId,
    target,
    lines,
    period,
    periodIndex,
    at,
  }: {
    changeId: string;
    target: PlanTerms;
    lines: readonly ChangeLine[];
    period: Period;
    periodIndex: number;
    at: Date;
  },
): Promise<InvoiceRow> {
  const current = termsOf(context);
  return insertInvoice(tx, context, {
    kind: 'change',
    changeId,
    periodIndex,
    period,
    lines: describedLines(context, { target, lines }).map(unbilledLine),
    rules: await readTaxRules(tx, context),
    subject: `the change from ${termsInWords(current)} to ${termsInWords(target)}`,
    at,
  });
}

/** One of the periods the coupon reduces is billed. What the subscription's process decides does not depend on it. */
async function countPeriod(tx: Tx, subscriptionId: string, discount: Discount): Promise<void> {
  await tx
    .update(subscriptions)
    .set({ discount: afterPeriod(discount) })
    .where(eq(subscriptions.id, subscriptionId));
}

/** Bills what waits for the next invoice when none will come: the subscription ends. */
export async function issueUnbilledChange(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<InvoiceRow | null> {
  const { unbilledChange, periodIndex } = context.subscription;
  const period = unbilledChange?.lines.at(-1)?.period;
  if (unbilledChange === null || period === undefined || periodIndex === null) return null;
  return insertInvoice(tx, context, {
    kind: 'change',
    changeId: unbilledChange.changeId,
    periodIndex,
    period,
    lines: unbilledChange.lines.map(unbilledLine),
    rules: await readTaxRules(tx, context),
    subject: `the change to ${termsInWords(termsOf(context))}`,
    at,
  });
}

/** Issues what was drafted by hand. It bills no time: its period is the instant at which it is issued. */
export async function issueOneOff(
  tx: Tx,
  context: SubscriptionContext,
  { draft, dueAt, at }: { draft: { id: string; lines: readonly DraftLine[] }; dueAt: Date; at: Date },
): Promise<InvoiceRow> {
  const instant = { startsAt: at.toISOString(), endsAt: at.toISOString() };
  return insertInvoice(tx, context, {
    id: draft.id,
    kind: 'one_off',
    changeId: null,
    periodIndex: context.subscription.periodIndex ?? 0,
    period: instant,
    lines: draft.lines.map((line) => ({
      ...line,
      kind: 'item',
      amountMinor: line.quantity * line.unitMinor,
      period: instant,
    })),
    rules: await readTaxRules(tx, context),
    subject: 'what was drafted by hand',
    at,
    dueAt,
  });
}

/** The lines of a change from the current terms to other ones, as an invoice will show them. */
export function describedLines(
  context: SubscriptionContext,
  { target, lines }: { target: PlanTerms; lines: readonly ChangeLine[] },
): UnbilledChange['lines'] {
  const current = termsOf(context);
  return lines.map((line) => {
    const isCredit = line.kind === 'change_credit';
    const terms = isCredit ? current : target;
    const description = `${isCredit ? 'Unused time of ' : ''}${termsInWords(terms)}, ${daysOf(line.period, context)}`;
    const isReduced = !isCredit && (line.discountMinor ?? 0) > 0;
    const discountCode = isReduced ? (context.subscription.discount?.code ?? null) : null;
    return { ...line, description, taxCode: terms.taxCode ?? null, discountCode };
  });
}

function unbilledLine(line: UnbilledChange['lines'][number]): NewLine {
  const discountMinor = 'discountMinor' in line ? (line.discountMinor ?? 0) : 0;
  return { ...line, quantity: 1, unitMinor: line.amountMinor + discountMinor };
}

async function insertInvoice(
  tx: Tx,
  context: SubscriptionContext,
  {
    id = newId('inv'),
    lines: wanted,
    rules,
    period,
    subject,
    at,
    dueAt = at,
    kind,
    changeId,
    periodIndex,
  }: NewInvoice,
): Promise<InvoiceRow> {
  const { subscription, customer, plan } = context;
  const { tenantId } = subscription;
  const { taxed, calculationId } = await taxesOf(tx, context, {
    rules,
    lines: wanted,
    subject:
      kind === 'one_off'
        ? `one_off:${id}`
        : changeId === null
          ? `period:${periodIndex}`
          : `change:${changeId}`,
    at,
  });
  const lines = writtenLines(wanted, taxed, period);
  const [total, tax, kept] = [
    Math.max(0, taxed.totalMinor),
    taxed.taxMinor,
    Math.max(0, 0 - taxed.totalMinor),
  ].map((amountMinor) => money(amountMinor, plan.currency)) as [Money, Money, Money];
  const number = await nextNumber(tx, tenantId, 'invoice');
  const [invoice] = await tx
    .insert(invoices)
    .values({
      id,
      tenantId,
      customerId: customer.id,
      subscriptionId: subscription.id,
      number,
      kind,
      changeId,
      periodIndex,
      periodStartsAt: new Date(period.startsAt),
      periodEndsAt: new Date(period.endsAt),
      status: total.amountMinor === 0 ? 'paid' : 'open',
      totalMinor: total.amountMinor,
      taxMinor: tax.amountMinor,
      taxTreatment: taxed.treatment,
      taxInclusive: taxed.isInclusive,
      taxCalculationId: calculationId,
      notes: [...taxed.notes],
      seller: sellerOf(rules),
      currency: total.currency,
      billTo: billedTo(customer),
      issuedAt: at,
      dueAt,
      paidAt: total.amountMinor === 0 ? at : null,
    })
    .returning();
  if (invoice === undefined) throw new Error('An inserted invoice was not returned');

  const lineIds = await insertLines(tx, invoice, lines);
  if (rules.settings !== null) {
    const issued = taxed.lines.map((line, index) => {
      return { ...line, id: lineIds[index] ?? '', creditsLineId: wanted[index]?.creditsLineId };
    });
    await oweInvoice(tx, invoice, { lines: issued, at });
  }
  await postToLedger(tx, {
    tenantId,
    kind: 'invoice',
    reference: invoice.id,
    at,
    lines: [
      { account: 'receivable', amount: total },
      { account: 'revenue', amount: negative(subtract(subtract(total, kept), tax)) },
      { account: 'tax_payable', amount: negative(tax) },
      { account: 'customer_credit', amount: negative(kept) },
    ],
  });
  await addCredit(tx, customer.id, kept.amountMinor);
  await addTimelineEntry(tx, subscription, at, {
    kind: 'invoice_issued',
    message: `Invoice ${number} over ${formatMoney(total)} was issued for ${subject}.`,
    details: { invoiceId: invoice.id, periodIndex },
  });
  return invoice;
}

type WrittenLine = NewLine & Pick<TaxedLine, 'taxes'> & { taxRates: LineTaxation['rates'] };

/**
 * The lines as the invoice shows them. A line whose amount is another one than its price, because it was billed under the
 * other price display, is shown as one. What the credits exceed the charges by closes the invoice.
 */
function writtenLines(wanted: readonly NewLine[], taxed: TaxedLines, period: Period): WrittenLine[] {
  const lines = wanted.map((line, index): WrittenLine => {
    const { amountMinor, taxes, rates } = taxed.lines[index] ?? { ...line, taxes: [], rates: [] };
    const restated =
      amountMinor === line.amountMinor
        ? {}
        : { quantity: 1, unitMinor: amountMinor, discountMinor: 0, discountCode: null };
    return { ...line, ...restated, amountMinor, taxes, taxRates: rates };
  });
  if (taxed.totalMinor >= 0) return lines;
  const keptMinor = 0 - taxed.totalMinor;
  const toBalance: WrittenLine = {
    kind: 'to_balance',
    description: 'Kept as your credit',
    quantity: 1,
    unitMinor: keptMinor,
    amountMinor: keptMinor,
    period,
    taxCode: null,
    taxes: [],
    taxRates: [],
  };
  return [...lines, toBalance];
}

/** Returns the ids of the lines. */
async function insertLines(
  tx: Tx,
  invoice: InvoiceRow,
  lines: readonly WrittenLine[],
): Promise<readonly string[]> {
  const { id: invoiceId, tenantId } = invoice;
  const owned = lines.map((line) => ({ ...line, id: line.id ?? newId('line') }));
  const taxes = owned.flatMap((line) =>
    line.taxes.map((tax, position) => ({
      id: newId('ltax'),
      tenantId,
      invoiceId,
      lineId: line.id,
      position,
      ...tax,
    })),
  );
  await together([
    tx
      .insert(invoiceLines)
      .values(
        owned.map(({ id, period, taxedAs: _, taxes: _each, taxRates, ...line }, position) => ({
          id,
          tenantId,
          invoiceId,
          position,
          ...line,
          taxRates: [...taxRates],
          periodStartsAt: new Date(period.startsAt),
          periodEndsAt: new Date(period.endsAt),
        })),
      )
      .execute(),
    taxes.length === 0 ? undefined : tx.insert(invoiceLineTaxes).values(taxes).execute(),
  ]);
  return owned.map(({ id }) => id);
}

/** `2026-11-26 to 2026-12-26`: the days they are where the seller is, as for every date of the document. */
function daysOf({ startsAt, endsAt }: Period, { tenant: { timeZone } }: SubscriptionContext): string {
  return `${dayAt(startsAt, timeZone)} to ${dayAt(endsAt, timeZone)}`;
}
