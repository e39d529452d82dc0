/** Stripe Tax through the real SDK, against the sandbox: what is asked, how failures are told apart, and what is recorded once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TaxEngine, TaxRequest } from '../../domain/billing/tax-engine.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { createStripeTaxEngine } from '../../integrations/stripe/tax.ts';

const now = '2026-11-26T10:00:00.000Z';
const berlin = { country: 'DE', region: null, postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] };
const request: TaxRequest = {
  engine: 'stripe_tax',
  subject: 'sub_1:period:0',
  currency: 'USD',
  taxAt: '2026-11-26T00:00:00Z',
  isInclusive: false,
  from: berlin,
  to: berlin,
  taxId: null,
  isExempt: false,
  lines: [{ reference: '0', amountMinor: 2900, taxCode: null }],
};
let sandbox: StripeSandbox;
let engine: TaxEngine;
let ordinal = 0;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
  engine = engineWith(10_000);
});
afterAll(() => sandbox.close());
beforeEach(() => {
  sandbox.setFaults({});
  sandbox.clock.set(new Date(now));
});

const engineWith = (timeoutMs: number) =>
  createStripeTaxEngine({ secretKey: 'sk_test_tax', apiBase: sandbox.url, timeoutMs });
const calculate = (differs: Partial<TaxRequest> = {}, at = now, asking = engine) =>
  asking.calculate({ ...request, ...differs }, { now: at });
const taxesOf = async (differs: Partial<TaxRequest>) => {
  const { lines } = await calculate(differs);
  return lines.flatMap(({ taxes }) =>
    taxes.map(({ name, percent, amountMinor, reason }) => [name, percent, amountMinor, reason].join(' ')),
  );
};
const recording = (reference = `inv_${++ordinal}`) => ({ reference, idempotencyKey: `tax:${reference}` });

describe('a calculation', () => {
  it('is of our units, line by line, and can be recorded for 90 days', async () => {
    const lines = [...request.lines, { reference: '2', amountMinor: 1000, taxCode: '998314' }];
    const answer = await calculate({ lines });
    expect(answer).toMatchObject({
      externalId: expect.stringMatching(/^taxcalc_/),
      expiresAt: '2027-02-24T10:00:00.000Z',
      lines: [
        { reference: '0', taxes: [{ baseMinor: 2900, amountMinor: 551, jurisdiction: 'DE', kind: 'vat' }] },
        { reference: '2', taxes: [{ baseMinor: 1000, amountMinor: 190 }] },
      ],
    });
  });

  it.each<[string, Partial<TaxRequest>, string[]]>([
    ['within the price', { isInclusive: true }, ['VAT 19 463 taxed']],
    [
      'in Quebec',
      { to: { ...berlin, country: 'CA', region: 'QC' } },
      ['GST 5 145 taxed', 'QST 9.975 289 taxed'],
    ],
    [
      'of a business of another member state',
      { to: { ...berlin, country: 'FR' }, taxId: { kind: 'vat', value: 'FR12345678901' } },
      ['VAT 20 0 reverse_charge'],
    ],
    ['of a person there', { to: { ...berlin, country: 'FR' } }, ['VAT 20 580 taxed']],
    [
      'of a British business',
      { to: { ...berlin, country: 'GB' }, taxId: { kind: 'vat', value: 'GB123456789' } },
      ['VAT 20 580 taxed'],
    ],
    [
      'of an Indian business',
      { to: { ...berlin, country: 'IN', region: '29' }, taxId: { kind: 'gstin', value: '29AAPFU0939F1ZR' } },
      ['IGST 18 522 taxed'],
    ],
    ['of an id nobody knows', { taxId: { kind: 'other', value: 'X1' } }, ['VAT 19 551 taxed']],
    ['of an exempt customer', { isExempt: true }, ['Tax 0 0 exempt']],
    ['where nothing is collected', { to: { ...berlin, country: 'JP' } }, ['Tax 0 0 untaxed']],
    ['in yen', { currency: 'JPY' }, ['VAT 19 551 taxed']],
    ['in króna', { currency: 'ISK' }, ['VAT 19 551 taxed']],
  ])('%s', async (_name, differs, expected) => {
    expect(await taxesOf(differs)).toEqual(expected);
  });

  it('of a day that Stripe does not know any more is taxed as today', async () => {
    expect((await calculate({ taxAt: '2026-01-01T00:00:00Z' })).lines).toHaveLength(1);
  });

  it.each([
    ['no postal code', { ...berlin, country: 'US', postalCode: null }],
    ['a postal code nobody finds', { ...berlin, postalCode: '00000' }],
  ])('of an address with %s is refused by name', async (_name, to) => {
    await expect(calculate({ to })).rejects.toMatchObject({ code: 'tax_location_invalid' });
  });

  it.each([
    ['a tax code that is none', { lines: [{ reference: '0', amountMinor: 1, taxCode: 'txcd_1' }] }],
    ['a currency whose units are not certain', { currency: 'UGX' }],
    [
      'an amount Stripe cannot carry',
      { currency: 'KWD', lines: [{ reference: '0', amountMinor: 1234, taxCode: null }] },
    ],
  ])('of %s is refused, and asking again does not help', async (_name, differs) => {
    await expect(calculate(differs)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });

  it.each([
    ['error_before', 'vendor_unavailable'],
    ['error_after', 'vendor_unavailable'],
    ['drop_answer', 'vendor_unavailable'],
    ['refuse', 'vendor_unavailable'],
    ['malformed', 'vendor_unavailable'],
    ['delay', 'vendor_unavailable'],
    ['rate_limit', 'rate_limited'],
  ] as const)('that meets %s is %s: it may simply be asked for again', async (fault, code) => {
    sandbox.setFaults({ next: [{ fault, op: 'tax.calculations.create' }] });
    const asking = fault === 'delay' ? engineWith(500) : engine;
    await expect(calculate({}, now, asking)).rejects.toMatchObject({ code });
    expect((await calculate()).lines).toHaveLength(1);
  });
});

describe('a sale', () => {
  it('is recorded with the ids of its lines, and a repeat under the key gets the same answer', async () => {
    const { externalId: calculation } = await calculate();
    const sale = { ...recording(), calculation };
    const first = await engine.recordSale(sale);
    expect(first).toEqual({
      externalId: expect.stringMatching(/^tax_/),
      lines: { 0: expect.stringMatching(/^tax_li_/) },
    });
    expect(await engine.recordSale(sale)).toEqual(first);
    sandbox.forgetIdempotencyKeys();
    expect(await engine.recordSale(sale)).toBeNull();
    expect(effectsOf(sale.reference)).toEqual(['sale 2900 tax 551']);
  });

  it.each([
    ['error_before', 'outcome_unknown'],
    ['error_after', 'outcome_unknown'],
    ['drop_answer', 'outcome_unknown'],
    ['malformed', 'outcome_unknown'],
    ['rate_limit', 'rate_limited'],
  ] as const)('that meets %s is %s, and is there once in the end', async (fault, code) => {
    const sale = { ...recording(), calculation: (await calculate()).externalId };
    sandbox.setFaults({ next: [{ fault, op: 'tax.transactions.create_from_calculation' }] });
    await expect(engine.recordSale(sale)).rejects.toMatchObject({ code });
    sandbox.forgetIdempotencyKeys();
    await engine.recordSale(sale);
    expect(effectsOf(sale.reference)).toEqual(['sale 2900 tax 551']);
  });

  it('by a key that is not known is owed until there is another one; a calculation is refused', async () => {
    const { externalId: calculation } = await calculate();
    const stranger = createStripeTaxEngine({ secretKey: 'sk_live_unknown', apiBase: sandbox.url });
    const sale = { ...recording(), calculation };
    await expect(stranger.recordSale(sale)).rejects.toMatchObject({ code: 'vendor_unavailable' });
    await expect(stranger.calculate(request, { now })).rejects.toMatchObject({
      code: 'vendor_rejected_request',
    });
  });

  it('of a calculation that has expired is refused', async () => {
    const sale = { ...recording(), calculation: (await calculate()).externalId };
    sandbox.clock.advance(91 * 86_400);
    await expect(engine.recordSale(sale)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a reversal', () => {
  async function sold() {
    const sale = { ...recording(), calculation: (await calculate()).externalId };
    const made = await engine.recordSale(sale);
    return { original: made?.externalId ?? '', externalLineId: made?.lines['0'] ?? '' };
  }
  const part = (externalLineId: string, amountMinor: number, taxMinor: number) => ({
    currency: 'USD',
    lines: [{ externalLineId, amountMinor, taxMinor }],
  });

  it('takes back at most what is left, until it is undone', async () => {
    const { original, externalLineId } = await sold();
    const first = { ...recording(), original, ...part(externalLineId, 2000, 380) };
    const made = await engine.recordReversal(first);
    expect(effectsOf(first.reference)).toEqual(['reversal -2000 tax -380']);
    const second = { ...recording(), original, ...part(externalLineId, 1000, 190) };
    await expect(engine.recordReversal(second)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    const undone = { ...recording(), original: made?.externalId ?? '' };
    await engine.undoReversal(undone);
    expect(effectsOf(undone.reference)).toEqual(['reversal 2000 tax 380']);
    const third = { ...recording(), original, ...part(externalLineId, 1000, 190) };
    expect(await engine.recordReversal(third)).not.toBeNull();
    await expect(engine.undoReversal({ ...undone, ...recording() })).rejects.toMatchObject({
      code: 'vendor_rejected_request',
    });
  });

  it('cannot take the reference of a sale', async () => {
    const { original, externalLineId } = await sold();
    const taken = { reference: `inv_${ordinal}`, idempotencyKey: 'another' };
    const reversal = { ...taken, original, ...part(externalLineId, 100, 19) };
    expect(await engine.recordReversal(reversal)).toBeNull();
    expect(effectsOf(taken.reference)).toEqual(['sale 2900 tax 551']);
  });
});

function effectsOf(reference: string): string[] {
  return sandbox
    .effects()
    .filter(({ businessRef, outcome }) => businessRef === reference && outcome === 'effect')
    .map(({ detail }) => detail ?? '');
}
