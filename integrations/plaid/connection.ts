/**
 * The SDK's connection. Its answers are read with their numbers as they were written, are bounded in time and in size, and are
 * checked; what fails leaves here in our words (`errors.ts`). The SDK is large and loaded with the first request, so that a
 * program that never asks Plaid anything does not carry it.
 */
import type { Configuration, PlaidApi } from 'plaid';
import type { z } from 'zod';
import { VendorError } from '../../domain/errors.ts';
import { parseExactJson } from '../exact-json.ts';
import { interruptedCode } from '../lost-requests.ts';
import { toVendorError } from './errors.ts';

export type PlaidConnection = {
  clientId: string;
  secret: string;
  environment: 'production' | 'sandbox';
  /** A stand-in; Plaid itself when absent. */
  apiBase?: string | undefined;
  timeoutMs?: number;
};

/** The options of one request of the SDK. */
type RequestOptions = { signal: AbortSignal };

export type Plaid = {
  /** Throws `VendorError`. After a lost answer a request that `mutates` has an unknown outcome; others may be repeated. */
  ask<Shape extends z.ZodType>(
    shape: Shape,
    request: (api: PlaidApi, options: RequestOptions) => Promise<{ data: unknown }>,
    kind?: { mutates?: boolean; failed?: (failure: unknown) => z.output<Shape> | undefined },
  ): Promise<z.output<Shape>>;
};

export function connect(connection: PlaidConnection): Plaid {
  const { timeoutMs = 30_000 } = connection;
  let api: Promise<PlaidApi> | undefined;
  return {
    async ask(shape, request, { mutates = false, failed = () => undefined } = {}) {
      api ??= load(connection);
      let answer: { data: unknown };
      try {
        answer = await request(await api, { signal: AbortSignal.timeout(timeoutMs) });
      } catch (failure) {
        const meant = failed(failure);
        if (meant !== undefined) return meant;
        throw toVendorError(failure, { mutates });
      }
      return readable(shape, answer.data, mutates);
    },
  };
}

async function load(connection: PlaidConnection): Promise<PlaidApi> {
  const { Configuration, PlaidApi, PlaidEnvironments } = await import('plaid');
  const { environment, apiBase } = connection;
  const basePath = (apiBase ?? PlaidEnvironments[environment])?.replace(/\/+$/, '');
  return new PlaidApi(
    new Configuration({ ...(basePath !== undefined && { basePath }), ...settings(connection) }),
  );
}

function settings({ clientId, secret, apiBase }: PlaidConnection): Pick<Configuration, 'baseOptions'> {
  return {
    baseOptions: {
      headers: { 'PLAID-CLIENT-ID': clientId, 'PLAID-SECRET': secret },
      maxRedirects: 0,
      maxContentLength: ANSWER_BYTES_MAX,
      transformResponse: [readExactly],
      // A stand-in is on this machine, where no proxy leads.
      ...(apiBase !== undefined && { proxy: false }),
    },
  };
}

/** A page of 500 movements has about a megabyte. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/** An answer that is no JSON says nothing to us. */
function readExactly(text: unknown): unknown {
  try {
    return parseExactJson(String(text));
  } catch {
    return undefined;
  }
}

/** What was answered instead may hold personal data: only where it was not understood is told. */
function readable<Shape extends z.ZodType>(shape: Shape, data: unknown, mutates: boolean): z.output<Shape> {
  const parsed = shape.safeParse(data);
  if (parsed.success) return parsed.data;
  const place = parsed.error.issues[0]?.path.join('.') || 'all of it';
  throw new VendorError({
    code: interruptedCode(mutates),
    message: `Plaid: the answer cannot be understood (${place})`,
  });
}
