/** Addresses, tax ids, the seller and its rates as callers send and get them. */
import { z } from 'zod';
import { type PriceDisplay, priceDisplays } from '../../domain/billing/tax.ts';
import { type TaxEngineName, taxEngineNames } from '../../domain/billing/tax-engine.ts';
import { type TaxIdKind, taxIdKinds } from '../../domain/billing/tax-id.ts';
import { type TaxKind, taxKinds } from '../../domain/billing/tax-rate.ts';
import { countries } from '../../domain/countries.ts';
import { dayInput, id, idPattern, instant, text } from '../schemas.ts';

export const country = z
  .enum(countries as [string, ...string[]])
  .meta({ id: 'Country', description: 'ISO 3166-1 alpha-2 code, upper case.', example: 'DE' });

/** What a state is called by its country: `29`, `CA`, `NSW`. */
const region = z
  .string()
  .regex(/^[A-Z0-9]{1,8}$/, 'must be the code of the state: up to 8 capitals and digits')
  .meta({
    description:
      "The state. In India the two digits of the GST code, and needed; elsewhere the country's own code.",
    example: 'CA',
  });

const addressFields = {
  country,
  region: region.nullable(),
  postalCode: z.string().nullable(),
  lines: z.array(z.string()),
};

/** As it is answered. */
export const address = z.object(addressFields).meta({ id: 'Address' });

export const addressInput = z
  .strictObject({
    country,
    region: region.nullable().default(null),
    postalCode: text(20).nullable().default(null),
    lines: z
      .array(text(200))
      .max(5)
      .default([])
      .meta({ description: 'Street, house, and the town last.', example: ['Unter den Linden 1', 'Berlin'] }),
  })
  .meta({ id: 'NewAddress' });

/** Its form is checked by the country it belongs to. */
export const taxId = z
  .string()
  .regex(/^[A-Za-z0-9 .+*-]{2,40}$/, 'must be 2 to 40 letters, digits, spaces, dots and hyphens')
  .meta({
    description:
      'A VAT id with the prefix of its country, or a GSTIN with its check character. Only the form is checked, not whether the id exists. Kept without spaces, dots and hyphens.',
    example: 'DE123456789',
  });

const priceDisplay = z.enum(priceDisplays as [PriceDisplay, ...PriceDisplay[]]).meta({
  description: 'Whether the prices of plans are without tax (it is added) or contain it.',
});

export const taxEngine = z.enum(taxEngineNames as [TaxEngineName, ...TaxEngineName[]]).meta({
  description: "Who says which tax an invoice bears: the tenant's own rates, or Stripe Tax.",
});

const taxIdKind = z
  .enum(taxIdKinds as [TaxIdKind, ...TaxIdKind[]])
  .meta({ description: 'other: taken as it is.' });

export const taxSettings = z
  .object({
    legalName: z
      .string()
      .nullable()
      .meta({ description: 'Null until there are settings: no tax is charged.' }),
    address: z.union([address, z.null()]),
    taxIds: z.array(z.object({ kind: taxIdKind, value: z.string() })),
    priceDisplay,
    engine: taxEngine,
    updatedAt: instant.nullable(),
  })
  .meta({ id: 'TaxSettings' });

export type TaxSettingsBody = z.infer<typeof taxSettings>;

export const newTaxSettings = z
  .strictObject({
    legalName: text(200).meta({ example: 'Acme Books GmbH' }),
    address: addressInput,
    taxIds: z
      .array(z.strictObject({ kind: taxIdKind, value: taxId }))
      .max(10)
      .default([]),
    priceDisplay: priceDisplay.default('exclusive'),
    engine: taxEngine.default('own_rates'),
  })
  .meta({ id: 'NewTaxSettings' });

const percent = z
  .string()
  .regex(
    /^(?:100(?:\.0{1,6})?|\d{1,2}(?:\.\d{1,6})?)$/,
    'must be a decimal from 0 to 100 in quotes, with at most six decimals, such as "19" or "9.975"',
  )
  .meta({ description: 'An exact decimal from 0 to 100, as a string.', example: '19' });

const rateFields = {
  country,
  kind: z.enum(taxKinds as [TaxKind, ...TaxKind[]]),
  name: text(40).meta({ description: 'As customers read it.', example: 'VAT' }),
  percent,
};

const validFrom = {
  description: "The first day it holds, in the seller's time zone.",
  example: '2026-01-01',
};

export const taxRate = z
  .object({
    id: id('rate', 'tax rate'),
    ...rateFields,
    name: z.string(),
    validFrom: z.iso.date().meta(validFrom),
    region: region.nullable(),
    archivedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'TaxRate' });

export type TaxRateBody = z.infer<typeof taxRate>;

export const newTaxRate = z
  .strictObject({
    ...rateFields,
    validFrom: dayInput.meta(validFrom),
    region: region.nullable().default(null),
  })
  .meta({ id: 'NewTaxRate' });

export const taxRateParams = z.strictObject({ rateId: id('rate', 'tax rate') });

export const taxRateCursor = idPattern('rate');

export const exampleTaxSettings: TaxSettingsBody = {
  legalName: 'Acme Books GmbH',
  address: {
    country: 'DE',
    region: null,
    postalCode: '10117',
    lines: ['Unter den Linden 1', 'Berlin'],
  },
  taxIds: [{ kind: 'vat', value: 'DE123456789' }],
  priceDisplay: 'exclusive',
  engine: 'own_rates',
  updatedAt: '2026-11-21T09:00:00.000Z',
};

export const exampleTaxRate: TaxRateBody = {
  id: 'rate_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  country: 'DE',
  region: null,
  kind: 'vat',
  name: 'VAT',
  percent: '19',
  validFrom: '2021-01-01',
  archivedAt: null,
  createdAt: '2026-11-21T09:00:00.000Z',
};
