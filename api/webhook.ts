/** What every vendor's webhook shares: the bytes as they came, the refusal of what is not proved, and the receipt. */
import express, { type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { WebhookVerificationError } from '../integrations/webhooks/webhook-refusal.ts';
import { Problem } from './problem.ts';
import type { OpenRoute } from './route.ts';

const BODY_MAX_BYTES = 1024 * 1024;

/** The signature is over the bytes as they came, whatever type they claim to have. */
export const readRaw: RequestHandler = express.raw({
  limit: BODY_MAX_BYTES,
  type: () => true,
  inflate: false,
});

export function rawBodyOf({ body }: Request): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

const receipt = z
  .object({ received: z.enum(['stored', 'known', 'ignored', 'duplicate']) })
  .meta({ id: 'WebhookReceipt' });

export const webhookResponses: Pick<OpenRoute, 'responses' | 'problems'> = {
  responses: {
    200: { description: 'Stored, or known already.', schema: receipt, example: { received: 'stored' } },
  },
  problems: ['invalid_signature', 'payload_too_large', 'unsupported_media_type', 'database_unavailable'],
};

export function answerReceipt(res: Response, received: z.infer<typeof receipt>['received']): void {
  res.set('Cache-Control', 'no-store').json({ received } satisfies z.infer<typeof receipt>);
}

/** Throws the problem of an event that cannot be proved; nothing is stored of it, the log counts it by vendor and reason. */
export function proved<T>(req: Pick<Request, 'log'>, vendor: string, verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    throw refusalOf(req, vendor, error);
  }
}

/** The same where the vendor has to be asked for a key first. Where it cannot be asked, nobody knows: its failure is thrown. */
export async function provedByKey<T>(
  req: Pick<Request, 'log'>,
  vendor: string,
  verify: () => T | Promise<T>,
): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    throw refusalOf(req, vendor, error);
  }
}

function refusalOf({ log }: Pick<Request, 'log'>, vendor: string, error: unknown): unknown {
  if (!(error instanceof WebhookVerificationError)) return error;
  log.warn({ vendor, reason: error.reason }, 'webhook refused');
  return new Problem({
    code: 'invalid_signature',
    detail: `The event cannot be proved to come from ${vendor} just now; nothing was stored.`,
    reason: error.reason,
    cause: error,
  });
}
