/**
 * Payments that were booked on a proof, and whose money has not shown up within five business days: operators are told once for
 * each, and decide whether it is taken back. Only where there is an account on which it would be seen.
 *
 * Why it is safe to run twice: a notice is known by its proof.
 */
import { and, asc, eq, exists, gte, isNull, lte, sql } from 'drizzle-orm';
import { formatMoney, money } from '../../../domain/money.ts';
import { transferPolicy } from '../../../domain/payments/bank-transfer.ts';
import { businessDaysLater } from '../../../domain/payments/banking-days.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { bankAccounts, bankProofs } from '../../schema/banking.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { tellBankOperators } from './bank-notices.ts';
import { isUnseen } from './proof-payments.ts';

/** As long as a transfer from abroad may take (knowledge: bank reconciliation §4). */
const BUSINESS_DAYS = transferPolicy.internationalBusinessDays;

/** `since`: proofs that were approved before it are left alone. Returns how many wait for their money. */
export async function tellOfUnseenProofs(
  tx: Tx,
  { tenantId, since, at }: { tenantId: string; since: Date; at: Date },
): Promise<number> {
  const one = { one: sql`1` };
  const accounts = tx
    .select(one)
    .from(bankAccounts)
    .where(
      and(
        eq(bankAccounts.isReceiving, true),
        isNull(bankAccounts.closedAt),
        eq(bankAccounts.currency, payments.currency),
      ),
    );
  const rows = await tx
    .select({ proof: bankProofs, payment: payments, number: invoices.number })
    .from(bankProofs)
    .innerJoin(payments, eq(payments.id, bankProofs.paymentId))
    .innerJoin(invoices, eq(invoices.id, payments.invoiceId))
    .where(and(gte(bankProofs.decidedAt, since), lte(bankProofs.decidedAt, at), isUnseen, exists(accounts)))
    .orderBy(asc(bankProofs.id));
  const today = dayAt(at.toISOString(), 'UTC');
  const late = rows.filter(({ proof: { decidedAt } }) => {
    const day = dayAt((decidedAt ?? at).toISOString(), 'UTC');
    return businessDaysLater(day, BUSINESS_DAYS) < today;
  });
  for (const { proof, payment, number } of late) {
    const amount = formatMoney(money(payment.amountMinor, payment.currency));
    await tellBankOperators(tx, {
      tenantId,
      title: 'Money that was proved has not come',
      what: `${amount} were booked for invoice ${number} on a proof ${BUSINESS_DAYS} business days ago, and no movement on an account is that money. If one of those that wait is, match it to the invoice; if it never came, take payment ${payment.id} back (POST /v1/payments/${payment.id}/bounce).`,
      key: `bank_proof_unseen:${proof.id}`,
      at,
    });
  }
  return late.length;
}
