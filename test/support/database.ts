// A migrated, empty database for one test file, copied from a template in a fraction of a second.

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { localLogin } from '../../config/local-database.ts';
import { templateDatabase } from '../../scripts/test-services.ts';
import { databaseServerUrl } from './services.ts';

export type TestDatabase = {
  /** Connection of the owner: sees and changes everything. */
  adminUrl: string;
  /** Connection of the API and the workers. */
  url: string;
  /** Removes the database, also while connections are open. */
  drop: () => Promise<void>;
};

/** Creates the database. Call `drop` in `afterAll`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asOwner(`CREATE DATABASE ${name} TEMPLATE ${templateDatabase}`);

  const admin = new URL(databaseServerUrl());
  admin.pathname = `/${name}`;
  const login = new URL(admin);
  login.username = localLogin.user;
  login.password = localLogin.password;
  return {
    adminUrl: admin.href,
    url: login.href,
    drop: () => asOwner(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function asOwner(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseServerUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
