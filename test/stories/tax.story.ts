/**
 * Tax on invoices, from the settings of the seller to the books: added to a price or contained in it, by the place and the
 * kind of the customer, on renewals, changes and refunds. The books of each world are checked at its end, so tax that was
 * charged and not taken back where it had to be fails the whole file.
 */
import { describe, expect } from 'vitest';
import { changePlan, previewChange } from './acts.ts';
import { startsFor } from './beginnings.ts';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { type Act, type Actor, createStage, type Stage, type Story } from './stage.ts';
import type { Body, World } from './world.ts';

/** Whom the story is about; the card pays everything unless it says otherwise. */
type TaxStory = Story & { customer: Body; plan?: string; card?: string[] };

/** March has 31 days: the first period ends on day 31. */
const play = { startsAt: '2031-03-01T10:00:00Z', days: 33 };

const german = {
  legalName: 'Acme Books GmbH',
  address: { country: 'DE', postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
  taxIds: [{ kind: 'vat', value: 'DE 123456789' }],
};
const indian = {
  legalName: 'Sahyadri Software Private Limited',
  address: { country: 'IN', region: '29', postalCode: '560038', lines: ['Indiranagar', 'Bengaluru'] },
  taxIds: [{ kind: 'gstin', value: '29AAPFU0939F1ZR' }],
};
const inGermany = { address: { country: 'DE' } };
const business = { address: { country: 'FR', lines: ['1 rue de la Paix'] }, taxId: 'FR 12345678901' };

describe('a German seller whose prices are without tax', () => {
  const { tell } = stageOf({ ...german, priceDisplay: 'exclusive' });

  tell('adds the tax of the country to each renewal', {
    customer: inGermany,
    happens: [...startsFor('USD 34.51'), ...renewsFor(31, 'USD 34.51')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        subtotalMinor: 2900,
        taxMinor: 551,
        totalMinor: 3451,
        paidMinor: 3451,
        taxTreatment: 'taxed',
        taxInclusive: false,
        notes: [],
        billTo: { addressLines: ['Germany'], taxId: null },
        lines: [
          {
            amountMinor: 2900,
            taxes: [{ name: 'VAT', percent: '19', jurisdiction: 'DE', baseMinor: 2900, amountMinor: 551 }],
          },
        ],
      });
    },
  });

  tell('charges a business in another member state nothing, and says who owes the tax', {
    customer: business,
    happens: [...startsFor('USD 29.00'), ...renewsFor(31, 'USD 29.00')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        subtotalMinor: 2900,
        taxMinor: 0,
        totalMinor: 2900,
        taxTreatment: 'reverse_charge',
        notes: [expect.stringMatching(/^Reverse charge: .*2006\/112\/EC/)],
        billTo: {
          addressLines: ['1 rue de la Paix', 'France'],
          taxId: { label: 'VAT ID', value: 'FR12345678901' },
        },
        lines: [{ taxes: [{ percent: '0', jurisdiction: 'FR', baseMinor: 2900, amountMinor: 0 }] }],
      });
    },
  });

  tell('charges a person there the tax of that country', {
    customer: { address: business.address },
    happens: [...startsFor('USD 34.80'), ...renewsFor(31, 'USD 34.80')],
  });

  tell('charges an exempt customer nothing', {
    customer: { ...inGermany, taxExemption: { reason: 'Charity, certificate 4711' } },
    happens: [...startsFor('USD 29.00'), ...renewsFor(31, 'USD 29.00')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 0)).toMatchObject({
        taxMinor: 0,
        taxTreatment: 'exempt',
        notes: ['Exempt from tax: Charity, certificate 4711'],
        lines: [{ taxes: [] }],
      });
    },
  });

  tell('charges nobody whose place it does not know', {
    customer: {},
    happens: [...startsFor('USD 29.00'), ...renewsFor(31, 'USD 29.00')],
  });

  tell('taxes the difference of an upgrade, as the preview has shown it', {
    customer: inGermany,
    on: {
      12: async (actor) => {
        const shown = await previewChange(actor, { planCode: 'plus-monthly' });
        expect(shown.body).toMatchObject({
          lines: [
            { kind: 'change_credit', amountMinor: -1777, taxMinor: -338 },
            { kind: 'change_charge', amountMinor: 6068, taxMinor: 1153 },
          ],
          taxMinor: 815,
          totalMinor: 5106,
          dueMinor: 5106,
          nextInvoice: { totalMinor: 11_781, taxMinor: 1881 },
        });
        expect((await changePlan(actor, { planCode: 'plus-monthly' })).body.outcome).toBe('paid');
        expect(await invoiceOf(actor, 1)).toMatchObject({ subtotalMinor: 4291, taxMinor: 815 });
      },
    },
    happens: [...startsFor('USD 34.51'), ...isUpgraded(12, 'USD 51.06'), ...renewsFor(31, 'USD 117.81')],
  });

  tell('takes the tax of a credit back as it was charged, when the customer has become a business since', {
    customer: { address: { country: 'FR' } },
    on: {
      12: async (actor) => {
        const { customerId } = await readSubscription(actor.world, actor.subscriptionId);
        await actor.world.ok('PATCH', `/v1/customers/${customerId}`, { taxId: 'FR12345678901' });
        expect((await changePlan(actor, { planCode: 'plus-monthly' })).body.outcome).toBe('paid');
        // 20 % of the credit of 17.77 is taken back, and nothing is charged on the rest.
        expect(await invoiceOf(actor, 1)).toMatchObject({
          subtotalMinor: 4291,
          taxMinor: -355,
          totalMinor: 3936,
          taxTreatment: 'reverse_charge',
        });
      },
    },
    happens: [...startsFor('USD 34.80'), ...isUpgraded(12, 'USD 39.36'), ...renewsFor(31, 'USD 99.00')],
  });

  tell('keeps the tax of what the credits exceed the charges by as credit too', {
    customer: inGermany,
    plan: 'pro-yearly',
    on: {
      12: async (actor) => {
        expect((await changePlan(actor, { planCode: 'plus-monthly' })).body.outcome).toBe('nothing_due');
        const invoice = await invoiceOf(actor, 1);
        expect(invoice).toMatchObject({ totalMinor: 0, taxMinor: -3448, subtotalMinor: 3448 });
        expect(invoice.lines.at(-1)).toMatchObject({ kind: 'to_balance', amountMinor: 21_597, taxes: [] });
      },
    },
    happens: [
      ...startsFor('USD 345.10'),
      'day 12 invoice_issued',
      'day 12 plan_changed',
      'day 12 mail plan_changed sent',
    ],
  });

  tell('gives the tax back with the price, to the last unit', {
    customer: inGermany,
    on: { 5: givesBack(1000), 6: givesBack(1000), 7: givesBack(1451) },
    happens: [
      ...startsFor('USD 34.51'),
      ...refundsOf(5, 'USD 10.00'),
      ...refundsOf(6, 'USD 10.00'),
      ...refundsOf(7, 'USD 14.51'),
      ...renewsFor(31, 'USD 34.51'),
    ],
    finally: async (actor) => {
      const { id } = await invoiceOf(actor, 0);
      const { data } = await actor.world.ok('GET', `/v1/credit_notes?invoiceId=${id}`);
      expect(data.map(({ totalMinor, taxMinor }: Body) => [totalMinor, taxMinor]).reverse()).toEqual([
        [1000, 160],
        [1000, 159],
        [1451, 232],
      ]);
    },
  });

  tell('owes no tax of an upgrade that lapsed unpaid', {
    customer: inGermany,
    card: ['succeeded', 'insufficient_funds', 'succeeded'],
    on: {
      12: (actor) => changePlan(actor, { planCode: 'plus-monthly' }),
      14: async (actor) => {
        expect(await invoiceOf(actor, 1)).toMatchObject({ status: 'void', taxMinor: 815 });
      },
    },
    happens: [
      ...startsFor('USD 34.51'),
      'day 12 charge USD 51.06 refused insufficient_funds',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_failed',
      'day 12 mail payment_failed sent',
      'day 12 +23:00 change_lapsed',
      'day 12 +23:00 mail plan_change_lapsed sent',
      ...renewsFor(31, 'USD 34.51'),
    ],
  });
});

describe('a German seller whose prices contain the tax', () => {
  const { tell } = stageOf({ ...german, priceDisplay: 'inclusive' });

  tell('charges the price and takes the tax out of it', {
    customer: inGermany,
    happens: [...startsFor('USD 29.00'), ...renewsFor(31, 'USD 29.00')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        subtotalMinor: 2437,
        taxMinor: 463,
        totalMinor: 2900,
        taxInclusive: true,
        lines: [{ amountMinor: 2900, taxes: [{ baseMinor: 2437, amountMinor: 463 }] }],
      });
    },
  });

  tell('bills the same difference of an upgrade as without tax', {
    customer: inGermany,
    on: {
      12: async (actor) => {
        await changePlan(actor, { planCode: 'plus-monthly' });
        expect(await invoiceOf(actor, 1)).toMatchObject({
          totalMinor: 4291,
          taxMinor: 685,
          subtotalMinor: 3606,
        });
      },
    },
    happens: [...startsFor('USD 29.00'), ...isUpgraded(12, 'USD 42.91'), ...renewsFor(31, 'USD 99.00')],
  });
});

describe('an Indian seller', () => {
  const { tell } = stageOf({ ...indian, priceDisplay: 'exclusive' });
  const plan = 'gst-monthly';
  const billed = (customer: Body) => ({ customer: { currency: 'INR', ...customer }, plan });

  tell('charges CGST and SGST within its state, with the code of the service and the place of supply', {
    ...billed({ address: { country: 'IN', region: '29' }, taxId: '29AAPFU0939F1ZR' }),
    happens: [...startsFor('INR 1178.88'), ...renewsFor(31, 'INR 1178.88')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        subtotalMinor: 99_905,
        taxMinor: 17_983,
        notes: ['Place of supply: Karnataka (29).', 'Tax is not payable under reverse charge.'],
        lines: [
          {
            taxCode: '998314',
            taxes: [
              { name: 'CGST', percent: '9', jurisdiction: 'IN', baseMinor: 99_905, amountMinor: 8991 },
              { name: 'SGST', percent: '9', jurisdiction: 'IN-29', baseMinor: 99_905, amountMinor: 8992 },
            ],
          },
        ],
      });
    },
  });

  tell('charges IGST in another state', {
    ...billed({ address: { country: 'IN', region: '27' }, taxId: '27AAPFU0939F1ZV' }),
    happens: [...startsFor('INR 1178.88'), ...renewsFor(31, 'INR 1178.88')],
    finally: async (actor) => {
      const { lines } = await invoiceOf(actor, 1);
      expect(lines[0].taxes).toEqual([
        { name: 'IGST', percent: '18', jurisdiction: 'IN', baseMinor: 99_905, amountMinor: 17_983 },
      ]);
    },
  });

  tell('charges nothing on an export, and says so', {
    ...billed({ address: { country: 'JP' } }),
    happens: [...startsFor('INR 999.05'), ...renewsFor(31, 'INR 999.05')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        taxMinor: 0,
        taxTreatment: 'export',
        notes: [expect.stringMatching(/^Supply meant for export/)],
      });
    },
  });
});

/** A world with this seller, who is registered in Germany, France and India. */
function stageOf(seller: Body): Stage<TaxStory> {
  return createStage<Actor, TaxStory>({
    ...play,
    async begin(world, stories) {
      await setUp(world, seller);
      const ids: string[] = [];
      await world.together(async () => {
        for (const [index, story] of stories.entries()) ids.push(await begin(world, story, index));
      });
      return Promise.all(
        ids.map(async (subscriptionId) => {
          const { startedAt } = await readSubscription(world, subscriptionId);
          return { world, subscriptionId, from: startedAt };
        }),
      );
    },
  });
}

async function setUp(world: World, seller: Body): Promise<void> {
  const validFrom = '2020-01-01';
  await world.ok('PUT', '/v1/tax_settings', seller);
  for (const rate of [
    { country: 'DE', kind: 'vat', name: 'VAT', percent: '19' },
    { country: 'FR', kind: 'vat', name: 'VAT', percent: '20' },
    { country: 'IN', kind: 'gst', name: 'GST', percent: '18' },
  ]) {
    await world.ok('POST', '/v1/tax_rates', { ...rate, validFrom });
  }
  await world.ok('POST', '/v1/plans', {
    code: 'gst-monthly',
    name: 'Pro',
    family: 'books',
    priceMinor: 99_905,
    currency: 'INR',
    interval: { unit: 'month' },
    taxCode: '998314',
  });
}

async function begin(
  world: World,
  { customer, plan, card = ['succeeded'] }: TaxStory,
  index: number,
): Promise<string> {
  const person = { email: `taxed-${index}@example.test`, name: `Taxed ${index}`, currency: 'USD' };
  const { id: customerId } = await world.ok('POST', '/v1/customers', { ...person, ...customer });
  const id = await subscribe(world, { customerId, start: 'payment', ...(plan !== undefined && { plan }) });
  await useCard(world, id, ...card);
  return id;
}

/** The subscription's n-th invoice, whole. */
async function invoiceOf({ world, subscriptionId }: Actor, index: number): Promise<Body> {
  const { id } = (await invoicesOf(world, subscriptionId))[index] ?? {};
  return world.ok('GET', `/v1/invoices/${id}`);
}

/** A part of the first payment. */
function givesBack(amountMinor: number): Act {
  return async (actor) => {
    const { id } = await invoiceOf(actor, 0);
    const { data } = await actor.world.ok('GET', `/v1/payments?invoiceId=${id}`);
    return actor.world.ok('POST', `/v1/payments/${data[0].id}/refunds`, { amountMinor });
  };
}

function refundsOf(day: number, amount: string): string[] {
  return [
    `day ${day} refund ${amount}`,
    `day ${day} payment_refunded`,
    `day ${day} mail payment_refunded sent`,
  ];
}

function renewsFor(day: number, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} renewed`,
    `day ${day} invoice_issued`,
    `day ${day} payment_received`,
    `day ${day} mail payment_receipt sent`,
  ];
}

function isUpgraded(day: number, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} invoice_issued`,
    `day ${day} change_requested`,
    `day ${day} payment_received`,
    `day ${day} plan_changed`,
    `day ${day} mail plan_upgraded sent`,
  ];
}
