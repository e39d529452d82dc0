/** Issues drafts whose day has come and reminds of what is unpaid. Started every day at 10:00 UTC by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createDailyInvoiceRunActivities } from '../../activities/billing/daily-invoice-run.ts';
import { dailySweep } from '../effect-classes.ts';

const { runDailyInvoices } = proxyActivities<ReturnType<typeof createDailyInvoiceRunActivities>>(dailySweep);

export async function dailyInvoiceRun(): Promise<Awaited<ReturnType<typeof runDailyInvoices>>> {
  return runDailyInvoices({ at: new Date().toISOString() });
}
