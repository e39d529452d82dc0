/** Webhooks of Coinbase as tests send them: signed as its two products sign. */
import { createHmac } from 'node:crypto';
import { coinbaseWebhookSecret, commerceWebhookSecret } from './coinbase.ts';

/** The headers of an event of Coinbase Business. */
export function businessHeaders(
  payload: string,
  {
    id,
    secret = coinbaseWebhookSecret,
    seconds = Math.floor(Date.now() / 1000),
  }: { id: string; secret?: string; seconds?: number },
): Record<string, string> {
  const head = `${seconds}.content-type x-event-id.application/json.${id}.`;
  const mac = createHmac('sha256', secret).update(head).update(payload).digest('hex');
  return {
    'content-type': 'application/json',
    'x-event-id': id,
    'x-hook0-signature': `t=${seconds},h=content-type x-event-id,v1=${mac}`,
  };
}

/** The headers of an event of Coinbase Commerce. */
export function commerceHeaders(payload: string, secret = commerceWebhookSecret): Record<string, string> {
  return { 'x-cc-webhook-signature': createHmac('sha256', secret).update(payload).digest('hex') };
}
