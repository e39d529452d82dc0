import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Stripe from 'stripe';
import { expect, it } from 'vitest';
import { toLineIds, toTaxAnswer } from './tax-transform.ts';

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON stands for whatever Stripe sends
function recorded(name: string): any {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'recorded', `${name}.json`), 'utf8'));
}

it.each([
  'tax-calculation-germany',
  'tax-calculation-new-york',
  'tax-calculation-reverse-charge',
  'tax-calculation-not-collecting',
])('reads %s', (name) => {
  expect(toTaxAnswer(recorded(name))).toMatchSnapshot();
});

it.each([
  ['customer_exempt', 'exempt'],
  ['zero_rated', 'taxed'],
  ['reduced_rated', 'taxed'],
  ['taxable_basis_reduced', 'taxed'],
  ['product_exempt', 'untaxed'],
  ['not_subject_to_tax', 'untaxed'],
  ['not_supported', 'untaxed'],
  ['what_stripe_adds_one_day', 'taxed'],
] as const)('%s is %s', (taxability_reason, reason) => {
  const calculation = recorded('tax-calculation-germany');
  calculation.line_items.data[0].tax_breakdown[0].taxability_reason = taxability_reason;
  expect(toTaxAnswer(calculation).lines[0]?.taxes[0]?.reason).toBe(reason);
});

it('amounts are in our units', () => {
  const calculation = recorded('tax-calculation-germany');
  calculation.currency = 'isk';
  Object.assign(calculation.line_items.data[0], { amount: 290_000, amount_tax: 55_100 });
  Object.assign(calculation.line_items.data[0].tax_breakdown[0], { amount: 55_100, taxable_amount: 290_000 });
  expect(toTaxAnswer(calculation).lines[0]?.taxes[0]).toMatchObject({ baseMinor: 2900, amountMinor: 551 });
});

it('taxes that do not sum up to that of their line are refused', () => {
  const calculation: Stripe.Tax.Calculation = recorded('tax-calculation-new-york');
  const [line] = calculation.line_items?.data ?? [];
  if (line !== undefined) line.amount_tax += 1;
  expect(() => toTaxAnswer(calculation)).toThrow('do not sum up');
});

it('a transaction names its lines by our references', () => {
  expect(toLineIds(recorded('tax-transaction'))).toEqual({ 0: 'tax_li_T1', 2: 'tax_li_T2' });
});
