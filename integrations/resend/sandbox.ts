/**
 * Resend on this machine: a stateful stand-in the real SDK talks to. It keeps every mail instead of sending it,
 * shows them at `/`, honours idempotency keys as Resend does, injects faults on request and keeps its own record
 * of every effect outside our database.
 */
import type { z } from 'zod';
import { createControlRoutes, jsonBody } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { type HttpRequest, jsonAnswer, serve } from '../sandbox/http.ts';
import { vendorId } from '../sandbox/random.ts';
import { VendorRefusal, type VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { emailOperations, listRequest, type SentFile, type SentMail, sendRequest } from './sandbox/emails.ts';
import { errorAnswer, invalidBody, rateLimited, resendFailures } from './sandbox/errors.ts';
import { inboxRoutes } from './sandbox/inbox.ts';

export type ResendSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  log?: RequestLog;
};

export type ResendSandbox = SandboxControl & {
  url: string;
  /** Every mail that left, oldest first. */
  mails(): SentMail[];
  /** The files that went with a mail. */
  files(mailId: string): SentFile[];
  close(): Promise<void>;
};

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startResendSandbox({
  port,
  stateDir,
  log,
}: ResendSandboxOptions): Promise<ResendSandbox> {
  const core = openSandboxCore({ vendor: 'resend', stateDir });
  const { store, clock, faults } = core;
  const mails = store.collection<SentMail>('emails');
  const files = store.collection<SentFile[]>('files');
  const rules = resendRules(() => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(emailOperations({ mails, files, clock }), { ...core, rules, requestLog: log }),
      ...inboxRoutes({ mails, files }),
      ...createControlRoutes(core, common),
    ],
    fallback: unknownUrl,
  });
  return {
    ...common,
    url: server.url,
    mails: mails.values,
    files: (mailId) => files.get(mailId) ?? [],
    close: server.close,
  };
}

function resendRules(retryAfterSeconds: () => number): VendorRules<unknown> {
  return {
    newRequestId: () => vendorId('req'),
    headers: () => ({ 'ratelimit-limit': '10', 'ratelimit-remaining': '9', 'ratelimit-reset': '1' }),
    authenticate,
    readParams,
    keyHeader: () => 'idempotency-key',
    replayHeaders: {},
    remembersServerErrors: false,
    failures: { ...resendFailures, rateLimited: () => rateLimited(retryAfterSeconds()) },
  };
}

function authenticate({ headers }: HttpRequest): void {
  const key = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
  if (key === undefined) {
    throw new VendorRefusal(
      errorAnswer(401, 'missing_api_key', 'Missing API key in the authorization header.'),
    );
  }
  if (!/^re_\w+$/.test(key))
    throw new VendorRefusal(errorAnswer(403, 'invalid_api_key', 'API key is invalid.'));
}

function readParams(op: string, request: HttpRequest): unknown {
  if (op !== 'emails.send') return parse(listRequest, Object.fromEntries(new URLSearchParams(request.query)));

  const key = request.headers['idempotency-key'] ?? '';
  if (key.length > 256) {
    throw new VendorRefusal(
      errorAnswer(400, 'invalid_idempotency_key', 'The key must be between 1-256 chars.'),
    );
  }
  const mail = parse(sendRequest, bodyOf(request));
  if (mail.html === undefined && mail.text === undefined) {
    throw new VendorRefusal(errorAnswer(422, 'missing_required_field', 'Missing `html` or `text` field.'));
  }
  return mail;
}

function bodyOf(request: HttpRequest): unknown {
  try {
    return jsonBody(request);
  } catch {
    throw new VendorRefusal(errorAnswer(400, 'validation_error', 'The body is not JSON.'));
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new VendorRefusal(invalidBody(parsed.error));
}

function unknownUrl() {
  const { status, body } = errorAnswer(404, 'not_found', 'The requested endpoint does not exist');
  return jsonAnswer(status, body);
}
