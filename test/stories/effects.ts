/**
 * Everything that happened to the outside and to subscriptions, as lines in order of time: what the card vendor's own
 * log says, what payers sent on a chain, the timeline, the mails and what is posted to the operators' chat. A story compares the whole list, so that an effect nobody expected fails it.
 */
import { asc } from 'drizzle-orm';
import { type Database, withTenant } from '../../db/client.ts';
import { invoices, subscriptionEvents } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { formatMoney } from '../../domain/money.ts';
import type { CoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import type { ResendSandbox } from '../../integrations/resend/sandbox.ts';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import type { StripeSandbox } from '../../integrations/stripe/sandbox.ts';
import type { StoryChain } from './chain.ts';

export type EffectFilter = {
  /** Only what concerns this subscription. */
  subscriptionId?: string;
  /** Only what happened since; lines begin with the day since then (`day 7`, `day 7 +02:30`) instead of the date. */
  from?: string | Date;
};

export async function listEffects(
  {
    db,
    tenantId,
    stripe,
    razorpay,
    coinbase,
    resend,
    chain,
  }: {
    db: Database;
    tenantId: string;
    stripe: StripeSandbox;
    razorpay: RazorpaySandbox;
    coinbase: CoinbaseSandbox;
    resend: ResendSandbox;
    chain: Pick<StoryChain, 'effects'> | null;
  },
  { subscriptionId, from }: EffectFilter,
): Promise<string[]> {
  const rows = await withTenant(db, tenantId, async (tx) => ({
    mails: await tx.select().from(notifications).orderBy(asc(notifications.id)),
    events: await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id)),
    invoices: await tx.select({ id: invoices.id, subscriptionId: invoices.subscriptionId }).from(invoices),
  }));
  refuseUnbookedMails(resend, rows.mails);
  const owners = new Map(rows.invoices.map((invoice) => [invoice.id, invoice.subscriptionId]));

  const lines = [
    ...[...stripe.effects(), ...razorpay.effects(), ...coinbase.effects()].flatMap((effect) => {
      const text = chargeInWords(effect);
      if (text === null) return [];
      // What Razorpay collects by itself names the subscription.
      const owner = owners.get(effect.businessRef ?? '') ?? effect.businessRef ?? undefined;
      return [{ at: new Date(effect.at), owner, text }];
    }),
    ...(chain?.effects() ?? []).map(({ at, invoiceId, text }) => ({
      at,
      owner: owners.get(invoiceId),
      text,
    })),
    ...rows.events.map(({ at, kind, subscriptionId: owner, details }) => ({
      at,
      owner,
      text: entryInWords(kind, details),
    })),
    ...rows.mails.map(({ decidedAt: at, subscriptionId: owner, channel, template, status }) => ({
      at,
      owner,
      text: `${channel} ${template} ${status}`,
    })),
  ];
  const origin = from === undefined ? null : new Date(from).getTime();
  const minutesOf = (at: Date) => Math.round((at.getTime() - (origin ?? 0)) / MINUTE_MS);
  const when = (minutes: number) => (origin === null ? minuteOf(minutes) : dayOf(minutes));
  return lines
    .filter(({ owner }) => subscriptionId === undefined || owner === subscriptionId)
    .map(({ at, text }) => ({ minutes: minutesOf(at), text }))
    .filter(({ minutes }) => origin === null || minutes >= 0)
    .sort((a, b) => a.minutes - b.minutes)
    .map(({ minutes, text }) => `${when(minutes)} ${text}`);
}

const MINUTE_MS = 60_000;

/** One word for each request that changes a payment at the vendor; other requests are no effect of a story. */
const chargeWords: Partial<Record<string, string>> = {
  'payment_intents.create': 'charge',
  'payment_intents.confirm': 'link',
  'payment_intents.authenticate': 'confirmation',
  'payment_intents.settle': 'bank',
  'payment_intents.cancel': 'cancel charge',
  'refunds.create': 'refund',
  'refunds.settle': 'refund',
  'refunds.fail': 'refund back',
  'disputes.open': 'dispute',
  'disputes.close': 'dispute',
  'orders.create': 'order',
  'payments.fail': 'order payment',
  'payments.authorize': 'order payment authorized',
  'payments.capture': 'capture',
  'payments.auto_capture': 'capture',
  'plans.create': 'razorpay plan',
  'subscriptions.create': 'razorpay subscription',
  'subscriptions.cancel': 'razorpay cancel',
  'subscriptions.end': 'ended at razorpay',
  'checkouts.create': 'checkout',
  'checkouts.process': 'checkout processing',
  'checkouts.pay': 'checkout paid',
  'checkouts.fail': 'checkout payment',
  'checkouts.refund': 'refund',
  'checkouts.refund_fail': 'refund back',
};

/** `charge USD 29.00 succeeded`, `charge USD 29.00 refused insufficient_funds`, `charge USD 29.00 replay`. */
function chargeInWords({ op, amountMinor, currency, outcome, detail, faultInjected }: Effect): string | null {
  const word = chargeWords[op];
  if (word === undefined) return null;
  const money =
    amountMinor === null ? [] : [formatMoney({ amountMinor, currency: (currency ?? '').toUpperCase() })];
  const result = outcome === 'effect' ? [] : [outcome];
  const fault = faultInjected === null ? [] : [`(${faultInjected})`];
  return [word, ...money, ...result, ...(detail === null ? [] : [detail]), ...fault].join(' ');
}

/** Entries about access say which. */
function entryInWords(kind: string, details: unknown): string {
  const { to } = details as { to?: string };
  return kind === 'access_changed' ? `access ${to}` : kind;
}

/** A mail left the house exactly for each row that says so. */
function refuseUnbookedMails(
  resend: ResendSandbox,
  rows: readonly (typeof notifications.$inferSelect)[],
): void {
  const left = resend
    .mails()
    .map(({ id }) => id)
    .sort();
  const booked = rows.flatMap(({ externalId }) => (externalId === null ? [] : [externalId])).sort();
  if (left.join() !== booked.join())
    throw new Error(`Mails that left: ${left.length}, rows sent: ${booked.length}`);
}

function minuteOf(minutes: number): string {
  return new Date(minutes * MINUTE_MS).toISOString().slice(0, 16);
}

function dayOf(minutes: number): string {
  const days = Math.floor(minutes / MINUTES_PER_DAY);
  const rest = minutes - days * MINUTES_PER_DAY;
  if (rest === 0) return `day ${days}`;
  const [hours, left] = [Math.floor(rest / 60), rest % 60];
  return `day ${days} +${String(hours).padStart(2, '0')}:${String(left).padStart(2, '0')}`;
}

const MINUTES_PER_DAY = 24 * 60;
