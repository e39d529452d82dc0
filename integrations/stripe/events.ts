/** Stripe's list of events, for the reconciler that looks for webhooks that never came. */
import type Stripe from 'stripe';
import type { CardVendorEvent } from '../../domain/payments/card-payment.ts';
import { stripeEventTypes } from '../../domain/payments/vendor-events.ts';
import { read } from './requests.ts';
import { toCardVendorEvent } from './transform.ts';

/** Stripe lists newest first, so all are read before the oldest is handed out: ask for a few hours at a time. */
export async function* listEvents(
  stripe: Stripe,
  { since, until }: { since: string; until: string },
): AsyncIterable<CardVendorEvent> {
  const created = { gte: Math.floor(Date.parse(since) / 1000), lte: Math.ceil(Date.parse(until) / 1000) };
  const newestFirst = [];
  let startingAfter: string | undefined;
  for (;;) {
    const page: Stripe.ApiList<Stripe.Event> = await read(() =>
      stripe.events.list({
        created,
        types: [...stripeEventTypes],
        limit: 100,
        ...(startingAfter === undefined ? {} : { starting_after: startingAfter }),
      }),
    );
    newestFirst.push(...page.data);
    startingAfter = page.data.at(-1)?.id;
    if (!page.has_more || startingAfter === undefined) break;
  }
  for (const event of newestFirst.reverse()) yield toCardVendorEvent(event);
}
