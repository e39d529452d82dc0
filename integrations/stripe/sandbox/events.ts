/** Events: written with the change they tell of, listed for 30 days, and handed to the webhook sender. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { vendorId } from '../../sandbox/random.ts';
import type { Origin, StripeContext } from './context.ts';
import { noSuch } from './errors.ts';
import { isWithin, listOf } from './lists.ts';
import { created, expand, operation, pagination, type StripeOperation, text } from './params.ts';

/** Records what has just happened to an object, as it looks now. */
export function emit(context: StripeContext, type: string, object: object, origin: Origin): void {
  const event = {
    id: vendorId('evt'),
    object: 'event',
    api_version: '2026-10-28.endive',
    created: context.clock.seconds(),
    data: { object: structuredClone(object) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: origin.requestId, idempotency_key: origin.idempotencyKey },
    type,
  } as Stripe.Event;
  context.events.put(event.id, event);
  context.deliver(event);
}

const keptSeconds = 30 * 24 * 60 * 60;

export function eventOperations(context: StripeContext): StripeOperation[] {
  return [
    operation({
      op: 'events.list',
      method: 'GET',
      path: '/v1/events',
      params: z.strictObject({
        ...pagination,
        created,
        type: text.optional(),
        types: z.array(text).max(20).optional(),
      }),
      run: ({ params }) => {
        const oldest = context.clock.seconds() - keptSeconds;
        const matching = context.events
          .values()
          .filter((event) => event.created >= oldest && isWithin(params.created, event.created))
          .filter((event) => params.type === undefined || event.type === params.type)
          .filter((event) => params.types?.includes(event.type) ?? true);
        return { body: listOf(matching, { url: '/v1/events', page: params }) };
      },
    }),
    operation({
      op: 'events.retrieve',
      method: 'GET',
      path: '/v1/events/:id',
      params: z.strictObject({ expand }),
      run: ({ pathParams: { id = '' } }) => {
        const event = context.events.get(id);
        if (!event) throw noSuch('event', id);
        return { body: event };
      },
    }),
  ];
}
