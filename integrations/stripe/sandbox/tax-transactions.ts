/** Tax transactions: what Stripe reports of. A sale is made from a calculation; reversals take it back, in parts or whole. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { vendorId } from '../../sandbox/random.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import type { StripeContext } from './context.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { expand, integer, metadata, operation, type StripeOperation, text } from './params.ts';
import { livingCalculation } from './tax-calculations.ts';

type Transaction = Stripe.Tax.Transaction;
type Line = Stripe.Tax.TransactionLineItem;

const reversalParams = z.strictObject({
  mode: z.enum(['full', 'partial']),
  original_transaction: text,
  reference: text,
  line_items: z
    .array(
      z.strictObject({
        original_line_item: text,
        reference: text,
        amount: integer,
        amount_tax: integer,
      }),
    )
    .default([]),
  metadata,
  expand,
});

type Reversed = z.output<typeof reversalParams>;

export function taxTransactionOperations(context: StripeContext): StripeOperation[] {
  return [
    operation({
      op: 'tax.transactions.create_from_calculation',
      method: 'POST',
      path: '/v1/tax/transactions/create_from_calculation',
      params: z.strictObject({ calculation: text, reference: text, metadata, expand }),
      run: ({ params }) => {
        refuseTaken(context, params.reference);
        return kept(context, sale(context, params), params.expand);
      },
    }),
    operation({
      op: 'tax.transactions.create_reversal',
      method: 'POST',
      path: '/v1/tax/transactions/create_reversal',
      params: reversalParams,
      run: ({ params }) => {
        refuseTaken(context, params.reference);
        return kept(context, reversal(context, params), params.expand);
      },
    }),
    operation({
      op: 'tax.transactions.retrieve',
      method: 'GET',
      path: '/v1/tax/transactions/:id',
      params: z.strictObject({ expand }),
      run: ({ params, pathParams: { id = '' } }) => ({
        body: shown(existing(context, id, 'transaction'), params.expand),
      }),
    }),
  ];
}

function kept(context: StripeContext, transaction: Transaction, paths: readonly string[]) {
  context.taxTransactions.put(transaction.id, transaction);
  const note: EffectNote = {
    outcome: 'effect',
    objectId: transaction.id,
    businessRef: transaction.reference,
    detail: inWords(transaction),
    currency: transaction.currency,
  };
  return { body: shown(transaction, paths), note };
}

/** `sale 2900 + 551`: amounts of lines and their tax; an undone reversal is above zero. */
function inWords({ type, line_items }: Transaction): string {
  const lines = line_items?.data ?? [];
  const amount = lines.reduce((sum, line) => sum + line.amount, 0);
  const tax = lines.reduce((sum, line) => sum + line.amount_tax, 0);
  return `${type === 'reversal' ? 'reversal' : 'sale'} ${amount} tax ${tax}`;
}

function sale(
  context: StripeContext,
  { calculation: id, ...given }: { calculation: string; reference: string; metadata: Stripe.Metadata },
): Transaction {
  const calculation = livingCalculation(context, id, 'calculation');
  const lines = (calculation.line_items?.data ?? []).map(
    (line): Line => ({
      id: vendorId('tax_li'),
      object: 'tax.transaction_line_item',
      amount: line.amount,
      amount_tax: line.amount_tax,
      livemode: false,
      metadata: {},
      product: null,
      quantity: line.quantity,
      reference: line.reference,
      reversal: null,
      tax_behavior: line.tax_behavior,
      tax_code: line.tax_code,
      type: 'transaction',
    }),
  );
  return newTransaction(context, calculation, { ...given, lines, reverses: null });
}

/** Throws Stripe's refusal where more would be taken back than is left. */
function reversal(context: StripeContext, wanted: Reversed): Transaction {
  const original = existing(context, wanted.original_transaction, 'original_transaction');
  const lines = wanted.mode === 'full' ? wholeOf(context, original) : partOf(context, original, wanted);
  const { reference, metadata: given } = wanted;
  return newTransaction(context, original, { reference, metadata: given, lines, reverses: original.id });
}

function wholeOf(context: StripeContext, original: Transaction): Line[] {
  const lines = (original.line_items?.data ?? []).map((line) => {
    const left = leftOf(context, line);
    return reversedLine(line, {
      amount: -left.amount,
      amount_tax: -left.amount_tax,
      reference: line.reference,
    });
  });
  if (lines.every(({ amount, amount_tax }) => amount === 0 && amount_tax === 0))
    throw refused(`Transaction ${original.id} has already been fully reversed.`, original);
  return lines;
}

function partOf(context: StripeContext, original: Transaction, { line_items }: Reversed): Line[] {
  if (line_items.length === 0) throw invalidRequest('Missing required param: line_items.');
  return line_items.map((wanted) => {
    const line = original.line_items?.data.find(({ id }) => id === wanted.original_line_item);
    if (line === undefined) throw noSuch('line item', wanted.original_line_item, 'line_items');
    const left = leftOf(context, line);
    const exceeds = -wanted.amount > left.amount || -wanted.amount_tax > left.amount_tax;
    if (wanted.amount > 0 || wanted.amount_tax > 0 || exceeds)
      throw refused(`The amount to reverse exceeds what is left of line item ${line.id}.`, original);
    return reversedLine(line, wanted);
  });
}

function reversedLine(
  line: Line,
  { amount, amount_tax, reference }: Pick<Line, 'amount' | 'amount_tax' | 'reference'>,
): Line {
  return {
    ...line,
    id: vendorId('tax_li'),
    amount,
    amount_tax,
    reference,
    reversal: { original_line_item: line.id },
    type: 'reversal',
  };
}

/** What of a line its reversals have not taken back; those that were themselves reversed took nothing. */
function leftOf({ taxTransactions }: StripeContext, line: Line): Pick<Line, 'amount' | 'amount_tax'> {
  const all = taxTransactions.values().flatMap(({ line_items }) => line_items?.data ?? []);
  const takenBack = (id: string): Pick<Line, 'amount' | 'amount_tax'> =>
    all
      .filter(({ reversal: of }) => of?.original_line_item === id)
      .map((each) => {
        const again = takenBack(each.id);
        return { amount: each.amount + again.amount, amount_tax: each.amount_tax + again.amount_tax };
      })
      .reduce(
        (sum, each) => ({
          amount: sum.amount + each.amount,
          amount_tax: sum.amount_tax + each.amount_tax,
        }),
        { amount: 0, amount_tax: 0 },
      );
  const back = takenBack(line.id);
  return { amount: line.amount + back.amount, amount_tax: line.amount_tax + back.amount_tax };
}

function newTransaction(
  { clock }: StripeContext,
  { currency, customer_details, tax_date }: Pick<Transaction, 'currency' | 'customer_details' | 'tax_date'>,
  {
    reference,
    metadata: given,
    lines,
    reverses,
  }: { reference: string; metadata: Stripe.Metadata; lines: Line[]; reverses: string | null },
): Transaction {
  const now = clock.seconds();
  return {
    id: vendorId('tax'),
    object: 'tax.transaction',
    created: now,
    currency,
    customer: null,
    customer_details,
    line_items: { object: 'list', data: lines, has_more: false, url: '/v1/tax/transactions/line_items' },
    livemode: false,
    metadata: given,
    posted_at: now,
    reference,
    reversal: reverses === null ? null : { original_transaction: reverses },
    ship_from_details: null,
    shipping_cost: null,
    tax_date,
    type: reverses === null ? 'transaction' : 'reversal',
  };
}

function existing({ taxTransactions }: StripeContext, id: string, param: string): Transaction {
  const transaction = taxTransactions.get(id);
  if (!transaction) throw noSuch('tax transaction', id, param);
  return transaction;
}

/** Unique for ever, also across reversals. */
function refuseTaken({ taxTransactions }: StripeContext, reference: string): void {
  const taken = taxTransactions.values().find((each) => each.reference === reference);
  if (taken === undefined) return;
  const message = `There is already a tax transaction with the reference ${reference}.`;
  throw new VendorRefusal(invalidRequest(message, { param: 'reference' }).answer, {
    outcome: 'refused',
    detail: 'reference_taken',
    businessRef: reference,
  });
}

function refused(message: string, { reference }: Transaction): VendorRefusal {
  return new VendorRefusal(invalidRequest(message).answer, {
    outcome: 'refused',
    detail: 'exceeds_original',
    businessRef: reference,
  });
}

function shown(transaction: Transaction, paths: readonly string[]): object {
  if (paths.includes('line_items')) return transaction;
  const { line_items: _, ...rest } = transaction;
  return rest;
}
