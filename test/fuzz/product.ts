/** The whole product as processes of its own, on free ports, in a folder that is removed afterwards; and its API. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '../../db/client.ts';
import { freePorts, type PortName, type Ports, portVariables } from '../../scripts/ports.ts';
import { type Stack, startStack } from '../../scripts/stack.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
export type Json = any;

export type Product = {
  stack: Stack;
  db: Database;
  /** Calls the API with this key and returns the answer, whatever it is. */
  call(key: string, method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }>;
  /** The body of a successful answer; throws otherwise. */
  ok(key: string, method: string, path: string, body?: unknown): Promise<Json>;
  close(): Promise<void>;
};

/** What `env` returns is laid over the environment of all processes; `onLine` gets what they print. */
export async function startProduct({
  env,
  onLine,
}: {
  env: (ports: Ports) => Record<string, string>;
  onLine?: (process: string, line: string) => void;
}): Promise<Product> {
  const home = await mkdtemp(join(tmpdir(), 'perennial-fuzz-'));
  // PostgreSQL runs as another user where we are root, and must be able to reach its folder.
  await chmod(home, 0o755);
  const ports = await freePorts(Object.keys(portVariables) as PortName[]);
  const removeHome = () => rm(home, { recursive: true, force: true });
  const stack = await startStack({
    home,
    ports,
    isolated: true,
    durable: false,
    seed: false,
    env: env(ports),
    ...(onLine !== undefined && { onLine }),
  }).catch(async (error: unknown) => {
    await removeHome();
    throw error;
  });
  const db = createDatabase({ url: stack.config.database.url, max: 2 });

  const call: Product['call'] = async (key, method, path, body) => {
    const response = await fetch(`${stack.urls.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        'idempotency-key': randomUUID(),
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  return {
    stack,
    db,
    call,
    async ok(key, method, path, body) {
      const answer = await call(key, method, path, body);
      if (answer.status < 300) return answer.body;
      throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    },
    close: async () => {
      await db.close();
      await stack.stop();
      await removeHome();
    },
  };
}
