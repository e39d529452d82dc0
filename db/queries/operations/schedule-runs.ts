/** How the schedules fare: when each last did its work to the end, and how far a reconciler has read. */
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { type Database, type Tx, withSystem } from '../../client.ts';
import { scheduleRuns } from '../../schema/operations.ts';

export type ScheduleRunRow = typeof scheduleRuns.$inferSelect;

/**
 * The rows of these schedules. One that is not known yet is noted with its first sight, so that a schedule that never
 * succeeds is found late as well.
 */
export function readScheduleRuns(db: Database, names: readonly string[]): Promise<ScheduleRunRow[]> {
  return withSystem(db, async (tx) => {
    const rows = await tx
      .select()
      .from(scheduleRuns)
      .where(inArray(scheduleRuns.name, [...names]));
    const missing = names.filter((name) => !rows.some((row) => row.name === name));
    if (missing.length === 0) return rows;
    const added = await tx
      .insert(scheduleRuns)
      .values(missing.map((name) => ({ name })))
      .onConflictDoNothing()
      .returning();
    return [...rows, ...added];
  });
}

/** The rows of every schedule that was seen; any tenant may know how the jobs fare. */
export function listScheduleRuns(tx: Tx): Promise<ScheduleRunRow[]> {
  return tx.select().from(scheduleRuns).orderBy(asc(scheduleRuns.name));
}

/** A run did its work to the end. */
export async function recordScheduleSuccess(
  db: Database,
  { name, at, result }: { name: string; at: Date; result: unknown },
): Promise<void> {
  const lastResult = sql`${JSON.stringify(result)}::jsonb`;
  await withSystem(db, (tx) =>
    tx
      .insert(scheduleRuns)
      .values({ name, lastSuccessAt: at, lastResult })
      .onConflictDoUpdate({
        target: scheduleRuns.name,
        set: {
          lastSuccessAt: sql`greatest(${scheduleRuns.lastSuccessAt}, excluded.last_success_at)`,
          lastResult: sql`excluded.last_result`,
        },
      }),
  );
}

/** A reconciler has read that far; it moves forward only. */
export async function raiseWatermark(
  db: Database,
  { name, watermark }: { name: string; watermark: Date },
): Promise<void> {
  await withSystem(db, (tx) =>
    tx
      .insert(scheduleRuns)
      .values({ name, watermark })
      .onConflictDoUpdate({
        target: scheduleRuns.name,
        set: { watermark: sql`greatest(${scheduleRuns.watermark}, excluded.watermark)` },
      }),
  );
}

/** How far a reconciler has read; null before its first success. */
export async function readWatermark(db: Database, name: string): Promise<Date | null> {
  return withSystem(db, async (tx) => {
    const [row] = await tx
      .select({ watermark: scheduleRuns.watermark })
      .from(scheduleRuns)
      .where(eq(scheduleRuns.name, name));
    return row?.watermark ?? null;
  });
}
