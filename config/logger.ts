// The structured log of every process. A log line is read by many people and kept for long, so it holds
// neither secrets nor personal data: values are removed by path (headers), by the name of their field at any
// depth, and by their look inside text (keys, tokens, e-mail addresses, card numbers).

import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './env.ts';

export type { Logger } from 'pino';

/**
 * Makes the logger of one process. `name` tells the processes apart; `destination` defaults to standard output.
 */
export function createLogger({
  name,
  level = 'info',
  destination,
}: {
  name: string;
  level?: LogLevel;
  destination?: DestinationStream;
}): Logger {
  const options = {
    name,
    level,
    base: {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      bindings: (bindings: Record<string, unknown>) => ({ ...redactFields(bindings), name }),
      log: redactFields,
    },
    serializers: logSerializers,
    redact: { paths: headerPaths, censor: REDACTED },
    hooks: {
      logMethod(this: Logger, args: unknown[], method: (...args: unknown[]) => void) {
        method.apply(this, redactArguments(args));
      },
    },
  };
  const logger = (destination ? pino(options as never, destination) : pino(options as never)) as Logger;

  // Children inherit this method; without it pino writes the fields of a child as they are.
  const child = logger.child;
  logger.child = function redactingChild(
    this: Logger,
    fields: Record<string, unknown>,
    childOptions?: object,
  ) {
    return child.call(this, redactFields(fields), childOptions as never);
  } as typeof logger.child;
  return logger;
}

/** What is kept of requests, responses and errors; pino-http takes the same object. */
export const logSerializers = {
  req: serializeRequest,
  res: (response: { statusCode?: number }) => ({ statusCode: response.statusCode }),
  err: serializeError,
  error: serializeError,
};

/** Removes secrets and personal data that are recognisable by their look from a text. */
export function redactText(text: string): string {
  return textPatterns.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** Copies an object without the values of secret and personal fields, at any depth. */
function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      key in logSerializers ? value : redactValue(key, value, new Set()),
    ]),
  );
}

const REDACTED = '[redacted]';
const DEPTH_MAX = 8;

const headerPaths = [
  'authorization',
  'cookie',
  'set-cookie',
  'stripe-signature',
  'svix-signature',
  'plaid-verification',
  'plaid-client-id',
  'plaid-secret',
  'x-api-key',
].flatMap((header) =>
  ['req', 'res', 'request', 'response'].map((holder) => `${holder}.headers["${header}"]`),
);

/** An error logged alone would become the message of the line with its text as it is. */
function redactArguments([first, ...rest]: unknown[]): unknown[] {
  const texts = rest.map((argument) => (typeof argument === 'string' ? redactText(argument) : argument));
  if (typeof first === 'string') return [redactText(first), ...texts];
  if (first instanceof Error)
    return [{ err: first }, ...(texts.length > 0 ? texts : [redactText(first.message)])];
  return [first, ...texts];
}

/** Compared with names in lower case without separators, so that `api_key`, `apiKey` and `API-Key` are one. */
const secretName =
  /(authorization|password|passphrase|secret|apikey|accesstoken|publictoken|linktoken|refreshtoken|idtoken|^token$|cookie|signature|privatekey|chaturl|webhookurl|encryptionkeys?|credential|databaseurl|adminurl|connectionstring)/;
const personalName =
  /^(e?mail|emailaddress|(customer|billing|recipient|contact)email|replyto|mailfrom|name|(full|first|last|given|family|display|customer|cardholder|holder)name|phone|phonenumber|address(line\d)?|street|postalcode|zip|dateofbirth|ip|ipaddress|remoteaddress|billingdetails|card|cardnumber|cvc|cvv|iban|accountnumber|personkey|body|html|text|subject)$/;

const textPatterns: readonly [RegExp, string][] = [
  [/\b(sk|rk|pk)_(test|live)_\w+/g, REDACTED],
  [/(\/\/hooks\.slack\.com)\/[^\s"']+/gi, `$1/${REDACTED}`],
  [/\bwhsec_[\w+/=]+/g, REDACTED],
  [/\b(access|public|link|processor)-(sandbox|development|production)-[\w-]+/g, REDACTED],
  [/\bre_\w{8,}/g, REDACTED],
  [/\b(\w+)_secret_\w+/g, `$1_secret_${REDACTED}`],
  [/\b(?:[a-z]+_)?key_[\da-f]{32}[._]\S+/gi, REDACTED],
  [/(\/checkout\/)[\w-]{20,}/g, `$1${REDACTED}`],
  [/\b(Bearer|Basic)\s+\S+/gi, `$1 ${REDACTED}`],
  [/([?&][\w-]*(?:token|secret|key|signature)[\w-]*=)[^&\s"']+/gi, `$1${REDACTED}`],
  [/(\w+:\/\/[^\s:/@]+):[^\s@/]+@/g, `$1:${REDACTED}@`],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, REDACTED],
  [/\b(?:\d[ -]?){13,19}\b/g, REDACTED],
];

function redactValue(key: string, value: unknown, ancestors: Set<object>): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  const plainKey = key.replace(/[^a-z\d]/gi, '').toLowerCase();
  if (plainKey === 'address' && isServerAddress(value)) return value;
  if (secretName.test(plainKey) || personalName.test(plainKey)) return REDACTED;
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object') return value;
  return redactObject(value, ancestors);
}

/** A person's address never looks like host:port. */
function isServerAddress(value: unknown): boolean {
  return typeof value === 'string' && /^[\w.[\]:-]+:\d+$/.test(value);
}

function redactObject(value: object, ancestors: Set<object>): unknown {
  if (value instanceof Error) return serializeError(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (ancestors.has(value) || ancestors.size >= DEPTH_MAX) return '[cut]';

  const inside = new Set(ancestors).add(value);
  if (Array.isArray(value)) return value.map((item) => redactValue('', item, inside));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, child]) => [String(key), redactValue(String(key), child, inside)]),
  );
}

const keptHeaders = ['content-type', 'content-length', 'user-agent', 'x-request-id', 'idempotency-key'];

function serializeRequest(request: {
  id?: unknown;
  method?: string;
  url?: string;
  headers?: Record<string, unknown>;
}): Record<string, unknown> {
  const headers = Object.entries(request.headers ?? {}).filter(([header]) => keptHeaders.includes(header));
  return {
    id: request.id,
    method: request.method,
    url: redactText(request.url ?? ''),
    headers: Object.fromEntries(headers),
  };
}

/** A stack repeats the message, so both are cleaned; other fields of the error go by their names. */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return redactValue('', error, new Set());
  const {
    name: _name,
    message: _message,
    stack: _stack,
    cause: _cause,
    ...fields
  } = error as Error & Record<string, unknown>;
  return {
    ...redactFields(fields),
    type: error.name,
    message: redactText(error.message),
    stack: redactText(error.stack ?? ''),
    ...(error.cause !== undefined && depth < DEPTH_MAX
      ? { cause: serializeError(error.cause, depth + 1) }
      : {}),
  };
}
