/** Stripe's errors, in the JSON the SDK turns into its error classes. https://docs.stripe.com/error-codes */
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { type VendorAnswer, VendorRefusal } from '../../sandbox/vendor.ts';

type StripeErrorFields = {
  type: 'invalid_request_error' | 'card_error' | 'idempotency_error' | 'api_error';
  message: string;
  code?: string;
  param?: string;
  [field: string]: unknown;
};

export function errorAnswer(status: number, fields: StripeErrorFields): VendorAnswer {
  const docUrl = fields.code
    ? { doc_url: `https://docs.stripe.com/error-codes#${fields.code.replaceAll('_', '-')}` }
    : {};
  return { status, body: { error: { ...docUrl, ...fields } } };
}

export function invalidRequest(
  message: string,
  details: { code?: string; param?: string } = {},
): VendorRefusal {
  return new VendorRefusal(errorAnswer(400, { type: 'invalid_request_error', message, ...details }));
}

/** `resource_missing`: 404, in Stripe's words for the kind of object. */
export function noSuch(kind: string, id: string, param = 'id'): VendorRefusal {
  return new VendorRefusal(
    errorAnswer(404, {
      type: 'invalid_request_error',
      code: 'resource_missing',
      message: `No such ${kind}: '${id}'`,
      param,
    }),
  );
}

/** 402: the issuer said no. */
export function cardError(
  decline: CardDecline,
  {
    note,
    ...subject
  }: { note: EffectNote; charge?: string | undefined; payment_intent?: object; payment_method?: object },
): VendorRefusal {
  return new VendorRefusal(errorAnswer(402, { type: 'card_error', ...decline, ...subject }), note);
}

export type CardDecline = {
  code: string;
  decline_code: string;
  message: string;
  /** Of the network, where it tells one. */
  network_decline_code?: string;
};

/** What Stripe answers for an issuer's decline code: some have an error code of their own. */
export function cardDecline(declineCode: string): CardDecline {
  const [code, message] = describedDeclines[declineCode] ?? ['card_declined', 'Your card was declined.'];
  return { code, decline_code: declineCode, message };
}

const describedDeclines: Partial<Record<string, [code: string, message: string]>> = {
  insufficient_funds: ['card_declined', 'Your card has insufficient funds.'],
  expired_card: ['expired_card', 'Your card has expired.'],
  incorrect_cvc: ['incorrect_cvc', "Your card's security code is incorrect."],
  incorrect_number: ['incorrect_number', 'Your card number is incorrect.'],
  card_not_supported: ['card_declined', 'Your card does not support this type of purchase.'],
  processing_error: [
    'processing_error',
    'An error occurred while processing your card. Try again in a little bit.',
  ],
  authentication_required: [
    'authentication_required',
    'Your card was declined. This transaction requires authentication.',
  ],
};

/** The failures every endpoint shares. */
export const stripeFailures = {
  serverError: () =>
    errorAnswer(500, {
      type: 'api_error',
      message: 'An unknown error occurred while processing your request.',
    }),
  unavailable: () =>
    errorAnswer(503, { type: 'api_error', message: 'Stripe is temporarily unavailable. Try again later.' }),
  otherRequestUnderKey: (key: string) =>
    errorAnswer(400, {
      type: 'idempotency_error',
      message:
        'Keys for idempotent requests can only be used with the same parameters they were first used with. ' +
        `Try using a key other than '${key}' if you meant to execute a different request.`,
    }),
  keyInFlight: (key: string) =>
    errorAnswer(409, {
      type: 'idempotency_error',
      code: 'idempotency_key_in_use',
      message: `There is currently another in-progress request using this Idempotent Key '${key}'.`,
    }),
};

export function rateLimited(retryAfterSeconds: number): VendorAnswer {
  const answer = errorAnswer(429, {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message: 'Request rate limit exceeded.',
  });
  return { ...answer, headers: { 'retry-after': String(retryAfterSeconds) } };
}
