import pino from 'pino';
import { expect, it } from 'vitest';
import { WebhookVerificationError } from '../integrations/webhooks/webhook-refusal.ts';
import { proved } from './webhook.ts';

it('an event that cannot be proved is logged with its vendor and the reason, and with nothing that it said', () => {
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
  const verify = () => {
    throw new WebhookVerificationError('bad_signature');
  };
  expect(() => proved({ log }, 'Stripe', verify)).toThrow(
    expect.objectContaining({ body: expect.objectContaining({ reason: 'bad_signature', status: 400 }) }),
  );
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 40, vendor: 'Stripe', reason: 'bad_signature', msg: 'webhook refused' },
  ]);
});
