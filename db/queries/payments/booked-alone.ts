/**
 * What one person has booked for a customer within a day without anybody else: by records, and by approvals of proofs that the same
 * person has sent. Together they count against the limit of what one may do alone.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { money } from '../../../domain/money.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { splitWindowBegin } from '../../../domain/payments/manual-payment.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { bankProofs } from '../../schema/banking.ts';
import { payments } from '../../schema/payments.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { usdWorth } from './exchange-rates.ts';

type Alone = { customerId: string; actor: string; at: Date };

/** In cents of US dollars. Call under the customer's lock. */
export async function bookedAlone(tx: Tx, alone: Alone): Promise<number> {
  return (await recordedAlone(tx, alone)) + (await provedAlone(tx, alone));
}

async function recordedAlone(tx: Tx, { customerId, actor, at }: Alone): Promise<number> {
  const [alone] = await tx
    .select({ usdMinor: sql<string>`coalesce(sum(${payments.usdMinor}), 0)` })
    .from(payments)
    .where(
      and(
        eq(payments.customerId, customerId),
        eq(payments.recordedBy, actor),
        isNull(payments.approvalId),
        gt(payments.recordedAt, splitWindowBegin(at)),
      ),
    );
  return Number(alone?.usdMinor ?? 0);
}

/** What cannot be told in US dollars is as much as the limit. */
async function provedAlone(tx: Tx, { customerId, actor, at }: Alone): Promise<number> {
  const rows = await tx
    .select({
      amountMinor: payments.amountMinor,
      currency: payments.currency,
      decidedAt: bankProofs.decidedAt,
    })
    .from(bankProofs)
    .innerJoin(payments, eq(payments.id, bankProofs.paymentId))
    .where(
      and(
        eq(bankProofs.customerId, customerId),
        eq(bankProofs.uploadedBy, actor),
        eq(bankProofs.decidedBy, actor),
        gt(bankProofs.decidedAt, splitWindowBegin(at)),
      ),
    );
  const { timeZone } = await currentTenant(tx);
  let sumMinor = 0;
  for (const { amountMinor, currency, decidedAt } of rows) {
    const day = dayAt((decidedAt ?? at).toISOString(), timeZone);
    const worthMinor = await usdWorth(tx, money(amountMinor, currency), { day, actor });
    sumMinor += worthMinor ?? bankPolicy.fourEyesUsdMinor;
  }
  return sumMinor;
}
