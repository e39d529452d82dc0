/** Why a webhook is not believed, whoever claims to have sent it. */

export type WebhookRefusal =
  | 'missing_header'
  | 'malformed_header'
  | 'no_supported_signature'
  | 'too_old'
  | 'in_future'
  | 'bad_signature'
  | 'raw_body_required'
  | 'malformed_payload';

/** The request must be answered with 400 and store nothing. */
export class WebhookVerificationError extends Error {
  readonly reason: WebhookRefusal;

  constructor(reason: WebhookRefusal, options?: { cause: unknown }) {
    super(`Webhook refused: ${reason}`, options);
    this.name = 'WebhookVerificationError';
    this.reason = reason;
  }
}
