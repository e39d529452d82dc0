/** Who the tenant is to the tax office. Without settings no invoice bears tax. */
import { findTaxSettings, putTaxSettings, type TaxSettingsRow } from '../../db/queries/billing/tax.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { normalisedTaxId } from '../../domain/billing/tax-id.ts';
import { type Route, route } from '../route.ts';
import { exampleTaxSettings, newTaxSettings, type TaxSettingsBody, taxSettings } from './tax.schemas.ts';
import { checkEngine, checkSeller } from './tax-mistakes.ts';

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/tax_settings',
  operationId: 'getTaxSettings',
  tag: 'Tax',
  scope: 'billing:read',
  summary: 'Read who the seller is',
  responses: {
    200: { description: 'The settings.', schema: taxSettings, example: exampleTaxSettings },
  },
  handler: async ({ tx }) => ({ status: 200, body: toSettings(await findTaxSettings(tx)) }),
});

const put = route({
  effect: 'write',
  method: 'put',
  path: '/v1/tax_settings',
  operationId: 'putTaxSettings',
  tag: 'Tax',
  scope: 'billing:write',
  summary: 'Say who the seller is',
  description:
    'From then on invoices bear the tax of the rates, or of the engine, name the seller, and keep both: what is issued never changes.',
  body: newTaxSettings,
  example: {
    legalName: 'Acme Books GmbH',
    address: { country: 'DE', postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
    taxIds: [{ kind: 'vat', value: 'DE123456789' }],
    priceDisplay: 'exclusive',
  },
  responses: {
    200: { description: 'The settings as they are now.', schema: taxSettings, example: exampleTaxSettings },
  },
  problems: ['tax_details_unusable'],
  handler: async ({ tx, deps, caller: { tenantId, actor }, now, body }) => {
    checkEngine(body, deps.config);
    const taxIds = body.taxIds.map(({ kind, value }) => ({ kind, value: normalisedTaxId(value) }));
    checkSeller({ ...body, taxIds });
    const row = await putTaxSettings(tx, { ...body, tenantId, taxIds, updatedAt: now });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'tax_settings.changed',
      entityType: 'tax_settings',
      entityId: tenantId,
      details: { country: row.address.country, priceDisplay: row.priceDisplay, engine: row.engine },
      at: now,
    });
    return { status: 200, body: toSettings(row) };
  },
});

export const taxSettingsRoutes: readonly Route[] = [read, put];

function toSettings(row: TaxSettingsRow | null): TaxSettingsBody {
  if (row === null) {
    return {
      legalName: null,
      address: null,
      taxIds: [],
      priceDisplay: 'exclusive',
      engine: 'own_rates',
      updatedAt: null,
    };
  }
  const { legalName, address, taxIds, priceDisplay, engine, updatedAt } = row;
  return {
    legalName,
    address: { ...address, lines: [...address.lines] },
    taxIds,
    priceDisplay,
    engine,
    updatedAt: updatedAt.toISOString(),
  };
}
