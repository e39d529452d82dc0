/** Checkouts: made and read through the API; what customers and people at the dashboard do to them is in control.ts. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { jsonBody } from '../../sandbox/control-routes.ts';
import type { HttpRequest } from '../../sandbox/http.ts';
import {
  type Operation,
  VendorRefusal,
  type VendorRequest,
  type VendorResult,
} from '../../sandbox/vendor.ts';
import {
  type Checkout,
  type CoinbaseContext,
  checkoutNote,
  errorAnswer,
  newObjectId,
  requireCheckout,
} from './context.ts';
import { emit } from './events.ts';

/** An operation with the schema of its parameters, which are checked before anything is done. */
export type CoinbaseOperation = Operation<unknown> & { params: z.ZodType };

export function checkoutOperations(context: CoinbaseContext): CoinbaseOperation[] {
  const { checkouts, clock } = context;
  return [
    operation({
      op: 'checkouts.create',
      method: 'POST',
      path: '/api/v1/checkouts',
      params: z.strictObject({
        amount: z
          .string()
          .regex(/^\d+(\.\d{1,2})?$/)
          .refine((amount) => Number(amount) > 0, 'must be positive'),
        currency: z.literal('USDC'),
        network: z.literal('base').optional(),
        description: z.string().max(500).optional(),
        expiresAt: z.iso.datetime({ offset: true }).optional(),
        metadata: z.record(z.string(), z.string().max(500)).default({}),
        successRedirectUrl: z.url().optional(),
        failRedirectUrl: z.url().optional(),
      }),
      run: ({ params: { amount, description, expiresAt, metadata } }) => {
        const now = clock.now().toISOString();
        if (expiresAt !== undefined && expiresAt <= now) {
          throw new VendorRefusal(errorAnswer(400, 'invalid_request', 'expiresAt must be in the future'));
        }
        const id = newObjectId();
        const checkout: Checkout = {
          id,
          url: `https://payments.coinbase.com/payment-links/pl_${id}`,
          amount,
          currency: 'USDC',
          network: 'base',
          address: `0x${randomBytes(20).toString('hex')}`,
          status: 'ACTIVE',
          description,
          expiresAt,
          metadata,
          createdAt: now,
          updatedAt: now,
        };
        checkouts.put(id, checkout);
        return { body: checkout, note: checkoutNote(checkout, { outcome: 'effect' }) };
      },
    }),
    operation({
      op: 'checkouts.list',
      method: 'GET',
      path: '/api/v1/checkouts',
      params: z.strictObject({
        pageSize: z.coerce.number().int().min(1).max(100).default(20),
        pageToken: z.string().optional(),
        status: z.string().optional(),
      }),
      run: ({ params: { pageSize, pageToken, status } }) => {
        expireDue(context);
        const all = checkouts
          .values()
          .toReversed()
          .filter((checkout) => status === undefined || checkout.status === status);
        const from = pageToken === undefined ? 0 : Number(pageToken);
        const page = all.slice(from, from + pageSize);
        const isLast = from + pageSize >= all.length;
        return { body: { checkouts: page, ...(!isLast && { nextPageToken: String(from + pageSize) }) } };
      },
    }),
    operation({
      op: 'checkouts.retrieve',
      method: 'GET',
      path: '/api/v1/checkouts/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => {
        expireDue(context);
        return { body: requireCheckout(context, id) };
      },
    }),
  ];
}

/** Throws Coinbase's refusal. */
export function readParams(schema: z.ZodType, request: HttpRequest): unknown {
  const parsed = schema.safeParse(
    request.method === 'POST' ? bodyOf(request) : Object.fromEntries(new URLSearchParams(request.query)),
  );
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new VendorRefusal(
    errorAnswer(400, 'invalid_request', `${issue?.path.join('.') ?? 'body'}: ${issue?.message}`),
  );
}

function bodyOf(request: HttpRequest): unknown {
  try {
    return jsonBody(request);
  } catch {
    throw new VendorRefusal(errorAnswer(400, 'invalid_request', 'The body is not JSON'));
  }
}

/** Nobody has paid these in time. */
function expireDue(context: CoinbaseContext): void {
  const now = context.clock.now().toISOString();
  for (const checkout of context.checkouts.values()) {
    if (checkout.status === 'ACTIVE' && checkout.expiresAt !== undefined && checkout.expiresAt <= now) {
      expire(context, checkout);
    }
  }
}

export function expire(context: CoinbaseContext, checkout: Checkout): void {
  emit(context, 'checkout.payment.expired', changed(context, checkout, { status: 'EXPIRED' }));
}

export function changed(context: CoinbaseContext, checkout: Checkout, change: Partial<Checkout>): Checkout {
  const after = { ...checkout, ...change, updatedAt: context.clock.now().toISOString() };
  context.checkouts.put(after.id, after);
  return after;
}

/** Ties the type of the parameters to their schema. */
function operation<Schema extends z.ZodType>(definition: {
  op: string;
  method: 'GET' | 'POST';
  path: string;
  params: Schema;
  run(request: VendorRequest<z.output<Schema>>): VendorResult;
}): CoinbaseOperation {
  return { ...definition, mutates: definition.method !== 'GET' } as CoinbaseOperation;
}
