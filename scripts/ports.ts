// The ports of the development stack: which variable moves which one, which are taken, and free ones for tests.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Every port of the stack with the variable that changes it. */
export const portVariables = {
  api: 'API_PORT',
  codec: 'CODEC_PORT',
  worker: 'WORKER_PORT',
  metrics: 'METRICS_PORT',
  stripeSandbox: 'STRIPE_SANDBOX_PORT',
  resendSandbox: 'RESEND_SANDBOX_PORT',
  razorpaySandbox: 'RAZORPAY_SANDBOX_PORT',
  coinbaseSandbox: 'COINBASE_SANDBOX_PORT',
  slackSandbox: 'SLACK_SANDBOX_PORT',
  plaidSandbox: 'PLAID_SANDBOX_PORT',
  frankfurterSandbox: 'FRANKFURTER_SANDBOX_PORT',
  marketPricesSandbox: 'MARKET_PRICES_SANDBOX_PORT',
  btcd: 'BTCD_PORT',
  anvil: 'ANVIL_PORT',
  temporal: 'TEMPORAL_PORT',
  temporalUi: 'TEMPORAL_UI_PORT',
  postgres: 'POSTGRES_PORT',
} as const;

export type PortName = keyof typeof portVariables;
export type Ports = Record<PortName, number>;

/** A free port for every name, all different. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  // All stay open until the last is known; otherwise the same number may be handed out twice.
  const servers: Listener[] = [];
  while (servers.length < names.length) servers.push(await listenSomewhere());
  const entries = names.map((name, index) => [name, portOf(servers[index])]);
  await Promise.all(servers.map(close));
  return Object.fromEntries(entries) as Record<Name, number>;
}

/**
 * Below the numbers that systems give to outgoing connections: one of those could take the port of a server that was
 * killed, before it is started again.
 */
const FREE_PORTS = { from: 20_000, to: 32_000 };

async function listenSomewhere(attemptsLeft = 100): Promise<Listener> {
  try {
    return await listen(randomInt(FREE_PORTS.from, FREE_PORTS.to));
  } catch (error) {
    if (attemptsLeft === 0) throw error;
    return listenSomewhere(attemptsLeft - 1);
  }
}

/** Whether nothing listens on the port of this machine. */
export async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}

/** One line for each port that is taken, with the variable that moves ours elsewhere. */
export async function takenPorts(wanted: Partial<Ports>): Promise<string[]> {
  const checks = Object.entries(wanted).map(async ([name, port]) => {
    if (await isFree(port)) return [];
    const variable = portVariables[name as PortName];
    return [`Port ${port} is taken by another program; ${adviceFor(name as PortName, variable, port)}`];
  });
  return (await Promise.all(checks)).flat();
}

function adviceFor(name: PortName, variable: string, port: number): string {
  const move = `set another one for the ${labels[name]}: ${variable}=${port + 10_000 > 65_535 ? port - 10_000 : port + 10_000}`;
  if (name === 'temporal') return `use the server there with TEMPORAL_ADDRESS=127.0.0.1:${port}, or ${move}`;
  return move;
}

const labels: Record<PortName, string> = {
  api: 'API',
  codec: 'codec endpoint',
  worker: "workers' health page",
  metrics: "workers' metrics",
  stripeSandbox: 'Stripe sandbox',
  resendSandbox: 'Resend sandbox',
  razorpaySandbox: 'Razorpay sandbox',
  coinbaseSandbox: 'Coinbase sandbox',
  slackSandbox: 'Slack sandbox',
  plaidSandbox: 'Plaid sandbox',
  frankfurterSandbox: 'Frankfurter sandbox',
  marketPricesSandbox: 'market prices sandbox',
  btcd: 'local Bitcoin chain',
  anvil: 'local Ethereum chain',
  temporal: 'Temporal server',
  temporalUi: 'Temporal Web UI',
  postgres: 'PostgreSQL server',
};

type Listener = ReturnType<typeof createServer>;

function listen(port: number): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}

function close(server: Listener): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function portOf(server: Listener | undefined): number {
  const address = server?.address();
  if (typeof address !== 'object' || address === null) throw new Error('A listening server has no port.');
  return address.port;
}
