// `npm start` as a new owner meets it: what it prints works as printed, Ctrl-C leaves nothing behind, and the next
// start goes on where this one ended.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFree } from '../../scripts/ports.ts';
import { eventually, processNames } from '../../scripts/processes.ts';
import { type Command, finish, runCommand, type Settings } from './command.ts';
import { createFolder, occupy, ownPlace, ownPorts } from './place.ts';

let home: string;
let settings: Settings;
let running: Command;
let printed: Printed;
let customerId: string;
let subscriptionId: string;

beforeAll(async () => {
  home = await createFolder();
  settings = { PERENNIAL_HOME: home, ...(await ownPorts()) };
  printed = await start();
});

afterAll(async () => {
  running.interrupt();
  await running.ended;
  await rm(home, { recursive: true, force: true });
});

test.each([
  ['API', '/readyz'],
  ['API reference', ''],
  ['Temporal Web UI', ''],
  ['Mail that was sent', ''],
  ['Chat of the operators', ''],
  ['Stripe sandbox', ''],
  ['Razorpay sandbox', ''],
  ['Workers', ''],
])('the printed address of %s answers', async (label, path) => {
  expect((await fetch(`${printed.table[label]}${path}`)).status).toBe(200);
});

test('the printed codec endpoint decodes', async () => {
  const answer = await fetch(`${printed.table['Codec endpoint']}/decode`, {
    method: 'POST',
    body: JSON.stringify({ payloads: [] }),
  });
  expect(await answer.json()).toEqual({ payloads: [] });
});

test('the printed logs are there', () => {
  const files = readdirSync(printed.table['Logs'] ?? '').map((file) => file.replace(/\.log$/, ''));
  expect(files.toSorted()).toEqual(processNames.toSorted());
});

test('the printed curl creates a customer, who then subscribes and gets a mail', async () => {
  const created = await send(printed.curl);
  expect(created).toMatchObject({ status: 201, body: { email: 'ada@example.com', name: 'Ada Lovelace' } });
  customerId = created.body.id;

  const subscribed = await send({
    url: `${printed.table['API']}/v1/subscriptions`,
    headers: { ...printed.curl.headers, 'Idempotency-Key': randomUUID() },
    body: JSON.stringify({ customerId, planCode: 'pro-monthly' }),
  });
  expect(subscribed).toMatchObject({ status: 201, body: { customerId, status: 'trialing' } });
  subscriptionId = subscribed.body.id;
  expect(await eventually(async () => (await mailPage()).includes('ada@example.com'), 30_000)).toBe(true);
});

test.each([
  ['BTC', 'Mined 3 blocks of Bitcoin.'],
  ['USDC', 'Mined 12 blocks of Ethereum.'],
])('an invoice is offered in %s, and paid by `npm run pay`', async (asset, mined) => {
  const lines = [{ description: 'Workshop', unitMinor: 20_000 }];
  const draft = await post('/v1/invoices', { subscriptionId, lines });
  const invoice = await post(`/v1/invoices/${draft.id}/finalise`, {});
  const offered = () => post(`/v1/invoices/${invoice.id}/crypto_invoices`, { asset }).catch(() => undefined);
  // Its chain may not have been read yet.
  expect(await eventually(async () => (await offered()) !== undefined, 30_000)).toBe(true);
  const { id, checkoutUrl } = await offered();
  const sent = await finish(runCommand(['pay', checkoutUrl, '--blocks', '0'], settings));
  expect(sent.stderr).toMatch(new RegExp(`^Paid [\\d.]+ ${asset} to `, 'm'));
  const isSeen = async () => (await get(`/v1/crypto_invoices/${id}`)).status === 'processing';
  expect(await eventually(isSeen, 30_000)).toBe(true);
  // What is being paid already is not paid again.
  const { code, stderr } = await finish(runCommand(['pay', checkoutUrl], settings));
  expect(stderr.trim()).toBe(mined);
  expect(code).toBe(0);
  const isPaid = async () => (await get(`/v1/invoices/${invoice.id}`)).status === 'paid';
  expect(await eventually(isPaid, 30_000)).toBe(true);

  const again = await finish(runCommand(['pay', checkoutUrl], settings));
  expect(again.stderr).toMatch(/The invoice is (settled|final); pay it all the same with --late or --twice/);
  expect(again.code).toBe(1);
});

test('the doctor finds nothing wrong while it runs', async () => {
  const { code, stdout } = await finish(runCommand(['doctor'], settings));
  expect(stdout).toContain('Nothing stands in the way.');
  expect(stdout).toMatch(/^ok +API +answers at/m);
  expect(code).toBe(0);
});

test('a second start on the same folder is refused, and the first one goes on', async () => {
  const { code, stderr } = await finish(runCommand(['start'], settings));
  expect(stderr).toContain(`A stack is already running on ${home}`);
  expect(code).toBe(1);
  expect((await fetch(`${printed.table['API']}/readyz`)).status).toBe(200);
});

test('Ctrl-C ends it with exit code 0, and leaves no process and no port', async () => {
  expect(processesOf(home).length).toBeGreaterThan(processNames.length);
  running.interrupt();
  expect(await running.ended).toBe(0);
  expect(running.stderr()).toMatch(/Stopped\.\n$/);
  expect(processesOf(home)).toEqual([]);
  expect(await takenAmong(settings)).toEqual([]);
});

test('the next start prints the same key, and knows the customer', async () => {
  const again = await start();
  expect(again).toEqual(printed);
  const url = `${again.table['API']}/v1/customers/${customerId}`;
  const { headers } = again.curl;
  expect(await (await fetch(url, { headers })).json()).toMatchObject({ email: 'ada@example.com' });
  // The same curl again is the same request.
  expect(await send(again.curl)).toMatchObject({ status: 201, body: { id: customerId } });
});

test('a port that is taken is named with what to do, before anything is started', async () => {
  const place = await ownPlace();
  const api = Number(place['API_PORT']);
  await occupy(api);
  const { code, stdout, stderr } = await finish(runCommand(['start'], place));
  expect(stderr).toContain(
    `Port ${api} is taken by another program; set another one for the API: API_PORT=${api + 10_000}`,
  );
  expect(stdout).toBe('');
  expect(code).toBe(1);
  expect(readdirSync(place.PERENNIAL_HOME)).toEqual([]);
});

type Request = { url: string; headers: Record<string, string>; body: string };
type Printed = { table: Record<string, string>; curl: Request };

async function start(): Promise<Printed> {
  running = runCommand(['start'], settings);
  await running.untilItPrints('Ctrl-C stops everything');
  return read(running.stdout());
}

/** What a person reads: the table, and the curl to copy. */
function read(stdout: string): Printed {
  const [table = '', curl = ''] = stdout.split('\n\nTry:\n');
  const rows = table.split('\n').map((line) => line.trim().split(/ {2,}/));
  const headers = [...curl.matchAll(/-H '([^:]+): ([^']+)'/g)].map(([, name, value]) => [name, value]);
  return {
    table: Object.fromEntries(rows),
    curl: {
      url: /curl -s (\S+)/.exec(curl)?.[1] ?? '',
      headers: Object.fromEntries(headers),
      body: /-d '([^']+)'/.exec(curl)?.[1] ?? '',
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
async function send({ url, headers, body }: Request): Promise<{ status: number; body: any }> {
  const answer = await fetch(url, { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.json() };
}

async function post(path: string, body: object) {
  const headers = { ...printed.curl.headers, 'Idempotency-Key': randomUUID() };
  const answer = await send({ url: `${printed.table['API']}${path}`, headers, body: JSON.stringify(body) });
  if (!('id' in answer.body)) throw new Error(`${path} was answered ${answer.status}`);
  return answer.body;
}

// biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
async function get(path: string): Promise<any> {
  const { headers } = printed.curl;
  return (await fetch(`${printed.table['API']}${path}`, { headers })).json();
}

async function mailPage(): Promise<string> {
  return (await fetch(printed.table['Mail that was sent'] ?? '')).text();
}

/** Everything that was started with this folder, whoever its parent is by now. */
function processesOf(folder: string): string[] {
  const setting = `PERENNIAL_HOME=${folder}`;
  if (!existsSync('/proc/self/environ')) {
    const all = execFileSync('ps', ['-A', '-E', '-ww', '-o', 'pid=,command='], { encoding: 'utf8' });
    return all.split('\n').filter((line) => line.includes(setting));
  }
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(setting));
}

/** Empty where the process is gone or not ours. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'environ'), 'utf8');
  } catch {
    return '';
  }
}

/** The variables whose port is taken. */
async function takenAmong({ PERENNIAL_HOME, ...ports }: Settings): Promise<string[]> {
  const looks = Object.entries(ports).map(async ([name, port]) =>
    (await isFree(Number(port))) ? [] : [name],
  );
  return (await Promise.all(looks)).flat();
}
