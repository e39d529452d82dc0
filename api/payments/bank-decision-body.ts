/** A decision about a movement, by the rules or by a person, as the API shows it: one sentence, and the suggestions in their rank. */
import { z } from 'zod';
import type { BankDecisionRow } from '../../db/queries/payments/bank-decisions.ts';
import { actInWords } from '../../domain/payments/bank-act.ts';
import { matchInWords } from '../../domain/payments/match-sentence.ts';
import { amount, currency, id, instant } from '../schemas.ts';

const decidedInvoice = z.object({
  invoiceId: id('inv', 'invoice'),
  reference: z.string(),
  dueMinor: amount,
  currency,
});

const suggestion = z
  .object({
    invoices: z
      .array(decidedInvoice)
      .meta({ description: 'As they stood when it was decided; several are paid together.' }),
    score: z.int().meta({ description: 'The best comes first.', example: 140 }),
    points: z.object({ reference: z.int(), amount: z.int(), name: z.int(), date: z.int() }),
    isConfirmed: z.boolean().meta({
      description: "The movement has the number that is on the customer's confirmation of the transfer.",
    }),
  })
  .meta({ id: 'BankSuggestion' });

export const bankDecision = z
  .object({
    id: id('bdc', 'decision'),
    ordinal: z.int(),
    kind: z.string().meta({ example: 'suggest' }),
    rule: z.string().nullable().meta({ description: 'Null for what a person decided.', example: '11' }),
    sentence: z.string().meta({ description: 'What was decided, and why.' }),
    invoices: z.array(decidedInvoice).meta({
      description: 'Those that it pays, or that the text names, as they stood then.',
    }),
    suggestions: z.array(suggestion),
    isAmbiguous: z.boolean().meta({ description: 'The best two suggestions are as good as each other.' }),
    decidedBy: z.string().meta({ description: 'matching, or who decided, as in the audit log.' }),
    decidedAt: instant,
    undoneAt: instant.nullable(),
    undoneBy: z.string().nullable(),
    undoneReason: z.string().nullable(),
  })
  .meta({ id: 'BankDecision' });

export type BankDecisionBody = z.output<typeof bankDecision>;

export function toBankDecision(row: BankDecisionRow): BankDecisionBody {
  const { id, ordinal, kind, rule, decision, act, decidedBy, undoneBy, undoneReason } = row;
  const ranked = decision !== null && 'suggestions' in decision ? decision : null;
  const known = new Map(decision?.evidence.invoices.map((invoice) => [invoice.id, invoice]));
  const shown = (invoiceId: string) => {
    const invoice = known.get(invoiceId);
    if (invoice === undefined) return [];
    const { reference, dueMinor, currency: due } = invoice;
    return [{ invoiceId, reference, dueMinor, currency: due }];
  };
  return {
    id,
    ordinal,
    kind,
    rule,
    sentence: sentenceOf({ decision, act }),
    invoices: invoiceIdsOf(decision).flatMap(shown),
    suggestions: (ranked?.suggestions ?? []).map(({ invoiceIds, score, points, isConfirmed = false }) => ({
      invoices: invoiceIds.flatMap(shown),
      score,
      points,
      isConfirmed,
    })),
    isAmbiguous: ranked?.isAmbiguous ?? false,
    decidedBy,
    decidedAt: row.decidedAt.toISOString(),
    undoneAt: row.undoneAt?.toISOString() ?? null,
    undoneBy,
    undoneReason,
  };
}

function invoiceIdsOf(decision: BankDecisionRow['decision']): string[] {
  if (decision === null) return [];
  if ('settlement' in decision) return decision.settlement.allocations.map(({ invoiceId }) => invoiceId);
  return 'invoiceId' in decision ? [decision.invoiceId] : [];
}

function sentenceOf({ decision, act }: Pick<BankDecisionRow, 'decision' | 'act'>): string {
  if (decision !== null) return matchInWords(decision);
  return act === null ? '' : actInWords(act);
}
