/** Invoices that somebody drafts by hand: change them as long as they are drafts, then issue or discard them. */
import type { Tx } from '../../db/client.ts';
import { finaliseDraft } from '../../db/queries/billing/finalise-draft.ts';
import {
  changeDraft,
  createDraft,
  type DraftRow,
  discardDraft,
  findDraft,
  type NewDraftLine,
} from '../../db/queries/billing/invoice-drafts.ts';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { draftTotal } from '../../domain/billing/invoice-draft.ts';
import { notFound, Problem } from '../problem.ts';
import { type LinkSpec, type Route, route, type WriteContext } from '../route.ts';
import { AMOUNT_MAX, emptyBody } from '../schemas.ts';
import { toDraft, toInvoice } from './invoice-body.ts';
import { draftChange, exampleDraft, exampleOneOff, newDraft } from './invoice-drafts.schemas.ts';
import { invoice, invoiceParams } from './invoices.schemas.ts';

const nextSteps: Record<string, LinkSpec> = Object.fromEntries(
  ['getInvoice', 'changeInvoiceDraft', 'finaliseInvoice', 'discardInvoiceDraft'].map((operationId) => [
    operationId.slice(0, 1).toUpperCase() + operationId.slice(1),
    { operationId, parameters: { invoiceId: '$response.body#/id' } },
  ]),
);

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices',
  operationId: 'createInvoice',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Draft an invoice by hand',
  description:
    'For what no plan bills: a workshop, a fee. In the currency of the plan. A draft has no number, is owed by nobody and can be changed; issued it gets its number and the tax of the day, what we hold for the customer pays first, and the rest is mailed and waits for a payment on any rail. No card is charged for it.',
  body: newDraft,
  example: {
    subscriptionId: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
    lines: [{ description: 'Onboarding workshop', quantity: 2, unitMinor: 45_000 }],
    finalisesAt: '2026-12-01T00:00:00Z',
  },
  responses: {
    201: { description: 'The draft.', schema: invoice, example: exampleDraft, links: nextSteps },
  },
  problems: ['amount_out_of_range', 'date_out_of_range', 'customer_erased'],
  handler: async (context) => {
    const { tx, now, body } = context;
    const { subscriptionId, lines, daysUntilDue } = body;
    refuseTooMuch(lines);
    const finalisesAt = futureOf(body.finalisesAt, now) ?? null;
    const draft = await createDraft(tx, { subscriptionId, lines, daysUntilDue, finalisesAt, at: now });
    await audit(context, draft, 'drafted');
    return { status: 201, body: toDraft(draft) };
  },
});

const change = route({
  effect: 'write',
  method: 'patch',
  path: '/v1/invoices/{invoiceId}',
  operationId: 'changeInvoiceDraft',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Change a draft',
  description: 'Fields that are not sent stay.',
  params: invoiceParams,
  body: draftChange,
  example: { lines: [{ description: 'Onboarding workshop', unitMinor: 45_000 }], finalisesAt: null },
  responses: { 200: { description: 'The draft.', schema: invoice, example: exampleDraft, links: nextSteps } },
  problems: ['amount_out_of_range', 'date_out_of_range', 'state_conflict'],
  handler: async (context) => {
    const { tx, now, params, body } = context;
    const before = await readDraft(tx, params.invoiceId);
    if (Object.keys(body).length === 0) return { status: 200, body: toDraft(before) };
    const { lines, daysUntilDue, finalisesAt } = body;
    refuseTooMuch(lines ?? []);
    const draft = await changeDraft(tx, params.invoiceId, {
      ...(lines !== undefined && { lines }),
      ...(daysUntilDue !== undefined && { daysUntilDue }),
      ...(finalisesAt !== undefined && { finalisesAt: futureOf(finalisesAt ?? undefined, now) ?? null }),
    });
    await audit(context, draft, 'draft_changed');
    return { status: 200, body: toDraft(draft) };
  },
});

const discard = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/discard',
  operationId: 'discardInvoiceDraft',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Throw a draft away',
  params: invoiceParams,
  body: emptyBody,
  responses: { 200: { description: 'The draft as it was.', schema: invoice, example: exampleDraft } },
  problems: ['state_conflict'],
  handler: async (context) => {
    await readDraft(context.tx, context.params.invoiceId);
    const draft = await discardDraft(context.tx, context.params.invoiceId);
    await audit(context, draft, 'draft_discarded');
    return { status: 200, body: toDraft(draft) };
  },
});

const finalise = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/finalise',
  operationId: 'finaliseInvoice',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Issue a draft',
  description: 'It cannot be changed any more; give it up with void, or correct it with a refund.',
  params: invoiceParams,
  body: emptyBody,
  responses: {
    200: {
      description: 'The invoice, open or paid already with the credit of the customer.',
      schema: invoice,
      example: exampleOneOff,
      links: {
        GetInvoicePdf: { operationId: 'getInvoicePdf', parameters: { invoiceId: '$response.body#/id' } },
        RecordPayment: { operationId: 'recordPayment', parameters: { invoiceId: '$response.body#/id' } },
        VoidInvoice: { operationId: 'voidInvoice', parameters: { invoiceId: '$response.body#/id' } },
      },
    },
  },
  problems: [
    'state_conflict',
    'currency_mismatch',
    'tax_location_invalid',
    'vendor_unavailable',
    'vendor_rejected_request',
  ],
  handler: async ({ tx, caller: { actor }, now, params: { invoiceId } }) => {
    await readDraft(tx, invoiceId);
    await finaliseDraft(tx, { draftId: invoiceId, actor, at: now });
    const issued = await findInvoice(tx, invoiceId);
    if (issued === null) throw new Error(`Invoice ${invoiceId} was not issued`);
    return { status: 200, body: toInvoice(issued.invoice, issued.lines) };
  },
});

export const invoiceDraftRoutes: readonly Route[] = [create, change, discard, finalise];

/** Throws a `Problem` where the draft is an invoice by now, or where there is neither. */
async function readDraft(tx: Tx, draftId: string): Promise<DraftRow> {
  const draft = await findDraft(tx, draftId);
  if (draft !== null) return draft;
  const issued = await findInvoice(tx, draftId);
  if (issued === null) throw notFound('invoice', draftId);
  throw new Problem({
    code: 'state_conflict',
    reason: `invoice_${issued.invoice.status}`,
    detail: `Invoice ${issued.invoice.number} is issued and is no draft any more.`,
  });
}

function refuseTooMuch(lines: readonly NewDraftLine[]): void {
  if (draftTotal(lines) <= AMOUNT_MAX) return;
  throw new Problem({
    code: 'amount_out_of_range',
    detail: 'The lines come to more than one invoice may bill; draft several.',
    errors: [{ path: 'body.lines', message: `must not come to more than ${AMOUNT_MAX} minor units` }],
  });
}

function futureOf(given: string | undefined, now: Date): Date | undefined {
  if (given === undefined) return undefined;
  const at = new Date(given);
  if (at > now) return at;
  throw new Problem({
    code: 'date_out_of_range',
    detail: 'finalisesAt is not in the future; leave it out and finalise the draft yourself.',
    errors: [{ path: 'body.finalisesAt', message: `must be later than ${now.toISOString()}` }],
  });
}

function audit(
  { tx, caller: { tenantId, actor }, now }: WriteContext,
  { id }: DraftRow,
  deed: 'drafted' | 'draft_changed' | 'draft_discarded',
): Promise<void> {
  return writeAudit(tx, {
    tenantId,
    actor,
    action: `invoice.${deed}`,
    entityType: 'invoice',
    entityId: id,
    at: now,
  });
}
