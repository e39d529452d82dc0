/**
 * The customer and the card at the vendor: a payment method that is given makes one customer there and one attachment,
 * however often it is given, whatever is lost and whenever the worker dies. The vendor's own log decides, which the
 * stories' lists of effects leave out for customers and payment methods.
 */
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { customers, plans, subscriptionEvents } from '../../db/schema/billing.ts';
import type { FaultKind } from '../../integrations/sandbox/faults.ts';
import { createStripe } from '../../integrations/stripe/connection.ts';
import { createScene, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
const at = '2026-02-01T10:00:00.000Z';

let scene: Scene;
/** Whose customers subscribe here. */
let tenantId: string;

beforeAll(async () => {
  scene = await createScene();
  ({ tenantId } = await scene.dueSubscription('endTrial'));
});

afterAll(() => scene?.close());

describe('a payment method that is given', () => {
  it('makes one customer and one attachment at the vendor, however often it is given', async () => {
    const giving = await newGiving();
    for (const requestId of ['once', 'once', 'again']) await give({ ...giving, requestId });
    await expectMadeOnce(giving, { requests: 2 });
  });

  it('for another subscription of the customer makes no second customer', async () => {
    const giving = await newGiving();
    await give(giving);
    await give({ ...giving, subscriptionId: await subscribe(giving.customerId), requestId: 'another' });
    await expectMadeOnce(giving, { requests: 2 });
  });

  it.each<[op: string, fault: FaultKind]>([
    ['customers.create', 'drop_answer'],
    ['customers.create', 'error_after'],
    ['payment_methods.attach', 'drop_answer'],
    ['payment_methods.attach', 'error_after'],
    ['customers.update', 'drop_answer'],
    ['customers.update', 'error_after'],
  ])('makes one of each when the answer to %s meets %s, and it is given again', async (op, fault) => {
    const giving = await newGiving();
    scene.sandbox.setFaults({ next: [{ op, fault }] });
    // Some lost answers are looked up at once, the others when the activity runs again.
    await give(giving).catch((error: unknown) => expect(error).toMatchObject({ code: 'outcome_unknown' }));
    await give(giving);
    await expectMadeOnce(giving);
  });

  it('makes one of each, whenever the worker dies and whenever its successor dies too', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const giving = await newGiving();
      const first = await giveUntilDeath(giving, dieAt);
      await giveUntilDeath(giving, 1 + ((dieAt * 5) % 11));
      await give(giving);
      await expectMadeOnce(giving);
      if (first === 'died') continue;
      expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(10);
      return;
    }
  });

  it('makes one of each when the vendor has forgotten our keys before the successor comes', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const giving = await newGiving();
      const first = await giveUntilDeath(giving, dieAt);
      scene.sandbox.forgetIdempotencyKeys();
      await give(giving);
      await expectMadeOnce(giving);
      if (first === 'died') continue;
      expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(10);
      return;
    }
  });
});

/** A customer without a card who gives one. */
type Giving = { customerId: string; subscriptionId: string; card: string; requestId: string };

let people = 0;

async function newGiving(): Promise<Giving> {
  people += 1;
  const name = `person-${people}`;
  const customerId = await withTenant(scene.db, tenantId, async (tx) => {
    const person = { email: `${name}@example.com`, name, externalRef: null, personKey: name };
    return (await createCustomer(tx, { tenantId, currency: 'USD', ...person }))?.id ?? '';
  });
  const card = scene.sandbox.createCard({ outcomes: ['succeeded'] });
  return { customerId, subscriptionId: await subscribe(customerId), card, requestId: 'once' };
}

function subscribe(customerId: string): Promise<string> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [plan] = await tx.select().from(plans);
    if (plan === undefined) throw new Error('The scene has a plan');
    const { context } = await createSubscription(tx, {
      customerId,
      plan,
      start: 'payment',
      at: new Date(at),
    });
    return context.subscription.id;
  });
}

function give({ subscriptionId, card, requestId }: Giving, { stripe } = scene.activities) {
  const request = { tenantId, subscriptionId, requestId, at, actor: 'test' };
  return stripe.attachPaymentMethod({ ...request, paymentMethodId: card });
}

async function giveUntilDeath(giving: Giving, dieAt: number): Promise<'died' | 'finished'> {
  try {
    await give(giving, createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 }));
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}

/** One customer and one attachment in the vendor's log; ours is the one it has, and each request was heard once. */
async function expectMadeOnce(
  { customerId, subscriptionId, card }: Giving,
  { requests = 1 }: { requests?: number } = {},
): Promise<void> {
  const made = scene.sandbox
    .effects()
    .filter(({ businessRef, outcome }) => businessRef === customerId && outcome === 'effect')
    .map(({ op }) => op);
  expect(made.filter((op) => op === 'customers.create')).toHaveLength(1);
  expect(made.filter((op) => op === 'payment_methods.attach')).toHaveLength(1);

  const { customer, changes } = await ours(customerId, subscriptionId);
  const stripe = createStripe({ secretKey: 'sk_test_look', apiBase: scene.sandbox.url });
  const { data } = await stripe.customers.list({ email: customer?.email ?? '' });
  expect(data).toMatchObject([
    { id: customer?.vendorCustomerId, invoice_settings: { default_payment_method: card } },
  ]);
  const cards = await stripe.customers.listPaymentMethods(customer?.vendorCustomerId ?? '');
  expect(cards.data.map(({ id }) => id)).toEqual([card]);
  expect(customer?.defaultPaymentMethodId).toBe(card);
  expect(changes).toBe(requests);
}

function ours(customerId: string, subscriptionId: string) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId));
    const entries = await tx
      .select()
      .from(subscriptionEvents)
      .where(eq(subscriptionEvents.subscriptionId, subscriptionId));
    return {
      customer,
      changes: entries.filter(({ kind }) => kind === 'payment_method_changed').length,
    };
  });
}
