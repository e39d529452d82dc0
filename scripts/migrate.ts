// `npm run db:migrate`: brings the database of the settings to the current schema.

import { loadConfig } from '../config/env.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { loadEnvironmentFile } from './environment-file.ts';
import { progress, runScript } from './terminal.ts';

await runScript(async () => {
  loadEnvironmentFile();
  const { database } = loadConfig();
  await migrateDatabase({ adminUrl: database.adminUrl }).catch((error: Error) => {
    const hint = database.external ? 'Check DATABASE_ADMIN_URL and DATABASE_URL.' : 'Is `npm start` running?';
    throw new Error(
      `The database could not be migrated: ${error.message || 'nothing answers there.'} ${hint}`,
    );
  });
  progress('The database has the current schema.');
});
