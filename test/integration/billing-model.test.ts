/**
 * Random lives of subscriptions, compared with a model of a few pages after every command; in the end the books of all of
 * them together. `SEED=` repeats a run, `ONLY=` one of its lives.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../integrations/sandbox/random.ts';
import { checkBooks } from '../stories/books.ts';
import { type Command, Model, prices } from './billing-model.ts';
import { createSeller, Reality, type Seen } from './billing-reality.ts';
import { createScene, type Scene } from './collection-scene.ts';

const LIVES = 2000;
const LANES = 6;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
const only = process.env['ONLY'];

let scene: Scene;
let tenantId: string;

beforeAll(async () => {
  scene = await createScene();
  tenantId = await createSeller(scene);
});
afterAll(() => scene?.close());

describe('random lives', () => {
  it('go as the model says, each of two thousand', async () => {
    console.log(`random lives, SEED=${seed}`);
    const lives = (
      only === undefined ? Array.from({ length: LIVES }, (_, index) => index) : [Number(only)]
    ).values();
    const met = new Set<string>();
    const lane = async () => {
      for (const life of lives) for (const each of await live(life)) met.add(each);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    if (only === undefined) expect([...met].sort()).toEqual(everything);
    await checkBooks({
      db: scene.db,
      tenantId,
      stripe: scene.sandbox,
      razorpay: scene.razorpay,
      coinbase: scene.coinbase,
    });
  }, 1_800_000);

  it('that are booked wrongly are found out (negative control)', async () => {
    const careless: Scene = {
      ...scene,
      activities: {
        ...scene.activities,
        billing: {
          ...scene.activities.billing,
          // A difference that nobody is billed.
          changePlan: (input) => scene.activities.billing.changePlan({ ...input, proration: 'none' }),
        },
      },
    };
    let isFound = false;
    for (let life = 0; life < 200 && !isFound; life += 1) {
      isFound = await live(life, careless).then(
        () => false,
        () => true,
      );
    }
    expect(isFound).toBe(true);
  }, 300_000);
});

const everything = [
  'cancel',
  'cancel refused',
  'cancel_at_end',
  'cancel_at_end refused',
  'change',
  'change refused',
  'lose_dispute',
  'lose_dispute refused',
  'new_card',
  'new_card refused',
  'pass',
  'pause',
  'pause refused',
  'refund',
  'refund refused',
  'resume',
  'resume refused',
  'told_again',
  'undo_cancel',
  'undo_cancel refused',
  'undo_change',
  'undo_change refused',
  'wire',
  'wire refused',
];

/** Returns what it has met. */
async function live(life: number, where: Scene = scene): Promise<string[]> {
  const random = seededRandom(seed * LIVES + life);
  // Any day and minute of three years, leap day and ends of months among them.
  const start = Date.UTC(2027, 0, 1) + Math.floor(random() * 3 * 365 * 24 * 60) * 60_000;
  const price = pick(random, prices);
  const [model, reality] = [new Model(start, price), new Reality(where, { tenantId, random })];
  await reality.begin(start, price);
  const told: string[] = [`${new Date(start).toISOString()} at ${price}`];
  const met: string[] = [];
  const compare = async () =>
    expect(await reality.see(), `SEED=${seed} ONLY=${life}: ${told.join('; ')}`).toEqual(seen(model));
  await compare();
  const length = 3 + Math.floor(random() * 4);
  for (let step = 0; step < length; step += 1) {
    const command = commandOf(random);
    told.push(JSON.stringify(command));
    const isDone = model.apply(command);
    const wasDone = await reality.apply(command);
    met.push(isDone ? command.kind : `${command.kind} refused`);
    expect(wasDone, `SEED=${seed} ONLY=${life}: ${told.join('; ')}`).toBe(isDone);
    await compare();
  }
  return met;
}

function seen({ status, price, periodEndsAt, credit, invoices }: Model): Seen {
  return {
    status,
    price,
    periodEndsAt,
    credit,
    invoices: invoices.map((each) =>
      [each.kind, each.status, each.total, each.paid, each.refunded, each.disputed].join(' '),
    ),
  };
}

function commandOf(random: Random): Command {
  const outcome = pick(random, ['succeeded', 'succeeded', 'insufficient_funds'] as const);
  const hours = pick(random, [1, 30, 200, 500, 800]) + Math.floor(random() * 24);
  switch (pick(random, kinds)) {
    case 'pass':
      return { kind: 'pass', hours, outcome };
    case 'wire':
      return { kind: 'wire', amount: pick(random, ['exact', 'half', 'over'] as const) };
    case 'change': {
      const proration = pick(random, ['invoice_now', 'invoice_now', 'next_invoice', 'none'] as const);
      return { kind: 'change', price: pick(random, prices), proration, outcome };
    }
    case 'refund':
      return { kind: 'refund', part: pick(random, ['all', 'third'] as const) };
    case 'plain':
      return { kind: pick(random, plain) };
  }
}

const kinds = [
  'pass',
  'pass',
  'pass',
  'wire',
  'change',
  'change',
  'change',
  'refund',
  'plain',
  'plain',
] as const;
const plain = [
  'new_card',
  'undo_change',
  'cancel',
  'cancel_at_end',
  'undo_cancel',
  'pause',
  'resume',
  'lose_dispute',
  'told_again',
] as const;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}
