/** What tests and the demo do to the Coinbase sandbox from outside: the customer at the checkout, people at the dashboard. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { decimalOf, money } from '../../../domain/money.ts';
import { minorOf } from '../../../domain/payments/coinbase-checkout.ts';
import { coinbaseEventTypes } from '../../../domain/payments/vendor-events.ts';
import { control, jsonBody } from '../../sandbox/control-routes.ts';
import type { Effect, EffectLog, EffectNote } from '../../sandbox/effect-log.ts';
import { jsonAnswer, type Route } from '../../sandbox/http.ts';
import {
  createWebhookControl,
  type WebhookControl,
  webhookControlRoutes,
} from '../../sandbox/webhook-control.ts';
import type { WebhookSender } from '../../sandbox/webhooks.ts';
import { changed, expire } from './checkouts.ts';
import {
  type Checkout,
  type CoinbaseContext,
  type CoinbaseEvent,
  checkoutNote,
  newObjectId,
  type Refund,
  requireCheckout,
} from './context.ts';
import { emit } from './events.ts';

/** `processing`: seen and not final yet. `failed`: it does not come through. */
export type PaymentOutcome = 'completed' | 'processing' | 'failed';

export type CoinbaseControl = WebhookControl & {
  /** The effects by which money was taken, one for each completed checkout. */
  captures(): Effect[];
  /**
   * The customer pays, also one that has expired meanwhile. `amount`: what arrives, where it is not what was asked for, as a
   * decimal.
   */
  pay(payment: {
    checkoutId: string;
    outcome?: PaymentOutcome | undefined;
    amount?: string | undefined;
  }): void;
  expire(checkoutId: string): void;
  /** Somebody takes the checkout back at the dashboard. No event tells of it. */
  deactivate(checkoutId: string): void;
  /** A refund made at the dashboard; the rest of the payment when no amount is given. Returns its id. */
  refund(refund: { checkoutId: string; amountMinor?: number | undefined }): string;
  failRefund(refund: { checkoutId: string; refundId: string }): void;
};

/** A dollar coin is logged as a dollar, as it is booked. */
const CURRENCY = 'USD';

export function createCoinbaseControl({
  context,
  log,
  webhooks,
  commit,
}: {
  context: CoinbaseContext;
  log: EffectLog;
  webhooks: WebhookSender<CoinbaseEvent>;
  commit: () => void;
}): CoinbaseControl {
  const record = (op: string, note: EffectNote) => {
    commit();
    log.append({ op, idempotencyKey: null, bodyHash: '', faultInjected: null }, note);
  };
  return {
    captures: () => log.entries().filter(({ op, outcome }) => op === 'checkouts.pay' && outcome === 'effect'),
    pay({ checkoutId, outcome = 'completed', amount }) {
      const checkout = requireCheckout(context, checkoutId);
      if (settled.has(checkout.status)) throw new RangeError(`Checkout ${checkoutId} is ${checkout.status}`);
      if (outcome === 'processing') {
        const note = checkoutNote(changed(context, checkout, { status: 'PROCESSING' }), {
          outcome: 'effect',
        });
        return record('checkouts.process', note);
      }
      if (outcome === 'failed') {
        const failed = changed(context, checkout, { status: 'FAILED' });
        emit(context, 'checkout.payment.failed', failed);
        return record('checkouts.fail', checkoutNote(failed, { outcome: 'refused' }));
      }
      record('checkouts.pay', complete(context, checkout, amount ?? checkout.amount));
    },
    expire(checkoutId) {
      expire(context, requireCheckout(context, checkoutId));
      commit();
    },
    deactivate(checkoutId) {
      changed(context, requireCheckout(context, checkoutId), { status: 'DEACTIVATED' });
      commit();
    },
    refund(wanted) {
      const { refund, note } = refundCheckout(context, wanted);
      record('checkouts.refund', note);
      return refund.id;
    },
    failRefund: ({ checkoutId, refundId }) =>
      record('checkouts.refund_fail', failRefund(context, { checkoutId, refundId })),
    ...createWebhookControl(webhooks, coinbaseEventTypes),
  };
}

const settled: ReadonlySet<Checkout['status']> = new Set(['COMPLETED', 'REFUNDED', 'PARTIALLY_REFUNDED']);

/** Moves the money: the note has an amount. */
function complete(context: CoinbaseContext, checkout: Checkout, amount: string): EffectNote {
  const done = changed(context, checkout, {
    status: 'COMPLETED',
    settlement: { totalAmount: amount, feeAmount: '0.00', netAmount: amount, currency: 'USDC' },
    transactionHash: `0x${randomBytes(32).toString('hex')}`,
  });
  emit(context, 'checkout.payment.success', done);
  return checkoutNote(done, { outcome: 'effect', ...minorOf(amount, CURRENCY) });
}

function refundCheckout(
  context: CoinbaseContext,
  { checkoutId, amountMinor }: { checkoutId: string; amountMinor?: number | undefined },
): { refund: Refund; note: EffectNote } {
  const checkout = requireCheckout(context, checkoutId);
  const taken = minorOf(checkout.settlement?.totalAmount ?? '0', CURRENCY).amountMinor;
  const left = taken - givenBack(checkout);
  const wanted = amountMinor ?? left;
  if (wanted <= 0 || wanted > left) throw new RangeError(`Checkout ${checkoutId} has ${left} left to refund`);
  const refund: Refund = {
    id: newObjectId(),
    checkoutId,
    amount: decimalOf(money(wanted, CURRENCY)),
    currency: 'USDC',
    status: 'COMPLETED',
    createdAt: context.clock.now().toISOString(),
  };
  const after = changed(context, checkout, {
    status: wanted === left ? 'REFUNDED' : 'PARTIALLY_REFUNDED',
    refunds: [...(checkout.refunds ?? []), refund],
  });
  emit(context, 'checkout.refund.success', after);
  const moved = { amountMinor: wanted, currency: CURRENCY, objectId: refund.id };
  return { refund, note: checkoutNote(after, { outcome: 'effect', ...moved }) };
}

/** The chain did not carry it: Coinbase holds the money again. */
function failRefund(
  context: CoinbaseContext,
  { checkoutId, refundId }: { checkoutId: string; refundId: string },
): EffectNote {
  const checkout = requireCheckout(context, checkoutId);
  const refund = checkout.refunds?.find(({ id }) => id === refundId);
  if (refund?.status !== 'COMPLETED') throw new RangeError(`Refund ${refundId} has not been made`);
  const refunds = (checkout.refunds ?? []).map((each) =>
    each.id === refundId ? { ...each, status: 'FAILED' as const } : each,
  );
  const rest = givenBack({ refunds });
  const after = changed(context, checkout, {
    refunds,
    status: rest === 0 ? 'COMPLETED' : 'PARTIALLY_REFUNDED',
  });
  emit(context, 'checkout.refund.failed', after);
  return checkoutNote(after, { outcome: 'effect', objectId: refundId, ...minorOf(refund.amount, CURRENCY) });
}

function givenBack({ refunds = [] }: Pick<Checkout, 'refunds'>): number {
  return refunds
    .filter(({ status }) => status !== 'FAILED')
    .reduce((sum, { amount }) => sum + minorOf(amount, CURRENCY).amountMinor, 0);
}

const payment = z.strictObject({
  outcome: z.enum(['completed', 'processing', 'failed']).optional(),
  amount: z
    .string()
    .regex(/^\d+(\.\d{1,6})?$/)
    .optional(),
});

/** The sandbox's own control endpoints. */
export function coinbaseControlRoutes(actions: CoinbaseControl): Route[] {
  const idOf = ({ pathParams }: { pathParams: Record<string, string> }) => pathParams['id'] ?? '';
  return [
    control('GET', '/_sandbox/captures', () => jsonAnswer(200, { captures: actions.captures() })),
    control('POST', '/_sandbox/checkouts/:id/pay', (request) => {
      actions.pay({ checkoutId: idOf(request), ...payment.parse(jsonBody(request)) });
      return jsonAnswer(200, { paid: true });
    }),
    control('POST', '/_sandbox/checkouts/:id/expire', (request) => {
      actions.expire(idOf(request));
      return jsonAnswer(200, { expired: true });
    }),
    control('POST', '/_sandbox/checkouts/:id/deactivate', (request) => {
      actions.deactivate(idOf(request));
      return jsonAnswer(200, { deactivated: true });
    }),
    control('POST', '/_sandbox/checkouts/:id/refund', (request) => {
      const body = z
        .strictObject({ amountMinor: z.number().int().positive().optional() })
        .parse(jsonBody(request));
      return jsonAnswer(200, { id: actions.refund({ checkoutId: idOf(request), ...body }) });
    }),
    control('POST', '/_sandbox/checkouts/:id/refunds/:refund/fail', (request) => {
      const refundId = request.pathParams['refund'] ?? '';
      actions.failRefund({ checkoutId: idOf(request), refundId });
      return jsonAnswer(200, { status: 'FAILED' });
    }),
    ...webhookControlRoutes(actions),
  ];
}
