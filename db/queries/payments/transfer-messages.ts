/**
 * What is told of a transfer: the instructions and what changes them to the customer, what waits for somebody to the operators.
 *
 * Why it is safe to run twice: each message is known by what it tells (until when instructions hold, how much has come by which
 * payment), and sent once.
 */

import { inWords } from '../../../domain/instant.ts';
import type { CustomerNotification } from '../../../domain/messaging/notification.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { linesForInvoice } from '../../../domain/payments/transfer-instructions.ts';
import type { Tx } from '../../client.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import type { SubscriptionContext } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import type { BankTransferRow } from './follow-transfer.ts';
import { lastPaymentOf } from './read-payments.ts';

export type TransferMessage = {
  transfer: BankTransferRow;
  invoice: InvoiceRow;
  context: SubscriptionContext;
  /** Where the customer sees how it stands. */
  pageUrl: string;
  at: Date;
};

export function pageUrlOf(publicUrl: string, { pageToken }: Pick<BankTransferRow, 'pageToken'>): string {
  return `${publicUrl}/transfers/${pageToken}`;
}

/** Where it is the customer's turn: the instructions, or what of them is left to be paid. */
export async function tellOfStanding(tx: Tx, told: TransferMessage): Promise<void> {
  const { transfer, invoice } = told;
  const occasion = await standingOccasion(tx, told);
  if (occasion === null) return;
  const until = transfer.expiresAt.toISOString();
  const { reference, instructions } = transfer;
  const { methodName, warning } = instructions;
  const terms = { reference, warning, expiresAt: inWords(until) };
  if (transfer.status === 'awaiting') {
    const lines = linesForInvoice({ instructions, amount: dueOf(invoice), reference })
      .map(({ label, shown, isBold }) => {
        const line = `${label.replaceAll(':', '')}: ${shown}`;
        return isBold ? `**${line}**` : line;
      })
      .join('\n');
    await tellCustomer(tx, told, {
      template: 'bank_transfer_instructions',
      variables: { ...shared(told), methodName, warning, transferLines: lines, expiresAt: terms.expiresAt },
      occasion,
    });
  }
  if (transfer.status === 'partially_paid') {
    const receivedMinor = invoice.paidMinor - transfer.paidBeforeMinor;
    await tellCustomer(tx, told, {
      template: 'bank_transfer_rest',
      variables: { ...shared(told), ...terms, received: formatMoney(money(receivedMinor, invoice.currency)) },
      occasion,
    });
  }
}

/** Nothing has come: the customer is asked where it is. */
export function askCustomer(tx: Tx, told: TransferMessage): Promise<void> {
  const { reference, issuedAt, expiresAt } = told.transfer;
  return tellCustomer(tx, told, {
    template: 'bank_transfer_question',
    variables: { ...shared(told), reference, expiresAt: inWords(expiresAt.toISOString()) },
    occasion: `question:${issuedAt.toISOString()}`,
  });
}

/**
 * A proof was not accepted, and why. Where it is the customer's turn again until another instant than before (`hasNewEnd`), the
 * mail takes the place of the one that would tell how it stands.
 */
export async function tellOfRejection(
  tx: Tx,
  told: TransferMessage,
  { proofId, reason, hasNewEnd }: { proofId: string; reason: string; hasNewEnd: boolean },
): Promise<void> {
  const { reference, expiresAt } = told.transfer;
  return tellCustomer(tx, told, {
    template: 'bank_transfer_proof_rejected',
    variables: { ...shared(told), reference, why: reason, expiresAt: inWords(expiresAt.toISOString()) },
    occasion: (hasNewEnd ? await standingOccasion(tx, told) : null) ?? `proof:${proofId}:rejected`,
  });
}

export function tellOfHold(tx: Tx, told: TransferMessage): Promise<void> {
  return tellCustomer(tx, told, {
    template: 'bank_transfer_on_hold',
    variables: { ...shared(told), reference: told.transfer.reference },
    occasion: `hold:${told.transfer.heldAt?.toISOString()}`,
  });
}

export function tellOfExpiry(tx: Tx, told: TransferMessage): Promise<void> {
  const { reference, expiresAt } = told.transfer;
  return tellCustomer(tx, told, {
    template: 'bank_transfer_expired',
    variables: { ...shared(told), reference },
    occasion: `expired:${expiresAt.toISOString()}`,
  });
}

/** `what` is a sentence; `occasion` makes the notice one of its kind. */
export async function tellOperatorsOfTransfer(
  tx: Tx,
  { transfer, invoice, at }: Pick<TransferMessage, 'transfer' | 'invoice' | 'at'>,
  { what, occasion }: { what: string; occasion: string },
): Promise<void> {
  const { id, tenantId, reference } = transfer;
  await enqueueOperatorNotice(tx, {
    tenantId,
    at,
    key: `bank_transfer:${id}:${occasion}`,
    template: 'bank_operator_alert',
    variables: { invoiceNumber: invoice.number, reference, amount: formatMoney(dueOf(invoice)), what },
  });
}

/** By which a mail is known that tells how it stands, while it is the customer's turn. */
async function standingOccasion(
  tx: Tx,
  { transfer: { status, expiresAt }, invoice: { id, paidMinor } }: TransferMessage,
): Promise<string | null> {
  const until = expiresAt.toISOString();
  if (status === 'awaiting') return `instructions:${until}`;
  if (status !== 'partially_paid') return null;
  // A part that comes after another one of the same amount was taken back is news.
  const part = await lastPaymentOf(tx, id);
  return `rest:${paidMinor}:${part?.id}:${until}`;
}

function shared({ invoice, context: { plan }, pageUrl }: TransferMessage) {
  return {
    planName: plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(dueOf(invoice)),
    payUrl: pageUrl,
  };
}

type Message<N extends CustomerNotification = CustomerNotification> = N extends unknown
  ? Pick<N, 'template' | 'variables'> & { occasion: string }
  : never;

function tellCustomer(
  tx: Tx,
  { transfer: { id, tenantId, customerId }, invoice: { subscriptionId }, at }: TransferMessage,
  { occasion, ...message }: Message,
): Promise<void> {
  const dedupeKey = `bank_transfer:${id}:${occasion}`;
  const request = { ...message, customerId, subscriptionId, dedupeKey } as CustomerNotification;
  return enqueueNotification(tx, { tenantId, at, request });
}
