/** What the public page of a transfer says: how it stands in a customer's words, what to type at the bank, and what helps. */
import type { TransferPageFacts } from '../../../db/queries/payments/read-transfer-page.ts';
import { inWords } from '../../../domain/instant.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { type BankTransferStatus, isWaitedFor } from '../../../domain/payments/bank-transfer.ts';
import { epcQrOfTransfer } from '../../../domain/payments/epc-qr.ts';
import {
  linesForInvoice,
  type TransferInstructions,
} from '../../../domain/payments/transfer-instructions.ts';
import { qrSvg } from '../checkout/qr.ts';
import type { TransferPage } from './page.ts';
import { proofFacts, takesProof } from './proof-form.ts';

export function transferPage(facts: TransferPageFacts, now: Date): TransferPage {
  const { seller, invoiceNumber, totalMinor, transfer, due, receivedMinor, proofs } = facts;
  const { instructions, reference, confirmationNumber, currency } = transfer;
  const status = statusAt(transfer, now);
  const isPayable = status === 'awaiting' || status === 'partially_paid';
  const epc = isPayable ? epcQrOfTransfer({ instructions, amount: due, reference }) : null;
  return {
    seller,
    invoiceNumber,
    price: formatMoney(isPayable ? due : money(totalMinor, currency)),
    ...words[status],
    explanation: isPayable ? payableWords(instructions) : words[status].explanation,
    instructions: isPayable
      ? {
          lines: linesForInvoice({ instructions, amount: due, reference }),
          warning: instructions.warning,
          until: inWords(transfer.expiresAt.toISOString()),
          qrSvg: epc === null ? null : qrSvg(epc, `SEPA transfer of ${formatMoney(due)}`),
        }
      : null,
    facts: [
      ...(receivedMinor > 0
        ? [{ name: 'Received', value: formatMoney(money(receivedMinor, currency)) }]
        : []),
      ...(receivedMinor > 0 && due.amountMinor > 0
        ? [{ name: 'Still to pay', value: formatMoney(due) }]
        : []),
      ...(confirmationNumber === null
        ? []
        : [{ name: 'Number of your confirmation', value: `noted (… ${confirmationNumber.slice(-SHOWN)})` }]),
      ...proofFacts(proofs),
    ],
    takesConfirmation: isWaitedFor(status),
    takesProof: takesProof(status, proofs),
    mayChange: isWaitedFor(status),
  };
}

/** Of a number that may be seen over somebody's shoulder. */
const SHOWN = 4;

/** The clock may be over before the row says so. */
function statusAt({ status, expiresAt }: TransferPageFacts['transfer'], now: Date): BankTransferStatus {
  const isAsked = status === 'awaiting' || status === 'partially_paid';
  return isAsked && expiresAt < now ? 'expired' : status;
}

function payableWords({ methodName, businessDays }: TransferInstructions): string {
  const days = businessDays === 1 ? 'one business day' : `up to ${businessDays} business days`;
  return `Type at your bank what stands below, for a ${methodName}. It can take ${days}; this page shows when it has arrived.`;
}

const words: Record<BankTransferStatus, Pick<TransferPage, 'headline' | 'explanation' | 'tone'>> = {
  awaiting: { headline: 'Waiting for your transfer', explanation: '', tone: 'waiting' },
  partially_paid: { headline: 'A part is still missing', explanation: '', tone: 'working' },
  in_review: {
    headline: 'We are looking at your proof',
    explanation: 'You need not do anything more, and need not send the money a second time.',
    tone: 'working',
  },
  on_hold: {
    headline: 'We have to check something first',
    explanation:
      'Please answer the mail that we have sent you. Nothing runs out meanwhile, and you need not send the money a second time.',
    tone: 'attention',
  },
  settled: { headline: 'Paid', explanation: 'Thank you.', tone: 'done' },
  expired: {
    headline: 'These instructions have expired',
    explanation:
      'Please do not use them any more: ask us for new ones. If you have sent the transfer before, it is not lost; tell us the number on the confirmation.',
    tone: 'attention',
  },
  void: {
    headline: 'Nothing is to be paid',
    explanation: 'This invoice does not wait for a payment any more. Please do not send anything for it.',
    tone: 'attention',
  },
};
