/** How an operator gives an open invoice up, or the small rest of it. */
import { z } from 'zod';
import { closeInvoice } from '../../db/queries/billing/close-invoice.ts';
import { writeOffRest } from '../../db/queries/payments/write-off-rest.ts';
import { type Route, route, type WriteContext } from '../route.ts';
import { text } from '../schemas.ts';
import { toSummary } from './invoice-body.ts';
import { exampleInvoiceSummary, invoiceParams, invoiceSummary } from './invoices.schemas.ts';
import { readIssued } from './issued-invoice.ts';

const givingUp = z
  .strictObject({
    reason: text(200).optional().meta({ description: 'For the audit log.', example: 'billed twice' }),
  })
  .meta({ id: 'InvoiceGivenUp' });

const common = {
  effect: 'write',
  method: 'post',
  tag: 'Invoices',
  scope: 'billing:write',
  params: invoiceParams,
  body: givingUp,
  example: { reason: 'billed twice' },
  problems: ['state_conflict'],
} as const;

const voidInvoice = route({
  ...common,
  path: '/v1/invoices/{invoiceId}/void',
  operationId: 'voidInvoice',
  summary: 'Void an open invoice: nothing was given for it',
  description:
    'Takes the revenue and the tax back; what was paid of it becomes credit of the customer. Refused while money may be on its way, and for what a subscription or a change of plan waits for. The number stays taken.',
  responses: {
    200: {
      description: 'The invoice.',
      schema: invoiceSummary,
      example: { ...exampleInvoiceSummary, status: 'void', paidMinor: 0, paidAt: null },
    },
  },
  handler: (context) => giveUp(context, 'void'),
});

const markUncollectible = route({
  ...common,
  path: '/v1/invoices/{invoiceId}/mark_uncollectible',
  operationId: 'markInvoiceUncollectible',
  summary: 'Give an open invoice up as bad debt',
  description:
    'It was given, and nobody pays. A payment that comes after all is booked. Refused as a void is.',
  responses: {
    200: {
      description: 'The invoice.',
      schema: invoiceSummary,
      example: { ...exampleInvoiceSummary, status: 'uncollectible', paidMinor: 0, paidAt: null },
    },
  },
  handler: (context) => giveUp(context, 'uncollectible'),
});

const writeOff = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/write_off',
  operationId: 'writeOffInvoiceRest',
  reasons: {
    state_conflict: [
      'invoice_not_open',
      'nothing_paid',
      'write_off_above_limit',
      'second_person_required',
      'charge_in_flight',
      'coins_under_way',
      'payment_under_way',
    ],
  },
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Write off the small rest of a partly paid invoice',
  description:
    'Up to a worth of 10 US dollars. The invoice is paid then, with everything that follows from a paid invoice. Done before, it changes nothing.',
  params: invoiceParams,
  body: z
    .strictObject({
      reason: text(200).meta({ description: 'For the audit log.', example: 'a bank kept the rest' }),
    })
    .meta({ id: 'RestWrittenOff' }),
  responses: {
    200: {
      description: 'The invoice.',
      schema: invoiceSummary,
      example: { ...exampleInvoiceSummary, writtenOffMinor: 150 },
    },
  },
  problems: ['state_conflict', 'exchange_rate_missing'],
  handler: async ({ tx, caller: { actor }, now, params: { invoiceId }, body: { reason } }) => {
    await readIssued(tx, invoiceId);
    return { status: 200, body: toSummary(await writeOffRest(tx, { invoiceId, reason, actor, at: now })) };
  },
});

export const invoiceActRoutes: readonly Route[] = [voidInvoice, markUncollectible, writeOff];

async function giveUp(
  {
    tx,
    caller: { actor },
    now,
    params: { invoiceId },
    body: { reason },
  }: WriteContext & { params: z.infer<typeof invoiceParams>; body: z.infer<typeof givingUp> },
  as: 'void' | 'uncollectible',
) {
  await readIssued(tx, invoiceId);
  const closed = await closeInvoice(tx, { invoiceId, as, reason, actor, at: now });
  return { status: 200 as const, body: toSummary(closed) };
}
