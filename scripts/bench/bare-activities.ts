/** One row, one transaction. */
import type pg from 'pg';

export function createBareActivities({ pool }: { pool: pg.Pool }) {
  return {
    async insertRow(): Promise<void> {
      await pool.query('INSERT INTO bench_rows DEFAULT VALUES');
    },
  };
}

export const bareTaskQueue = 'bench-bare';
