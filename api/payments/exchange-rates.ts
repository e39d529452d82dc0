/** Exchange rates: which one holds on a day, and entering one that is published nowhere. */
import { z } from 'zod';
import { enterRate, readRate } from '../../db/queries/payments/exchange-rates.ts';
import { unusable } from '../../db/queries/payments/record-payment.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import {
  ENTERED,
  FIRST_RATE_DAY,
  isRate,
  rateText,
  sourceText,
} from '../../domain/payments/exchange-rate.ts';
import { dayAt } from '../../domain/reporting/report-days.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { currency, exchangeRate, id, instant } from '../schemas.ts';
import { rateFields } from './payments.schemas.ts';
import { reason } from './refunds.schemas.ts';

const date = z.iso.date().meta({ description: "A day in the tenant's time zone.", example: '2026-12-05' });
const base = currency.meta({ description: 'One unit of it …' });
const quote = currency.meta({ description: '… is so many units of this one.' });

const appliedRate = z.object({ base, quote, ...rateFields }).meta({ id: 'ExchangeRate' });

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/exchange_rates',
  operationId: 'getExchangeRate',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read the exchange rate that holds on a day',
  description:
    'The last one that was published or entered on that day or up to five days before it, as payments of that day are converted at. Of one day, what you entered goes before what the European Central Bank published. Where neither names the two currencies, it goes through the euro.',
  query: z.strictObject({ date, base, quote }),
  responses: {
    200: {
      description: 'The rate.',
      schema: appliedRate,
      example: {
        base: 'GBP',
        quote: 'USD',
        rate: '1.270000818149',
        day: '2026-12-04',
        source: 'ecb',
        legs: [
          { base: 'EUR', quote: 'GBP', rate: '0.85559', source: 'ecb' },
          { base: 'EUR', quote: 'USD', rate: '1.0866', source: 'ecb' },
        ],
      },
    },
  },
  problems: ['exchange_rate_missing', 'exchange_rate_unusable'],
  handler: async ({ tx, query: { date: day, base, quote } }) => {
    if (base === quote) throw unusable(`${base} is ${quote}: there is nothing to exchange.`);
    const applied = await readRate(tx, { base, quote, day });
    const { legs } = applied;
    return {
      status: 200,
      body: { base, quote, rate: rateText(applied), day: applied.day, source: sourceText(applied), legs },
    };
  },
});

const enteredRate = z
  .object({
    id: id('fxr', 'exchange rate'),
    date,
    base,
    quote,
    rate: exchangeRate,
    source: z.string(),
    enteredAt: instant,
  })
  .meta({ id: 'EnteredExchangeRate' });

const enter = route({
  effect: 'write',
  method: 'post',
  path: '/v1/exchange_rates',
  operationId: 'enterExchangeRate',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Enter the exchange rate of a day',
  description:
    'For currencies that the European Central Bank does not publish, or where another rate was agreed. It holds for your payments only, and goes before what is published; a rate that was entered wrongly is entered again, and the last one holds. Payments that were booked keep theirs. For the limits of what you may do alone it does not count, and you do not match by it: that is for another API key.',
  body: z.strictObject({ date, base, quote, rate: exchangeRate, reason }).meta({ id: 'NewExchangeRate' }),
  example: { date: '2026-12-05', base: 'KWD', quote: 'USD', rate: '3.2541', reason: 'not_published' },
  responses: { 201: { description: 'The rate.', schema: enteredRate } },
  problems: ['date_out_of_range', 'exchange_rate_unusable'],
  handler: async ({ tx, caller: { tenantId, actor }, now, body }) => {
    const { date: day, base, quote, rate, reason } = body;
    if (base === quote) throw unusable(`${base} is ${quote}: there is nothing to exchange.`);
    if (!isRate(rate)) throw unusable(`The rate must be above 0: how many ${quote} one ${base} is.`);
    const today = dayAt(now.toISOString(), (await currentTenant(tx)).timeZone);
    if (day > today || day < FIRST_RATE_DAY) {
      throw new Problem({
        code: 'date_out_of_range',
        detail: 'The rate of a day is known when the day has come.',
        errors: [{ path: 'body.date', message: `must be from ${FIRST_RATE_DAY} to ${today}` }],
      });
    }
    const row = await enterRate(tx, { tenantId, day, base, quote, rate, actor, reason, at: now });
    const enteredAt = now.toISOString();
    return { status: 201, body: { id: row.id, date: day, base, quote, rate, source: ENTERED, enteredAt } };
  },
});

export const exchangeRateRoutes: readonly Route[] = [read, enter];
