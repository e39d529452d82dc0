/** The Razorpay sandbox's own control endpoints: the customer at the checkout, banks, refunds, webhooks. */
import { z } from 'zod';
import { control, jsonBody } from '../../sandbox/control-routes.ts';
import { jsonAnswer, type Route } from '../../sandbox/http.ts';
import { webhookControlRoutes } from '../../sandbox/webhook-control.ts';
import type { RazorpayControl } from './control.ts';
import { disputeOutcomes } from './disputes.ts';

const amount = z.number().int().positive().optional();
const payment = z.strictObject({
  method: z.enum(['card', 'upi']).optional(),
  amount,
  outcome: z.string().min(1).optional(),
});
const newDispute = z.strictObject({
  paymentId: z.string(),
  amount,
  reason: z.string().min(1).optional(),
  deduct: z.boolean().optional(),
});

export function razorpayControlRoutes(actions: RazorpayControl): Route[] {
  return [
    control('GET', '/_sandbox/captures', () => jsonAnswer(200, { captures: actions.captures() })),
    control('POST', '/_sandbox/orders/:id/pay', (request) => {
      const orderId = request.pathParams['id'] ?? '';
      return jsonAnswer(200, actions.pay({ orderId, ...payment.parse(jsonBody(request)) }));
    }),
    control('POST', '/_sandbox/orders/:id/fail', (request) => {
      const { reason } = z
        .strictObject({ reason: z.string().min(1).default('payment_failed') })
        .parse(jsonBody(request));
      const orderId = request.pathParams['id'] ?? '';
      return jsonAnswer(200, { paymentId: actions.pay({ orderId, outcome: reason }).paymentId });
    }),
    control('POST', '/_sandbox/payments/:id/settle', (request) => {
      const { outcome } = z.strictObject({ outcome: z.string().min(1) }).parse(jsonBody(request));
      actions.settle(request.pathParams['id'] ?? '', outcome);
      return jsonAnswer(200, { outcome });
    }),
    control('POST', '/_sandbox/payments/:id/refund', (request) => {
      const body = z.strictObject({ amount }).parse(jsonBody(request));
      return jsonAnswer(200, { id: actions.refund({ paymentId: request.pathParams['id'] ?? '', ...body }) });
    }),
    control('POST', '/_sandbox/refunds/:id/fail', (request) => {
      actions.failRefund(request.pathParams['id'] ?? '');
      return jsonAnswer(200, { status: 'failed' });
    }),
    control('POST', '/_sandbox/subscriptions/:id/authorize', (request) =>
      jsonAnswer(200, actions.authorize(request.pathParams['id'] ?? '')),
    ),
    control('POST', '/_sandbox/subscriptions/:id/charge', (request) =>
      jsonAnswer(200, { paymentId: actions.chargeCycle(request.pathParams['id'] ?? '') }),
    ),
    control('POST', '/_sandbox/subscriptions/:id/fail', (request) => {
      const { reason } = z.strictObject({ reason: z.string().min(1).optional() }).parse(jsonBody(request));
      actions.failCycle(request.pathParams['id'] ?? '', reason);
      return jsonAnswer(200, { failed: true });
    }),
    control('POST', '/_sandbox/subscriptions/:id/cancel', (request) => {
      actions.cancelSubscription(request.pathParams['id'] ?? '');
      return jsonAnswer(200, { status: 'cancelled' });
    }),
    control('POST', '/_sandbox/disputes', (request) =>
      jsonAnswer(200, { id: actions.openDispute(newDispute.parse(jsonBody(request))) }),
    ),
    control('POST', '/_sandbox/disputes/:id/move', (request) => {
      const { outcome } = z.strictObject({ outcome: z.enum(disputeOutcomes) }).parse(jsonBody(request));
      actions.moveDispute(request.pathParams['id'] ?? '', outcome);
      return jsonAnswer(200, { outcome });
    }),
    ...webhookControlRoutes(actions),
  ];
}
