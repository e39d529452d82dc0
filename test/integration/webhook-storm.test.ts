/**
 * A storm of webhooks: more than a thousand events of one vendor, each delivered one to five times, shuffled, some late,
 * some forged. Whatever the order, our books end where the vendor's do, each thing is told once, and nothing happens at the vendor because of it.
 *
 * `SEED=<n>` plays a storm again; the seed of each run is printed.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { invoices, subscriptionEvents } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { chargeAttempts, disputes, payments, refunds } from '../../db/schema/payments.ts';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import { seededRandom, shuffled } from '../../integrations/sandbox/random.ts';
import { toCardCharge } from '../../integrations/stripe/transform.ts';
import { eventually } from '../../scripts/processes.ts';
import { inLanes } from '../faults/driver.ts';
import { checkBooks } from '../stories/books.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestApi,
  type TestTenant,
  testConfig,
} from '../support/api.ts';
import { type Processes, startProcesses } from './api-processes.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
const random = seededRandom(seed);
const EACH = 40;
/** Partial refunds of one payment, in the vendor's dashboard. */
const REFUNDS = 7;
const [secret = ''] = testConfig.stripe.webhookSecrets;

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;
let stripe: Stripe;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  tenant = await api.tenant();
  const { hostname: host, port } = new URL(processes.stripe.url);
  stripe = new Stripe('sk_test_storm', { host, port, protocol: 'http' });
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

it('ends where the vendor does, whatever is delivered, however often and in whatever order', async () => {
  console.log(`a storm of webhooks, SEED=${seed}`);
  await takePayments();
  const events = await vendorEvents();
  expect(events.length).toBeGreaterThan(1000);
  const before = processes.stripe.effects().length;
  const implied = impliedByVendor();

  const deliveries = shuffled(
    events.flatMap((event) => Array.from({ length: 1 + Math.floor(random() * 5) }, () => event)),
    random,
  );
  const lateAt = Math.floor(deliveries.length * 0.8);
  const late = deliveries.splice(lateAt);
  await deliverAll(deliveries);
  await untilWorkedOn();
  await deliverAll(late);
  await untilWorkedOn();

  expect(await ourStates()).toEqual(await vendorStates());
  expect(await ourNews(), 'each thing is told once, and nothing else').toEqual(implied);
  expect(processes.stripe.effects().length, 'nothing new at the vendor').toBe(before);
  const stored = await api.sql('SELECT count(*)::int AS count FROM inbox_events');
  expect(stored[0].count, 'each event once, none of the forged ones').toBe(events.length);
  await checkBooks({ db: api.db, tenantId: tenant.tenantId, ...processes });
}, 400_000);

/** Paid, refused, at the bank; then the dashboard gives back, banks decide, and customers' banks want money back. */
async function takePayments(): Promise<void> {
  const { stripe: sandbox } = processes;
  const paid: string[] = [];
  await inLanes(3 * EACH, async () => void paid.push(await pay(['succeeded'])));
  await inLanes(EACH, async () => void (await pay(['insufficient_funds'])));
  const atBank: string[] = [];
  await inLanes(EACH, async () => void atBank.push(await pay(['processing'])));
  for (const [index, id] of atBank.entries())
    sandbox.settle(id, index % 2 === 0 ? 'succeeded' : 'insufficient_funds');
  for (const id of paid.slice(0, EACH)) {
    for (let count = 0; count < REFUNDS; count += 1) {
      const refund = sandbox.refund({ paymentIntent: id, amount: 100 + count });
      if (count === REFUNDS - 1) sandbox.failRefund(refund);
    }
  }
  for (const [index, paymentIntent] of paid.slice(EACH, 2 * EACH).entries()) {
    const dispute = sandbox.openDispute({ paymentIntent });
    if (index % 3 !== 0) sandbox.closeDispute(dispute, index % 3 === 1 ? 'won' : 'lost');
  }
}

/** A subscription that starts with a payment; returns the vendor's id of the payment. */
async function pay(outcomes: string[]): Promise<string> {
  const ask = async (method: string, path: string, body: unknown): Promise<Json> => {
    const answer = await api.request(method, path, { token: tenant.token, body });
    expect([200, 201, 402]).toContain(answer.status);
    return answer.body;
  };
  const customer = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const { id: customerId } = await ask('POST', '/v1/customers', customer);
  const subscription = { customerId, planCode: 'pro-monthly', start: 'payment' };
  const { id } = await ask('POST', '/v1/subscriptions', subscription);
  const paymentMethodId = processes.stripe.createCard({ outcomes });
  await ask('PUT', `/v1/subscriptions/${id}/payment_method`, { paymentMethodId });
  // Whichever comes first, the invoice or the card: the charge follows.
  let charged: string | null | undefined;
  const isCharged = async () => {
    const { body } = await api.request('GET', `/v1/invoices?subscriptionId=${id}`, { token: tenant.token });
    const isFor = ({ businessRef }: { businessRef: string | null }) => businessRef === body.data[0]?.id;
    charged = processes.stripe
      .effects()
      .findLast((effect) => isFor(effect) && effect.objectId !== null)?.objectId;
    return charged != null;
  };
  if (!(await eventually(isCharged, 60_000))) throw new Error(`Nobody was asked to pay for ${id}`);
  return charged ?? '';
}

async function vendorEvents(): Promise<Stripe.Event[]> {
  const events: Stripe.Event[] = [];
  for await (const event of stripe.events.list({ limit: 100 })) events.push(event);
  return events;
}

/** Every tenth delivery has a forged one beside it, which is refused and leaves nothing. */
async function deliverAll(events: readonly Stripe.Event[]): Promise<void> {
  await inLanes(events.length, async (index) => {
    const event = events[index] as Stripe.Event;
    const body = JSON.stringify(event);
    if (index % 10 === 0) {
      const forged = body.replace(event.id, `${event.id}_forged`);
      expect((await deliver(forged, sign(body))).status).toBe(400);
    }
    expect((await deliver(body, sign(body))).status).toBe(200);
    if (index % 50 === 0) await processes.deliver();
  });
}

function deliver(body: string, signature: string) {
  return api.request('POST', '/webhooks/stripe', {
    key: null,
    body,
    headers: { 'stripe-signature': signature },
  });
}

function sign(payload: string): string {
  return Stripe.webhooks.generateTestHeaderString({ payload, secret });
}

async function untilWorkedOn(): Promise<void> {
  const isDone = async () => {
    await processes.deliver();
    const [waiting] = await api.sql(
      "SELECT (SELECT count(*) FROM inbox_events WHERE status = 'received')::int + (SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND topic LIKE 'workflow%')::int AS count",
    );
    return waiting.count === 0;
  };
  expect(await eventually(isDone, 180_000), 'every event is worked on').toBe(true);
}

type States = Record<string, { status: string; refundedMinor: number; disputes: string[] }>;

async function vendorStates(): Promise<States> {
  const states: States = {};
  const open = new Map<string, string[]>();
  for await (const { payment_intent: paymentIntent, status } of stripe.disputes.list({ limit: 100 })) {
    const id = String(paymentIntent);
    open.set(id, [...(open.get(id) ?? []), status === 'won' || status === 'lost' ? status : 'open']);
  }
  const expand = ['data.latest_charge.refunds'];
  for await (const intent of stripe.paymentIntents.list({ limit: 100, expand })) {
    const charge = toCardCharge(intent);
    states[intent.id] = {
      status: charge.status,
      refundedMinor: charge.refunds
        .filter(({ status }) => status === 'succeeded')
        .reduce((sum, { amount }) => sum + amount.amountMinor, 0),
      disputes: open.get(intent.id) ?? [],
    };
  }
  return states;
}

function ourStates(): Promise<States> {
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const received = new Map((await tx.select().from(payments)).map((row) => [row.externalId, row]));
    const wanted = await tx.select().from(disputes);
    const attempts = await tx.select().from(chargeAttempts);
    return Object.fromEntries(
      attempts.flatMap(({ externalId, status }) => {
        if (externalId === null) return [];
        const payment = received.get(externalId);
        const own = wanted.filter(({ paymentId }) => paymentId === payment?.id);
        const state = {
          status,
          refundedMinor: payment?.refundedMinor ?? 0,
          disputes: own.map((each) => each.status),
        };
        return [[externalId, state]];
      }),
    );
  });
}

/** What is told of each invoice: kinds of the timeline, and what its mails are about. */
type News = Record<string, string[]>;

/** What the vendor's own log implies, whatever was delivered of it, and how often. */
function impliedByVendor(): News {
  const sentBack = new Set(effectsOf('refunds.fail').map(({ objectId }) => objectId));
  const asked = effectsOf('payment_intents.create', 'payment_intents.settle');
  return byInvoice([
    // What `pay` asks for.
    ...[...new Set(asked.map(({ businessRef }) => businessRef))].flatMap((invoiceId) =>
      told(invoiceId, 'created', 'invoice_issued', 'payment_method_changed'),
    ),
    ...asked.flatMap(({ businessRef: invoiceId, outcome, detail }) => {
      if (outcome === 'refused')
        return told(invoiceId, 'charge_failed', `mail invoice:${invoiceId}:payment_failed`);
      if (detail !== 'succeeded') return [];
      return told(
        invoiceId,
        'payment_received',
        'activated',
        'access full',
        `mail invoice:${invoiceId}:paid`,
      );
    }),
    ...effectsOf('refunds.create')
      .filter(({ objectId }) => !sentBack.has(objectId))
      .flatMap(({ businessRef, objectId }) =>
        told(businessRef, 'payment_refunded', `mail refund:${objectId}`),
      ),
    ...effectsOf('disputes.open').flatMap(({ businessRef }) => told(businessRef, 'dispute_opened')),
    ...effectsOf('disputes.close').flatMap(({ businessRef, detail }) =>
      detail === 'won'
        ? told(businessRef, 'dispute_won')
        : told(businessRef, 'dispute_lost', 'cancelled', 'access none'),
    ),
  ]);
}

function effectsOf(...ops: string[]): Effect[] {
  return processes.stripe.effects().filter(({ op, outcome }) => ops.includes(op) && outcome !== 'replay');
}

type Told = readonly [invoiceId: string | null, what: string];

const told = (invoiceId: string | null, ...lines: string[]): Told[] => lines.map((line) => [invoiceId, line]);

function ourNews(): Promise<News> {
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const issued = await tx.select().from(invoices);
    const invoiceOf = new Map<string | null, string>(issued.map((row) => [row.subscriptionId, row.id]));
    const vendorsName = new Map((await tx.select().from(refunds)).map((row) => [row.id, row.externalId]));
    const timeline = await tx.select().from(subscriptionEvents);
    const mails = await tx.select().from(notifications);
    return byInvoice([
      ...timeline.flatMap(({ subscriptionId, kind, details }): Told[] => {
        const { to, code } = details as { to?: string; code?: string };
        // The invoice may have come before the card: the vendor was not asked then.
        if (code === 'payment_method_missing') return [];
        return told(invoiceOf.get(subscriptionId) ?? null, kind === 'access_changed' ? `access ${to}` : kind);
      }),
      ...mails.flatMap(({ subscriptionId, dedupeKey }) => {
        const about = dedupeKey.replace(/(?<=^refund:)[^:]+/, (id) => vendorsName.get(id) ?? id);
        return told(invoiceOf.get(subscriptionId) ?? null, `mail ${about}`);
      }),
    ]);
  });
}

function byInvoice(lines: readonly Told[]): News {
  const groups = Object.entries(Object.groupBy(lines, ([invoiceId]) => invoiceId ?? 'none'));
  return Object.fromEntries(groups.map(([id, own = []]) => [id, own.map(([, what]) => what).toSorted()]));
}
