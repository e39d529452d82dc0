/** Where a tenant's daily report and its operators' notices go, and when. */
import type { ReportTime } from '../../../domain/reporting/daily-report.ts';
import { defaultSendAt } from '../../../domain/reporting/daily-report.ts';
import type { Tx } from '../../client.ts';
import { reportSettings } from '../../schema/reporting.ts';
import type { TenantRow } from '../tenants/tenants.ts';

type Row = typeof reportSettings.$inferSelect;

export type ReportSettings = Pick<Row, 'recipient' | 'sendAt' | 'clock'>;

/** The chat of the operators: its sealed address and its host, or neither. */
export type ChatSettings = Pick<Row, 'chatUrl' | 'chatHost'>;

export type KeptReportSettings = ReportSettings & ChatSettings & { since: Date };

/** What holds until a tenant says otherwise: no report. */
export const usualReportSettings: ReportSettings = { recipient: null, sendAt: defaultSendAt, clock: 'utc' };

export const noChat: ChatSettings = { chatUrl: null, chatHost: null };

/** Null where nothing was ever set. */
export async function findReportSettings(tx: Tx): Promise<KeptReportSettings | null> {
  const [row] = await tx.select().from(reportSettings);
  return row ?? null;
}

/**
 * Reports begin with the next that is due; of a change in between none is sent twice or left out. Without `chat` the chat stays
 * as it is. Returns the chat that holds from now on.
 */
export async function putReportSettings(
  tx: Tx,
  {
    tenantId,
    settings,
    chat,
    at,
  }: { tenantId: string; settings: ReportSettings; chat?: ChatSettings | undefined; at: Date },
): Promise<ChatSettings> {
  const before = await findReportSettings(tx);
  const goesOn = before !== null && before.recipient !== null;
  const row = { ...settings, ...chat, since: goesOn ? before.since : at, updatedAt: at };
  await tx
    .insert(reportSettings)
    .values({ tenantId, ...row })
    .onConflictDoUpdate({ target: reportSettings.tenantId, set: row });
  return chat ?? before ?? noChat;
}

/** What the address of a tenant's chat is sealed for. */
export function chatSealedFor(tenantId: string): string {
  return `operator_chat:${tenantId}`;
}

/** Whose clocks show the time, and whose days are reported. */
export function reportTimeOf(
  { sendAt, clock }: ReportSettings,
  { timeZone }: Pick<TenantRow, 'timeZone'>,
): ReportTime {
  return { sendAt, timeZone: clock === 'utc' ? 'UTC' : timeZone };
}
