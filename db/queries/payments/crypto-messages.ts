/**
 * Who is told what happened to an invoice in coins: the customer by mail, whoever sees the subscription by its timeline, and
 * the operators by mail where the tenant has named an address for its reports. What waits for operators is listed besides, by
 * the flags of the invoice.
 */
import type { NotificationVariables } from '../../../domain/messaging/notification.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { titleOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoEventKind } from '../../../domain/payments/crypto-events.ts';
import type { Tx } from '../../client.ts';
import { readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';
import { findReportSettings } from '../reporting/report-settings.ts';
import type { CryptoEventRow } from './crypto-invoices.ts';
import { payUrl } from './dunning-message.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';

type Told = { invoice: CryptoInvoiceRow; event: CryptoEventRow; at: Date };

/** Each event once; what nobody has to know, or what something later has overtaken, tells nothing. */
export async function tellOfCryptoEvent(tx: Tx, { invoice: coins, event, at }: Told): Promise<void> {
  const kind = event.kind as CryptoEventKind;
  const template = templateFor(kind, coins);
  const alert = alerts[kind];
  const entry = entryFor(kind, coins);
  if (template === null && alert === undefined && entry === undefined) return;

  const invoice = await readInvoice(tx, coins.invoiceId);
  const context = await lockSubscription(tx, invoice.subscriptionId);
  const { units } = paymentOf(event) ?? { units: coins.creditedUnits + coins.lateUnits };
  const variables = {
    planName: context.plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(money(coins.dueMinor, coins.currency)),
    coins: formatCoins(units, coins.asset),
    due: formatCoins(coins.dueUnits, coins.asset),
    excess: formatCoins(coins.excessUnits, coins.asset),
    chain: titleOf(coins.chain),
    payUrl: payUrl(context.tenant.portalUrl, invoice.id),
  };
  if (template !== null) {
    const message = { template, variables: pick(template, variables), occasion: event.id };
    await tellSubscriber(tx, context, at, message as Parameters<typeof tellSubscriber>[3]);
  }
  const words = entry ?? alert;
  if (words !== undefined) {
    await addTimelineEntry(tx, context.subscription, at, {
      kind: `crypto_${kind}`,
      message: `Invoice ${invoice.number} in ${coins.asset}: ${words}`,
      details: { cryptoInvoiceId: coins.id, invoiceId: invoice.id },
    });
  }
  if (alert !== undefined) await tellOperators(tx, { invoice: coins, event, at }, invoice.number, alert);
}

type CustomerTemplate = Exclude<
  Extract<keyof NotificationVariables, `crypto_payment_${string}`>,
  'crypto_payment_reversed'
>;

function templateFor(kind: CryptoEventKind, { status, flags }: CryptoInvoiceRow): CustomerTemplate | null {
  const isOpen = status === 'awaiting' || status === 'processing';
  switch (kind) {
    // The page shows it at once; a mail comes where it takes longer than the quote holds.
    case 'processing':
      return status === 'processing' ? 'crypto_payment_seen' : null;
    case 'expired':
      return status === 'expired' && flags.includes('partial') ? 'crypto_payment_partial' : null;
    case 'late_payment':
      return 'crypto_payment_late';
    case 'over_paid':
      return flags.includes('over') ? 'crypto_payment_over' : null;
    case 'slow_confirm':
      return status === 'processing' ? 'crypto_payment_slow' : null;
    case 'payment_reversed':
      return isOpen || status === 'expired' ? 'crypto_payment_gone' : null;
    case 'failed_to_confirm':
      return status === 'invalid' ? 'crypto_payment_failed' : null;
    case 'wrong_asset':
    case 'wrong_chain':
      return 'crypto_payment_wrong';
    default:
      return null;
  }
}

/** What is settled already, or gone again, waits for nothing any more. */
function entryFor(kind: CryptoEventKind, { status }: CryptoInvoiceRow): string | undefined {
  return kind === 'processing' && status !== 'processing' ? undefined : entries[kind];
}

/** For the timeline. */
const entries: Partial<Record<CryptoEventKind, string>> = {
  processing: 'enough was seen on the chain; it waits to be confirmed.',
  expired: 'the quote has run out.',
  cancelled: 'the offer was cancelled.',
  extended: 'the offer was extended at a new rate.',
  payment_reversed: 'a payment is gone from the chain before it was confirmed.',
  failed_to_confirm: 'the payment was never mined and is given up.',
  over_paid: 'more came than was due.',
};

/** What operators are told of as well. */
const alerts: Partial<Record<CryptoEventKind, string>> = {
  confirmation_overdue:
    'the payment is not confirmed for so long that somebody should look at its transaction.',
  double_spend_attempt:
    'another transaction spends the coins of its payment; it waits for more confirmations.',
  double_spent: 'the coins of its payment went elsewhere.',
  settlement_reversed: 'what had paid it does not stand; the invoice is open again.',
  reorged: 'a block with its payment left the chain.',
  review_opened:
    'money came that somebody has to decide about: accept it, give it back, or extend the offer.',
};

async function tellOperators(
  tx: Tx,
  { invoice: { tenantId }, event, at }: Told,
  invoiceNumber: string,
  what: string,
): Promise<void> {
  const settings = await findReportSettings(tx);
  if (settings === null || settings.recipient === null) return;
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'crypto_operator_alert',
      variables: { invoiceNumber, what },
      recipient: settings.recipient,
      dedupeKey: `crypto_event:${event.id}`,
    },
  });
}

function paymentOf({ details }: CryptoEventRow): { units: bigint } | null {
  const payment = details['payment'];
  if (typeof payment !== 'object' || payment === null || !('units' in payment)) return null;
  return { units: BigInt(String(payment.units)) };
}

type Variables = Record<
  'planName' | 'invoiceNumber' | 'amount' | 'coins' | 'due' | 'excess' | 'chain' | 'payUrl',
  string
>;

/** Messages take exactly what they need. */
function pick<T extends CustomerTemplate>(template: T, all: Variables): NotificationVariables[T] {
  const names: readonly (keyof Variables)[] = cryptoVariables[template];
  return Object.fromEntries(names.map((name) => [name, all[name]])) as NotificationVariables[T];
}

const cryptoVariables = {
  crypto_payment_seen: ['planName', 'invoiceNumber', 'amount', 'coins'],
  crypto_payment_partial: ['planName', 'invoiceNumber', 'amount', 'coins', 'due', 'payUrl'],
  crypto_payment_late: ['planName', 'invoiceNumber', 'amount', 'coins'],
  crypto_payment_over: ['planName', 'invoiceNumber', 'amount', 'excess'],
  crypto_payment_slow: ['planName', 'invoiceNumber', 'amount', 'coins'],
  crypto_payment_gone: ['planName', 'invoiceNumber', 'amount', 'coins', 'payUrl'],
  crypto_payment_failed: ['planName', 'invoiceNumber', 'amount', 'coins', 'payUrl'],
  crypto_payment_wrong: ['planName', 'invoiceNumber', 'amount', 'due', 'chain', 'payUrl'],
} as const satisfies Record<CustomerTemplate, readonly (keyof Variables)[]>;
