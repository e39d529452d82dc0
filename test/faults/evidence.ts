/** Collects what is there after the storm, from every place that keeps its own record, and asks the detector. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eq, gt, isNull } from 'drizzle-orm';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { listTenantIds } from '../../db/queries/tenants/tenants.ts';
import { customers, invoices, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { inboxEvents, outbox } from '../../db/schema/operations.ts';
import { ledgerEntries, paymentMethods, payments } from '../../db/schema/payments.ts';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import type { Acknowledged, ApiClient } from './api-client.ts';
import { isCharge, mailWrongs, moneyWrongs, type Wrong, wrong } from './detector.ts';

/** Everything that is wrong with one tenant, by the vendors' logs, the database and what callers were told. */
export async function findWrongs({
  home,
  db,
  tenantId,
  client,
}: {
  home: string;
  db: Database;
  tenantId: string;
  client: Pick<ApiClient, 'acknowledged' | 'misbehaviour'>;
}): Promise<Wrong[]> {
  const rows = await readRows(db, tenantId);
  const others = await namedByOthers(db, tenantId);
  const isNotOthers = ({ businessRef }: Effect) => businessRef === null || !others.has(businessRef);
  const effects = effectsOf(home, 'stripe-sandbox').filter(isNotOthers);
  const mails = effectsOf(home, 'resend-sandbox').filter(isNotOthers);
  return [
    ...moneyWrongs({ ...rows, effects }),
    ...lateCharges({ acknowledged: client.acknowledged(), rows, effects }),
    ...mailWrongs({ ...rows, effects: mails }),
    ...acknowledgedWrongs(client.acknowledged(), rows),
    ...client.misbehaviour().map((sentence) => wrong('api_misbehaved', sentence)),
    ...(await leftovers(db, tenantId)).map((sentence) => wrong('left_behind', sentence)),
    ...loggedSecrets(home),
  ];
}

/**
 * What of a tenant, and of nobody in particular, is not delivered, not worked on or given up. Empty when everything has
 * drained.
 */
export async function leftovers(db: Database, tenantId: string): Promise<string[]> {
  const isNotOthers = (row: { tenantId: string | null }) =>
    row.tenantId === null || row.tenantId === tenantId;
  return withSystem(db, async (tx) => {
    const undelivered = await tx.select().from(outbox).where(isNull(outbox.deliveredAt));
    const received = await tx.select().from(inboxEvents).where(eq(inboxEvents.status, 'received'));
    const owed = undelivered.filter(isNotOthers);
    const waiting = received.filter(isNotOthers);
    return [
      ...owed.map(({ id, topic, lastError }) => `the outbox still owes ${topic} ${id} (${lastError})`),
      ...waiting.map(({ externalId, type }) => `the event ${externalId} (${type}) was not worked on`),
    ];
  });
}

/** The vendor's own record, as it is on disk. */
export function effectsOf(home: string, vendor: 'stripe-sandbox' | 'resend-sandbox'): Effect[] {
  const file = join(home, vendor, 'effects.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Effect);
}

/** The invoices that bill a period after the first. */
export function renewalsIn(db: Database, tenantId: string): Promise<ReadonlySet<string>> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx.select().from(invoices).where(gt(invoices.periodIndex, 0));
    return new Set(rows.map(({ id }) => id));
  });
}

type Rows = Awaited<ReturnType<typeof readRows>>;

function readRows(db: Database, tenantId: string) {
  return withTenant(db, tenantId, async (tx) => ({
    customers: await tx.select().from(customers),
    subscriptions: await tx.select().from(subscriptions),
    invoices: await tx.select().from(invoices),
    payments: await tx.select().from(payments),
    paymentMethods: await tx.select().from(paymentMethods),
    ledger: await tx.select().from(ledgerEntries),
    notifications: await tx.select().from(notifications),
  }));
}

/**
 * The invoices and messages of every other tenant. Whoever a test before this one left behind lives on, and the
 * vendors' logs are everybody's; what names nobody's invoice or message stays a mistake.
 */
async function namedByOthers(db: Database, tenantId: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const other of await withSystem(db, listTenantIds)) {
    if (other === tenantId) continue;
    const rows = await readRows(db, other);
    for (const { id } of [...rows.invoices, ...rows.notifications]) ids.add(id);
  }
  return ids;
}

/** Each confirmed write is there, once: a repeated request made nothing twice. */
function acknowledgedWrongs(acknowledged: readonly Acknowledged[], rows: Rows): Wrong[] {
  const lost = acknowledged.flatMap((each) =>
    isReflected(each, rows) ? [] : [wrong('acknowledged_and_lost', `${each.operation} (${each.key})`)],
  );
  const made = (operation: string) =>
    new Set(acknowledged.filter((each) => each.operation === operation).map(({ key }) => key)).size;
  const counts = [
    { noun: 'customers', confirmed: made('POST /v1/customers'), found: rows.customers.length },
    { noun: 'subscriptions', confirmed: made('POST /v1/subscriptions'), found: rows.subscriptions.length },
  ];
  return [
    ...lost,
    ...counts.flatMap(({ noun, confirmed, found }) =>
      confirmed === found
        ? []
        : [wrong('acknowledged_and_lost', `${confirmed} ${noun} were confirmed, ${found} are there`)],
    ),
  ];
}

function isReflected({ operation, body }: Acknowledged, rows: Rows): boolean {
  const subscription = rows.subscriptions.find(({ id }) => operation.includes(`/${id}/`));
  switch (operation.split('/').at(-1)) {
    case 'customers':
      return rows.customers.some(({ id }) => id === body['id']);
    case 'subscriptions':
      return rows.subscriptions.some(({ id }) => id === body['id']);
    case 'payment_method':
      return rows.paymentMethods.some(({ customerId }) => customerId === subscription?.customerId);
    case 'cancel':
      return subscription !== undefined && subscription.cancelRequestedAt !== null;
    case 'payments':
      return rows.payments.some(({ id }) => id === body['paymentId']);
    case 'trigger':
      return true;
    default:
      throw new Error(`Nobody looks after what ${operation} confirms`);
  }
}

/** Whoever has been told that the subscription is over is not charged for it any more. */
function lateCharges({
  acknowledged,
  rows,
  effects,
}: {
  acknowledged: readonly Acknowledged[];
  rows: Rows;
  effects: readonly Effect[];
}): Wrong[] {
  return acknowledged.flatMap(({ operation, at, body }) => {
    if (body['status'] !== 'cancelled') return [];
    const own = rows.invoices.filter(({ subscriptionId }) => operation.includes(`/${subscriptionId}/`));
    const ids = new Set(own.map(({ id }) => id));
    const late = effects.filter(
      (effect) => isCharge(effect) && ids.has(effect.businessRef ?? '') && new Date(effect.at) > at,
    );
    return late.map(({ businessRef }) =>
      wrong('charged_after_the_end', `${businessRef}, after ${operation}`),
    );
  });
}

/** What our processes write down names no customer and holds no key. */
function loggedSecrets(home: string): Wrong[] {
  const folder = join(home, 'logs');
  const files = readdirSync(folder).filter((file) => /^(api|workers|careless)/.test(file));
  return files.flatMap((file) => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n');
    const found = lines.find((line) => /@example\.com|pk_key_|whsec_|sk_test_|Bearer (?!\[)/.test(line));
    return found === undefined ? [] : [wrong('secret_logged', `${file}: ${found}`)];
  });
}
