/**
 * Who is told what happened to an invoice in coins: the customer by mail, whoever sees the subscription by its timeline, and
 * the operators by mail and in their chat where the tenant has named them. What waits for operators is listed besides, by
 * the flags of the invoice.
 */
import { type NotificationVariables, templateVariables } from '../../../domain/messaging/notification.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { type ChainName, titleOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoEvent, CryptoEventKind } from '../../../domain/payments/crypto-events.ts';
import { failedCallInWords } from '../../../domain/payments/failed-call.ts';
import type { Tx } from '../../client.ts';
import { readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { type CryptoEventRow, readCryptoInvoice } from './crypto-invoices.ts';
import { payUrl } from './dunning-message.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';

/** `waiting`: what else is told of the invoice now. */
type Told = {
  invoice: CryptoInvoiceRow;
  event: CryptoEventRow;
  waiting: readonly CryptoEventRow[];
  at: Date;
};

/** Each event once; what nobody has to know, or what something later has overtaken, tells nothing. */
export async function tellOfCryptoEvent(tx: Tx, { invoice: coins, event, waiting, at }: Told): Promise<void> {
  const kind = event.kind as CryptoEventKind;
  const template = isExplained(event, waiting) ? null : templateFor(kind, coins);
  const alert = kind === 'review_opened' && !coins.flags.includes('review') ? undefined : alerts[kind];
  const entry = entryFor(kind, coins);
  if (template === null && alert === undefined && entry === undefined) return;

  const invoice = await readInvoice(tx, coins.invoiceId);
  const context = await lockSubscription(tx, invoice.subscriptionId);
  const payment = paymentOf(event);
  const units = payment?.units ?? coins.creditedUnits + coins.lateUnits;
  const variables = {
    planName: context.plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(money(coins.dueMinor, coins.currency)),
    coins: formatCoins(units, coins.asset),
    due: formatCoins(coins.dueUnits, coins.asset),
    excess: formatCoins(coins.excessUnits, coins.asset),
    // What failed may have been sent on another one; what is wrong is told which one would be right.
    chain: titleOf(kind === 'call_failed' && payment !== null ? payment.chain : coins.chain),
    payUrl: payUrl(context.tenant.portalUrl, invoice.id),
    txid: payment?.txid ?? '',
    ...failedCallInWords(event.details['failure'] === 'out of gas' ? 'out of gas' : 'reverted', coins.status),
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
  if (alert !== undefined) {
    await enqueueOperatorNotice(tx, {
      tenantId: coins.tenantId,
      key: `crypto_event:${event.id}`,
      at,
      template: 'crypto_operator_alert',
      variables: { invoiceNumber: invoice.number, what: alert },
    });
  }
}

/**
 * What happens to a payout without anybody asking for it: operators find it on the timeline, in the audit log, in their mail
 * and their chat.
 * Call once for each kind, as the row of the payout says.
 */
export async function tellOfPayout(
  tx: Tx,
  {
    payout: { id, tenantId, cryptoInvoiceId },
    kind,
    what,
    details,
    at,
  }: {
    payout: { id: string; tenantId: string; cryptoInvoiceId: string };
    kind: 'asked' | 'sent_after_rejection';
    /** As a sentence. */
    what: string;
    /** For the audit log. */
    details: Record<string, string | null>;
    at: Date;
  },
): Promise<void> {
  const coins = await readCryptoInvoice(tx, cryptoInvoiceId);
  const invoice = await readInvoice(tx, coins.invoiceId);
  const { subscription } = await lockSubscription(tx, invoice.subscriptionId);
  await addTimelineEntry(tx, subscription, at, {
    kind: `crypto_payout_${kind}`,
    message: `Invoice ${invoice.number} in ${coins.asset}: ${what}`,
    details: { cryptoInvoiceId, invoiceId: invoice.id, payoutId: id },
  });
  await enqueueOperatorNotice(tx, {
    tenantId,
    key: `crypto_payout:${id}:${kind}`,
    at,
    template: 'crypto_operator_alert',
    variables: { invoiceNumber: invoice.number, what },
  });
  await writeAudit(tx, {
    tenantId,
    actor: 'system',
    action: `crypto_payout.${kind}`,
    entityType: 'crypto_payout',
    entityId: id,
    details: { cryptoInvoiceId, ...details },
    at,
  });
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
    // What was accepted by itself waits for nobody.
    case 'late_payment':
      return flags.includes('review') ? 'crypto_payment_late' : null;
    case 'over_paid':
      return flags.includes('over') ? 'crypto_payment_over' : null;
    case 'slow_confirm':
      return status === 'processing' ? 'crypto_payment_slow' : null;
    case 'payment_reversed':
      return isOpen || status === 'expired' ? 'crypto_payment_gone' : null;
    // Whoever has paid, or is paying, by another transaction need not do anything.
    case 'call_failed':
      return status === 'awaiting' || status === 'expired' ? 'crypto_payment_call_failed' : null;
    case 'failed_to_confirm':
      return status === 'invalid' ? 'crypto_payment_failed' : null;
    case 'wrong_asset':
    case 'wrong_chain':
      return 'crypto_payment_wrong';
    default:
      return null;
  }
}

/** That a transaction failed says more than that it is gone. */
function isExplained({ kind, version }: CryptoEventRow, waiting: readonly CryptoEventRow[]): boolean {
  return (
    kind === 'payment_reversed' &&
    waiting.some((other) => other.kind === 'call_failed' && other.version === version)
  );
}

/** What is settled already, or gone again, waits for nothing any more. */
function entryFor(kind: CryptoEventKind, { status }: CryptoInvoiceRow): string | undefined {
  return kind === 'processing' && status !== 'processing' ? undefined : entries[kind];
}

/** For the timeline. */
const entries: Partial<Record<CryptoEventKind, string>> = {
  processing: 'enough was seen on the chain; it waits to be confirmed.',
  call_failed: 'a transaction to its address failed; nothing was received by it.',
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
  double_spent: 'the coins of its payment went elsewhere, or are gone from the chain for good.',
  settlement_reversed: 'what had paid it does not stand; the invoice is open again.',
  reorged: 'a block with its payment left the chain.',
  review_opened:
    'money came that somebody has to decide about: accept it, give it back, or extend the offer.',
};

function paymentOf({ details }: CryptoEventRow): { chain: ChainName; units: bigint; txid: string } | null {
  const payment = details['payment'] as CryptoEvent['payment'] | undefined;
  return payment ? { ...payment, units: BigInt(payment.units) } : null;
}

type Variables = Record<
  | 'planName'
  | 'invoiceNumber'
  | 'amount'
  | 'coins'
  | 'due'
  | 'excess'
  | 'chain'
  | 'txid'
  | 'failedBecause'
  | 'advice'
  | 'payUrl',
  string
>;

/** Messages take exactly what they need. */
function pick<T extends CustomerTemplate>(template: T, all: Variables): NotificationVariables[T] {
  const names: readonly (keyof Variables)[] = templateVariables[template];
  return Object.fromEntries(names.map((name) => [name, all[name]])) as NotificationVariables[T];
}
