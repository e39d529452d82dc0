/**
 * Coupons, referrals and the offer to come back, from the API to the charge: what a coupon takes off is what the card is not
 * charged, and what was never paid is never credited.
 */
import { describe, expect } from 'vitest';
import { cancelNow, changePlan, customerOf, previewChange } from './acts.ts';
import { converts, renewsFor, startsFor, trialBeginsWithCard, trialMessages } from './beginnings.ts';
import { mailsOf, newCustomer, useCard } from './people.ts';
import { type Actor, createStage, type Stage, type Story } from './stage.ts';
import type { Answer, Body, World } from './world.ts';

/** `trialCard`: it starts as a trial, with a card whose issuer answers so. */
type CouponStory = Story & { terms?: Body; isReferred?: boolean; trialCard?: string[] };

/** March has 31 days: the first period ends on day 31, the second on day 61. */
const play = { startsAt: '2031-03-01T10:00:00Z', days: 93 };

let coupons = 0;

const { tell }: Stage<CouponStory> = createStage<Actor, CouponStory>({
  ...play,
  async begin(world, stories) {
    const actors: Actor[] = [];
    for (const { terms, isReferred = false, trialCard } of stories) {
      const [couponCode, referralCode] = [await couponOf(world, terms), await referralOf(world, isReferred)];
      const body = {
        planCode: 'pro-monthly',
        start: trialCard ? 'trial' : 'payment',
        couponCode,
        referralCode,
      };
      const { id } = await world.ok('POST', '/v1/subscriptions', {
        customerId: await newCustomer(world),
        ...JSON.parse(JSON.stringify(body)),
      });
      await useCard(world, id, ...(trialCard ?? ['succeeded']));
      const { startedAt } = await world.ok('GET', `/v1/subscriptions/${id}`);
      actors.push({ world, subscriptionId: id, from: startedAt });
    }
    return actors;
  },
});

describe('a coupon', () => {
  tell('for two periods is gone with the third', {
    terms: { percent: 20, periods: 2 },
    happens: [
      ...startsFor('USD 23.20'),
      ...renewsFor(31, 'USD 23.20'),
      ...renewsFor(61, 'USD 29.00'),
      ...renewsFor(92, 'USD 29.00'),
    ],
  });

  tell('that was used once is worth in an upgrade what was paid, no more', {
    terms: { percent: 50, periods: 1 },
    on: {
      12: async (actor) => {
        const asked = { planCode: 'plus-monthly' };
        expect(await previewChange(actor, asked)).toMatchObject({
          body: { lines: [{ amountMinor: -889 }, { amountMinor: 6068 }], dueMinor: 5179 },
        });
        expect(await changePlan(actor, asked)).toMatchObject({ body: { outcome: 'paid' } });
      },
    },
    happens: [
      ...startsFor('USD 14.50'),
      ...upgradesFor(12, 'USD 51.79'),
      ...renewsFor(31, 'USD 99.00'),
      ...renewsFor(61, 'USD 99.00'),
      ...renewsFor(92, 'USD 99.00'),
    ],
  });

  tell('for ever also reduces an upgrade, until it is taken off', {
    terms: { percent: 50 },
    on: {
      12: async (actor) => {
        expect(await previewChange(actor, { planCode: 'plus-monthly' })).toMatchObject({
          body: { nextInvoice: { totalMinor: 4950 } },
        });
        await changePlan(actor, { planCode: 'plus-monthly' });
      },
      40: ({ world, subscriptionId }) =>
        world.ok('POST', `/v1/subscriptions/${subscriptionId}/remove_coupon`, {}),
    },
    happens: [
      ...startsFor('USD 14.50'),
      ...upgradesFor(12, 'USD 21.45'),
      ...renewsFor(31, 'USD 49.50'),
      'day 40 coupon_removed',
      ...renewsFor(61, 'USD 99.00'),
      ...renewsFor(92, 'USD 99.00'),
    ],
  });

  tell('that makes a period free charges no card for it', {
    terms: { percent: 100, periods: 1 },
    happens: [
      'day 0 created',
      'day 0 invoice_issued',
      'day 0 activated',
      'day 0 access full',
      'day 0 payment_method_changed',
      ...renewsFor(31, 'USD 29.00'),
      ...renewsFor(61, 'USD 29.00'),
      ...renewsFor(92, 'USD 29.00'),
    ],
  });
});

describe('the coupon of a trial', () => {
  tell('that takes off one period is not used up by a conversion that is declined', {
    terms: { percent: 50, periods: 1 },
    trialCard: ['insufficient_funds', 'succeeded'],
    on: { 5: async (actor) => expect(await convert(actor)).toMatchObject({ status: 402 }) },
    happens: [
      ...trialBeginsWithCard,
      'day 5 charge USD 14.50 refused insufficient_funds',
      'day 5 invoice_issued',
      'day 5 charge_failed',
      ...trialMessages(7, 12, 13),
      ...convertsFor('USD 14.50'),
      ...renewsFor(45, 'USD 29.00'),
      ...renewsFor(75, 'USD 29.00'),
    ],
  });

  tell('that takes off two periods is not counted for a conversion that nobody confirms', {
    terms: { percent: 20, periods: 2 },
    trialCard: ['authentication_required', 'succeeded'],
    on: { 5: convert },
    happens: [
      ...trialBeginsWithCard,
      'day 5 charge USD 23.20 refused authentication_required',
      'day 5 link requires_action',
      'day 5 invoice_issued',
      'day 5 charge_requires_action',
      'day 5 mail payment_action_required sent',
      ...trialMessages(7, 12, 13),
      'day 14 cancel charge canceled',
      'day 14 charge USD 23.20 succeeded',
      'day 14 conversion_lapsed',
      ...convertsFor('USD 23.20').slice(1),
      ...renewsFor(45, 'USD 23.20'),
      ...renewsFor(75, 'USD 29.00'),
    ],
  });
});

describe('a referral', () => {
  tell('is rewarded with the first payment', {
    isReferred: true,
    happens: [
      ...rewarded(startsFor('USD 29.00')),
      ...renewsFor(31, 'USD 29.00'),
      ...renewsFor(61, 'USD 29.00'),
      ...renewsFor(92, 'USD 29.00'),
    ],
    finally: async (actor) => {
      const { referredBy } = await customerOf(actor);
      expect(await actor.world.ok('GET', `/v1/customers/${referredBy}`)).toMatchObject({ creditMinor: 580 });
    },
  });
});

describe('who has left', () => {
  tell('is offered a code in the last mail, which pays for the first period after coming back', {
    on: { 10: cancelNow, 35: comeBack },
    happens: [
      ...startsFor('USD 29.00'),
      'day 10 cancelled',
      'day 10 access none',
      'day 10 mail subscription_ended sent',
      'day 17 win_back',
      'day 17 mail win_back_1 sent',
      'day 31 win_back',
      'day 31 mail win_back_2 sent',
      'day 40 data_kept',
    ],
  });
});

/** With the code of the mail, as the customer reads it. */
async function comeBack(actor: Actor): Promise<void> {
  const { world, subscriptionId } = actor;
  const { text } = (await mailsOf(world, subscriptionId)).at(-1) ?? { text: '' };
  const [, code, percent] = /code \*{0,2}(BACK-[0-9A-Z]{10})\*{0,2} takes (\d+) % off/.exec(text ?? '') ?? [];
  const { id: customerId } = await customerOf(actor);
  const body = { customerId, planCode: 'pro-monthly', start: 'payment', couponCode: code };
  const { id } = await world.ok('POST', '/v1/subscriptions', body);
  await useCard(world, id, 'succeeded');
  await world.settle();
  const { data } = await world.ok('GET', `/v1/invoices?subscriptionId=${id}`);
  expect(data).toMatchObject([{ totalMinor: percent === '20' ? 2320 : 1450, status: 'paid' }]);
}

async function couponOf(world: World, terms: Body | undefined): Promise<string | undefined> {
  if (terms === undefined) return undefined;
  coupons += 1;
  return (await world.ok('POST', '/v1/coupons', { code: `STORY-${coupons}`, ...terms })).code;
}

async function referralOf(world: World, isReferred: boolean): Promise<string | undefined> {
  if (!isReferred) return undefined;
  const id = await newCustomer(world);
  return (await world.ok('POST', `/v1/customers/${id}/referral_code`, {})).code;
}

function convert({ world, subscriptionId }: Actor): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${subscriptionId}/convert`);
}

/** At the end of the trial. */
function convertsFor(amount: string): string[] {
  return converts('day 14').map((line) => line.replace('USD 29.00', amount));
}

function upgradesFor(day: number, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} invoice_issued`,
    `day ${day} change_requested`,
    `day ${day} payment_received`,
    `day ${day} plan_changed`,
    `day ${day} mail plan_upgraded sent`,
  ];
}

function rewarded(lines: string[]): string[] {
  return lines.flatMap((line) => (line === 'day 0 access full' ? [line, 'day 0 referral_rewarded'] : [line]));
}
