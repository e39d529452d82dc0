/** The Stripe sandbox's own control endpoints: cards, banks' answers, refunds and disputes, webhooks. */
import { z } from 'zod';
import { control, jsonBody } from '../../sandbox/control-routes.ts';
import { jsonAnswer, type Route } from '../../sandbox/http.ts';
import { webhookControlRoutes } from '../../sandbox/webhook-control.ts';
import type { StripeControl } from './control.ts';

const outcomes = z.array(z.string().min(1)).min(1);

const card = z.strictObject({
  brand: z.string().optional(),
  last4: z
    .string()
    .regex(/^\d{4}$/)
    .optional(),
  expMonth: z.number().int().min(1).max(12).optional(),
  expYear: z.number().int().optional(),
  outcomes,
  refunds: z.literal('pending').optional(),
});

const bankAccount = z.strictObject({
  bankName: z.string().optional(),
  last4: z
    .string()
    .regex(/^\d{4}$/)
    .optional(),
  answers: outcomes,
  unverified: z.boolean().optional(),
});

export function stripeControlRoutes(actions: StripeControl): Route[] {
  return [
    control('GET', '/_sandbox/charges', () => jsonAnswer(200, { charges: actions.charges() })),
    control('POST', '/_sandbox/cards', (request) =>
      jsonAnswer(200, { id: actions.createCard(card.parse(jsonBody(request))) }),
    ),
    control('POST', '/_sandbox/cards/:id/outcomes', (request) => {
      const body = z.strictObject({ outcomes }).parse(jsonBody(request));
      actions.setCardOutcomes(request.pathParams['id'] ?? '', body.outcomes);
      return jsonAnswer(200, body);
    }),
    control('POST', '/_sandbox/payment_intents/:id/authenticate', (request) => {
      const { answer } = z.strictObject({ answer: z.enum(['confirm', 'fail']) }).parse(jsonBody(request));
      return jsonAnswer(200, { status: actions.authenticate(request.pathParams['id'] ?? '', answer) });
    }),
    control('POST', '/_sandbox/payment_intents/:id/settle', (request) => {
      const { outcome } = z.strictObject({ outcome: z.string().min(1).optional() }).parse(jsonBody(request));
      return jsonAnswer(200, { status: actions.settle(request.pathParams['id'] ?? '', outcome) });
    }),
    control('POST', '/_sandbox/payment_intents/:id/return', (request) => {
      const { code } = z.strictObject({ code: z.string().regex(/^R\d{2}$/) }).parse(jsonBody(request));
      return jsonAnswer(200, { id: actions.returnDebit(request.pathParams['id'] ?? '', code) });
    }),
    control('POST', '/_sandbox/bank_accounts', (request) =>
      jsonAnswer(200, { id: actions.createBankAccount(bankAccount.parse(jsonBody(request))) }),
    ),
    control('POST', '/_sandbox/refunds', (request) => {
      const body = z
        .strictObject({ paymentIntent: z.string(), amount: z.number().int().positive().optional() })
        .parse(jsonBody(request));
      return jsonAnswer(200, { id: actions.refund(body) });
    }),
    control('POST', '/_sandbox/refunds/:id/fail', (request) =>
      jsonAnswer(200, { status: actions.failRefund(request.pathParams['id'] ?? '') }),
    ),
    control('POST', '/_sandbox/refunds/:id/settle', (request) => {
      actions.settleRefund(request.pathParams['id'] ?? '');
      return jsonAnswer(200, { status: 'succeeded' });
    }),
    control('POST', '/_sandbox/disputes', (request) => {
      const body = z
        .strictObject({
          paymentIntent: z.string(),
          amount: z.number().int().positive().optional(),
          reason: z.string().optional(),
          enquiry: z.boolean().optional(),
        })
        .parse(jsonBody(request));
      return jsonAnswer(200, { id: actions.openDispute(body) });
    }),
    control('POST', '/_sandbox/disputes/:id/close', (request) => {
      const { outcome } = z.strictObject({ outcome: z.enum(['won', 'lost']) }).parse(jsonBody(request));
      actions.closeDispute(request.pathParams['id'] ?? '', outcome);
      return jsonAnswer(200, { status: outcome });
    }),
    ...webhookControlRoutes(actions),
  ];
}
