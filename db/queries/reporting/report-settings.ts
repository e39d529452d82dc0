/** Where a tenant's daily report goes, and when. */
import type { ReportTime } from '../../../domain/reporting/daily-report.ts';
import { defaultSendAt } from '../../../domain/reporting/daily-report.ts';
import type { Tx } from '../../client.ts';
import { reportSettings } from '../../schema/reporting.ts';
import type { TenantRow } from '../tenants/tenants.ts';

export type ReportSettings = Pick<typeof reportSettings.$inferSelect, 'recipient' | 'sendAt' | 'clock'>;

export type KeptReportSettings = ReportSettings & { since: Date };

/** What holds until a tenant says otherwise: no report. */
export const usualReportSettings: ReportSettings = { recipient: null, sendAt: defaultSendAt, clock: 'utc' };

/** Null where nothing was ever set. */
export async function findReportSettings(tx: Tx): Promise<KeptReportSettings | null> {
  const [row] = await tx.select().from(reportSettings);
  return row ?? null;
}

/** Reports begin with the next that is due; of a change in between none is sent twice or left out. */
export async function putReportSettings(
  tx: Tx,
  { tenantId, settings, at }: { tenantId: string; settings: ReportSettings; at: Date },
): Promise<void> {
  const before = await findReportSettings(tx);
  const goesOn = before !== null && before.recipient !== null;
  const row = { ...settings, since: goesOn ? before.since : at, updatedAt: at };
  await tx
    .insert(reportSettings)
    .values({ tenantId, ...row })
    .onConflictDoUpdate({ target: reportSettings.tenantId, set: row });
}

/** Whose clocks show the time, and whose days are reported. */
export function reportTimeOf(
  { sendAt, clock }: ReportSettings,
  { timeZone }: Pick<TenantRow, 'timeZone'>,
): ReportTime {
  return { sendAt, timeZone: clock === 'utc' ? 'UTC' : timeZone };
}
