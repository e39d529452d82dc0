// Names and passwords of the embedded database server. They are public on purpose: it listens on this machine only,
// and holds nothing but what development and tests put there.

/** Owns the schema; runs migrations. */
export const localOwner = { user: 'postgres', password: 'postgres' } as const;

/** Owns nothing, and steps down to the roles of the application. */
export const localLogin = { user: 'perennial_login', password: 'perennial_login' } as const;

/** The database of development; tests have one for each file. */
export const localDatabase = 'perennial';

/** Connection of the owner. */
export function localAdminUrl({
  port,
  database = localDatabase,
}: {
  port: number;
  database?: string;
}): string {
  return `postgres://${localOwner.user}:${localOwner.password}@127.0.0.1:${port}/${database}`;
}

/** Connection of the API and the workers. */
export function localLoginUrl({
  port,
  database = localDatabase,
}: {
  port: number;
  database?: string;
}): string {
  return `postgres://${localLogin.user}:${localLogin.password}@127.0.0.1:${port}/${database}`;
}
