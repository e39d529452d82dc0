/** An outage of the database as the application meets it. */
import type { TestApi } from './api.ts';

/** Ends the application's connections and lets no new ones in, or lets them in again. */
export async function setConnections(api: Pick<TestApi, 'sql'>, allowed: boolean): Promise<void> {
  const [{ name }] = (await api.sql('SELECT current_database() AS name')) as [{ name: string }];
  await api.sql(`ALTER DATABASE "${name}" CONNECTION LIMIT ${allowed ? -1 : 0}`);
  await api.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'perennial' AND datname = current_database()",
  );
}
