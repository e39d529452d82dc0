/** The bank's page of a 3-D Secure confirmation: the customer confirms or declines and goes back to where they came from. */

import type Stripe from 'stripe';
import { escapeHtml } from '../../../domain/html.ts';
import type { EffectLog } from '../../sandbox/effect-log.ts';
import { htmlAnswer, type Route, redirectAnswer } from '../../sandbox/http.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import { failAuthentication, resolveIntent } from './confirmation.ts';
import { intentNote, noRequest, type StripeContext } from './context.ts';

export type AuthenticationAnswer = 'confirm' | 'fail';

/**
 * Ends the confirmation a payment waits for. After `confirm` the issuer may still decline. Repeating it, or coming
 * too late, changes nothing and returns the payment as it is.
 */
export function completeAuthentication(
  context: StripeContext,
  log: EffectLog,
  intentId: string,
  answer: AuthenticationAnswer,
): Stripe.PaymentIntent | null {
  const intent = context.intents.get(intentId);
  const challenge = context.challenges.get(intentId);
  if (!intent || !challenge || intent.status !== 'requires_action') return intent ?? null;

  try {
    if (answer === 'confirm') resolveIntent(context, intent, challenge.afterwards, noRequest);
    else failAuthentication(context, intent, noRequest);
  } catch (error) {
    if (!(error instanceof VendorRefusal)) throw error;
  }
  const moved = intent.status === 'succeeded';
  log.append(
    { op: 'payment_intents.authenticate', idempotencyKey: null, bodyHash: '', faultInjected: null },
    intentNote(intent, { outcome: moved ? 'effect' : 'refused', detail: intent.status, moved }),
  );
  return intent;
}

/** The pages of all payments that wait for their customer. */
export function authenticationLinks({ intents }: StripeContext): { text: string; path: string }[] {
  const waiting = intents.values().filter(({ status }) => status === 'requires_action');
  return waiting.map(({ id }) => ({ text: id, path: `/3ds/${id}` }));
}

export function authenticationRoutes(context: StripeContext, log: EffectLog, commit: () => void): Route[] {
  return [
    {
      method: 'GET',
      path: '/3ds/:intent',
      answer: ({ pathParams: { intent: id = '' } }) => {
        const intent = context.intents.get(id);
        if (!intent) return htmlAnswer(404, page('There is no such payment.', ''));
        if (intent.status !== 'requires_action') {
          return htmlAnswer(200, page('This payment does not wait for you any more.', ''));
        }
        return htmlAnswer(200, page(`Your bank asks: is this payment yours?`, form(intent)));
      },
    },
    {
      method: 'POST',
      path: '/3ds/:intent',
      answer: ({ pathParams: { intent: id = '' }, rawBody }) => {
        const returnUrl = context.challenges.get(id)?.returnUrl;
        const choice = new URLSearchParams(rawBody.toString('utf8')).get('answer');
        const intent = completeAuthentication(context, log, id, choice === 'confirm' ? 'confirm' : 'fail');
        commit();
        if (!intent) return htmlAnswer(404, page('There is no such payment.', ''));
        if (!returnUrl) return htmlAnswer(200, page('This payment does not wait for you any more.', ''));
        return redirectAnswer(backTo(returnUrl, intent));
      },
    },
  ];
}

/** Stripe adds which payment it was, and how it went, to the address. */
function backTo(returnUrl: string, intent: Stripe.PaymentIntent): string {
  const url = new URL(returnUrl);
  url.searchParams.set('payment_intent', intent.id);
  url.searchParams.set('payment_intent_client_secret', intent.client_secret ?? '');
  url.searchParams.set('redirect_status', intent.status === 'succeeded' ? 'succeeded' : 'failed');
  return url.href;
}

function form(intent: Stripe.PaymentIntent): string {
  return `
    <p class="amount">${escapeHtml(`${intent.amount} ${intent.currency.toUpperCase()}`)} <small>in the smallest unit</small></p>
    <p>${escapeHtml(intent.description ?? '')}</p>
    <form method="post">
      <button name="answer" value="confirm">Confirm</button>
      <button name="answer" value="fail" class="quiet">Fail</button>
    </form>`;
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Confirm the payment</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; background: #f3f4f8; color: #1b1f2a; margin: 0; }
  main { max-width: 26rem; margin: 12vh auto; padding: 2rem; background: #fff; border-radius: 12px;
    box-shadow: 0 1px 3px #0002; }
  h1 { font-size: 1.2rem; margin: 0 0 1rem; }
  .amount { font-size: 1.6rem; margin: 0; }
  small { font-size: .8rem; color: #667; }
  button { font: inherit; padding: .6rem 1.4rem; margin-right: .5rem; border-radius: 8px; border: 1px solid #3b49df;
    background: #3b49df; color: #fff; cursor: pointer; }
  .quiet { background: #fff; color: #3b49df; }
  footer { margin-top: 1.5rem; font-size: .8rem; color: #667; }
</style>
</head>
<body><main><h1>${escapeHtml(title)}</h1>${content}<footer>Stripe sandbox: stands in for the bank's 3-D Secure page. No money moves.</footer></main></body>
</html>
`;
}
