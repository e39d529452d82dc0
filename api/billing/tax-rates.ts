/** Tax rates: create, list, archive. A rate never changes in place: create another that holds from its day on. */
import { z } from 'zod';
import {
  archiveTaxRate,
  createTaxRate,
  listTaxRates,
  type TaxRateRow,
} from '../../db/queries/billing/tax.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { normalisedPercent } from '../../domain/billing/tax-rate.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { archivedFilter } from './plans.schemas.ts';
import {
  country,
  exampleTaxRate,
  newTaxRate,
  type TaxRateBody,
  taxRate,
  taxRateCursor,
  taxRateParams,
} from './tax.schemas.ts';
import { checkRegion } from './tax-mistakes.ts';

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/tax_rates',
  operationId: 'createTaxRate',
  tag: 'Tax',
  scope: 'billing:write',
  summary: 'Create a tax rate',
  description:
    "It holds for customers of that country (or state) from its first day on, until a later one of its kind does. India's GST is entered whole and split into CGST and SGST, or charged as IGST.",
  body: newTaxRate,
  example: { country: 'DE', kind: 'vat', name: 'VAT', percent: '19', validFrom: '2021-01-01' },
  responses: {
    201: {
      description: 'The new rate.',
      schema: taxRate,
      example: exampleTaxRate,
      links: {
        ArchiveTaxRate: { operationId: 'archiveTaxRate', parameters: { rateId: '$response.body#/id' } },
      },
    },
  },
  problems: ['already_exists', 'tax_details_unusable'],
  handler: async ({ tx, caller: { tenantId, actor }, now, body }) => {
    checkRegion(body);
    const row = await createTaxRate(tx, { ...body, tenantId, percent: normalisedPercent(body.percent) });
    if (row === null) {
      throw new Problem({
        code: 'already_exists',
        detail: `There is already a rate of this kind there from ${body.validFrom} on; archive it first.`,
        reason: 'tax_rate_exists',
      });
    }
    await audit(tx, row, 'tax_rate.created', { tenantId, actor, at: now });
    return { status: 201, body: toTaxRate(row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/tax_rates',
  operationId: 'listTaxRates',
  tag: 'Tax',
  scope: 'billing:read',
  summary: 'List tax rates, newest first',
  query: z.strictObject({
    ...pageQuery(taxRateCursor),
    country: country.optional(),
    archived: archivedFilter,
  }),
  responses: { 200: { description: 'A page of rates.', schema: pageOf(taxRate) } },
  handler: async ({ tx, query: { limit, cursor, country, archived } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listTaxRates(tx, { archived: archived === 'true', country, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toTaxRate,
    }),
  }),
});

const archive = route({
  effect: 'write',
  method: 'post',
  path: '/v1/tax_rates/{rateId}/archive',
  operationId: 'archiveTaxRate',
  tag: 'Tax',
  scope: 'billing:write',
  summary: 'Charge a rate no longer',
  description:
    'Invoices that were issued keep it; the rate of its kind before it holds again, if there is one.',
  params: taxRateParams,
  body: emptyBody,
  responses: { 200: { description: 'The archived rate.', schema: taxRate } },
  handler: async ({ tx, caller: { tenantId, actor }, now, params: { rateId } }) => {
    const row = await archiveTaxRate(tx, { id: rateId, at: now });
    if (row === null) throw notFound('tax rate', rateId);
    await audit(tx, row, 'tax_rate.archived', { tenantId, actor, at: now });
    return { status: 200, body: toTaxRate(row) };
  },
});

export const taxRateRoutes: readonly Route[] = [create, list, archive];

function audit(
  tx: Parameters<typeof writeAudit>[0],
  { id, country, percent, validFrom }: TaxRateRow,
  action: string,
  by: { tenantId: string; actor: string; at: Date },
): Promise<void> {
  const details = { country, percent, validFrom };
  return writeAudit(tx, { ...by, action, entityType: 'tax_rate', entityId: id, details });
}

function toTaxRate(row: TaxRateRow): TaxRateBody {
  const { id, country, region, kind, name, percent, validFrom } = row;
  return {
    id,
    country,
    region,
    kind,
    name,
    percent,
    validFrom,
    archivedAt: row.archivedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
