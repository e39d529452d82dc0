/** Where a command under test lives: a folder and ports that nobody else uses. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePorts, type PortName, portVariables } from '../../scripts/ports.ts';
import { portEnvironment } from '../../scripts/stack-plan.ts';
import type { Settings } from './command.ts';

/** A home and ports for one test; the home is removed when it is over. */
export async function ownPlace(): Promise<Settings & { PERENNIAL_HOME: string }> {
  const home = await createFolder();
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return { PERENNIAL_HOME: home, ...(await ownPorts()) };
}

/** A folder that PostgreSQL can reach also where it runs as another user than we. */
export async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-product-'));
  await chmod(folder, 0o755);
  return folder;
}

/** A free port for everything that listens. */
export async function ownPorts(): Promise<Settings> {
  return portEnvironment(await freePorts(Object.keys(portVariables) as PortName[]));
}

/** Another program listens on the port until the test is over. */
export async function occupy(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
}
