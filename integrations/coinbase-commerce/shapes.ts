/**
 * What we read of an event of Coinbase Commerce; it has more, and less in some of its versions.
 * https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-fields
 */
import { z } from 'zod';

const decimal = z.string().regex(/^\d{1,15}(\.\d{1,30})?$/);
const instant = z.iso.datetime({ offset: true });
const price = z.object({ amount: decimal, currency: z.string() });

const payment = z.object({
  transaction_id: z.string().regex(/^[\x21-\x7e]{1,150}$/),
  status: z.string(),
  detected_at: instant.nullish(),
  value: z.object({ local: price, crypto: price.nullish() }),
});

export const charge = z.object({
  id: z.guid(),
  code: z.string().nullish(),
  hosted_url: z.string().max(2_000).nullish(),
  pricing: z.object({ local: price }).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  timeline: z.array(z.object({ time: instant, status: z.string() })).nullish(),
  payments: z.array(payment).nullish(),
  web3_data: z
    .object({
      success_events: z
        .array(
          z.object({ tx_hsh: z.string().regex(/^[\x21-\x7e]{1,150}$/), finalized: z.boolean().nullish() }),
        )
        .nullish(),
    })
    .nullish(),
  created_at: instant.nullish(),
  expires_at: instant.nullish(),
});

export const delivery = z.object({
  scheduled_for: instant.nullish(),
  event: z.object({
    id: z.guid(),
    type: z.string().min(1).max(255),
    created_at: instant,
    data: charge,
  }),
});

export type ChargeJson = z.output<typeof charge>;
export type DeliveryJson = z.output<typeof delivery>;
