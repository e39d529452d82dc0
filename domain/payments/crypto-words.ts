/** What the customer on the checkout page and the operator in their list are told of an invoice in coins, in a sentence each. */
import { type CryptoAsset, formatCoins } from './crypto-asset.ts';
import { type ChainName, titleOf } from './crypto-chain.ts';
import type { CryptoEvent, CryptoEventKind } from './crypto-events.ts';
import type { CryptoInvoiceFlag, CryptoInvoiceStatus } from './crypto-invoice.ts';
import type { CryptoPaymentStatus } from './crypto-payment.ts';

/** The same thing to both; null where it is nothing the customer needs to know. */
export type Words = { customer: string | null; operator: string };

/** What an event's sentence names besides the event itself. */
export type WordsContext = { asset: CryptoAsset; chain: ChainName };

export function statusInWords(status: CryptoInvoiceStatus): Words & { customer: string } {
  return statuses[status];
}

const statuses: Record<CryptoInvoiceStatus, Words & { customer: string }> = {
  awaiting: {
    customer: 'Waiting for your payment.',
    operator: 'Nothing, or not enough, has come yet.',
  },
  processing: {
    customer: 'Your payment is on its way; you need not do anything more.',
    operator: 'Enough has come, and is not deep enough in the chain yet.',
  },
  settled: {
    customer: 'Paid. Thank you.',
    operator: 'Paid and booked; still watched until no reorganisation can undo it.',
  },
  final: { customer: 'Paid. Thank you.', operator: 'Paid, and so deep in the chain that it stays there.' },
  expired: {
    customer: 'The time to pay at this rate is over. Please do not send anything to this address any more.',
    operator: 'The quote ran out before enough had come.',
  },
  invalid: {
    customer: 'This payment did not come through. Please get in touch with us.',
    operator: 'The payment did not come through, or was lost again; money that comes still waits for review.',
  },
  cancelled: {
    customer: 'This invoice is not to be paid in coins any more. Please do not send anything.',
    operator: 'Cancelled; money that comes nevertheless waits for review.',
  },
};

export function flagInWords(flag: CryptoInvoiceFlag): Words {
  return flags[flag];
}

const flags: Record<CryptoInvoiceFlag, Words> = {
  partial: {
    customer: 'A part of the amount has arrived; the rest is still missing.',
    operator: 'Less than what is enough has come.',
  },
  within_tolerance: {
    customer: null,
    operator: 'Slightly less than due has come, within the tolerance.',
  },
  over: {
    customer: 'More than the amount due has arrived; we take care of what is too much.',
    operator: 'More than due has come: refund the excess or credit it.',
  },
  late: {
    customer: 'A payment came after the time was over; we look at it and get in touch with you.',
    operator: 'Money came too late: accept it, extend the quote or refund it.',
  },
  replaced: {
    customer: 'A payment was replaced by another transaction of the same wallet.',
    operator: 'A transaction that had paid was replaced before it was mined.',
  },
  reorged: {
    customer: null,
    operator: 'A block that held a payment left the chain; access is at risk until it is mined again.',
  },
  double_spent: {
    customer: 'The coins of a payment are gone, and it does not count.',
    operator: 'The coins of a payment are spent by another transaction, or gone from the chain for good.',
  },
  double_spend_attempt: {
    customer: 'Another transaction spends the same coins, so we wait for more confirmations.',
    operator: 'A conflicting transaction was seen: the invoice waits for the greater depth.',
  },
  unconfirmed_parent: {
    customer: 'Your payment waits for an earlier transaction of your wallet to be confirmed.',
    operator: 'A payment spends coins that are not confirmed themselves.',
  },
  wrong_asset: {
    customer: 'Another coin than the one asked for has arrived; we look at it and get in touch with you.',
    operator: 'Another asset than the one invoiced came to the address: accept it at its value or refund it.',
  },
  wrong_chain: {
    customer: 'A payment arrived on another network than the one asked for; we look at it.',
    operator: 'Money came to the same address on another chain: accept or refund it.',
  },
  dust: {
    customer: 'An amount too small to count has arrived.',
    operator: 'Amounts below the dust limit came; they do not count.',
  },
  review: {
    customer: 'We look at your payment ourselves and get in touch with you.',
    operator: 'Somebody has to decide what becomes of money that came.',
  },
  marked: { customer: null, operator: 'An operator decided, or late money was accepted by itself.' },
  paused: {
    customer:
      'The network is unsettled at the moment. Nothing is lost: we check your payment as soon as it is calm.',
    operator: 'The chain is paused: nothing settles, nothing expires.',
  },
  slow_confirm: {
    customer: 'The network takes longer than usual, often because the fee was low. The payment is not lost.',
    operator: 'A payment has waited long for its first confirmation.',
  },
  confirmation_overdue: {
    customer: 'The network still has not confirmed your payment. We are looking into it.',
    operator: 'A payment has waited too long for its first confirmation: compare its fee with the market.',
  },
};

export function paymentInWords(status: CryptoPaymentStatus): Words & { customer: string } {
  return payments[status];
}

const payments: Record<CryptoPaymentStatus, Words & { customer: string }> = {
  seen: { customer: 'Seen, not confirmed yet.', operator: 'In the mempool.' },
  mined: {
    customer: 'Confirmed by the network, a few more blocks to go.',
    operator: 'In a block, not deep enough.',
  },
  confirmed: { customer: 'Confirmed.', operator: 'As deep in the chain as required.' },
  orphaned: {
    customer: 'The network has to confirm it once more.',
    operator: 'Its block left the chain; it may be mined again.',
  },
  replaced: {
    customer: 'Replaced by another transaction of the same wallet.',
    operator: 'Another transaction spends its coins.',
  },
  double_spent: {
    customer: 'Its coins went elsewhere; it does not count.',
    operator: 'The conflicting transaction is mined to the required depth.',
  },
  dropped: {
    customer: 'The network has forgotten it; the coins are still in your wallet.',
    operator: 'Neither in a mempool nor in a block for too long.',
  },
  ignored_dust: { customer: 'Too small to count.', operator: 'Dust: listed, not counted.' },
  unexpected_asset: {
    customer: 'Not the coin or the network asked for; it does not count by itself.',
    operator: 'Another asset or chain than the invoice asks for.',
  },
};

/** Names amounts in the invoice's asset. */
export function eventInWords(event: CryptoEvent, context: WordsContext): Words {
  return events[event.kind](event, amountsOf(event, context));
}

type Amounts = { credited: string; excess: string; missing: string; network: string };

function amountsOf(event: CryptoEvent, { asset, chain }: WordsContext): Amounts {
  const inCoins = (units: string) => formatCoins(BigInt(units), asset);
  return {
    credited: inCoins(event.creditedUnits),
    excess: inCoins(event.excessUnits),
    missing: inCoins(event.missingUnits),
    network: titleOf(chain),
  };
}

const transaction = ({ payment }: CryptoEvent) => payment?.txid ?? 'a transaction';

const events: Record<CryptoEventKind, (event: CryptoEvent, amounts: Amounts) => Words> = {
  payment_seen: (event, { network }) => ({
    customer: `We see your payment; ${network} has to confirm it.`,
    operator: `Payment ${transaction(event)} was seen.`,
  }),
  payment_replaced: (event) => ({
    customer: 'Your wallet replaced a payment by another transaction.',
    operator: `Payment ${transaction(event)} was replaced.`,
  }),
  payment_dropped: (event) => ({
    customer: 'The network has forgotten a payment; its coins are still in your wallet.',
    operator: `Payment ${transaction(event)} is in no mempool and in no block any more.`,
  }),
  late_payment: (event) => ({
    customer: 'A payment came after the time was over. We look at it and get in touch with you.',
    operator: `Payment ${transaction(event)} came too late: accept it, extend the quote or refund it.`,
  }),
  wrong_asset: (event) => ({
    customer: 'Another coin than the one asked for has arrived. We look at it and get in touch with you.',
    operator: `Payment ${transaction(event)} is of another asset than the invoice.`,
  }),
  wrong_chain: (event, { network }) => ({
    customer: `A payment arrived on another network than ${network}. We look at it and get in touch with you.`,
    operator: `Payment ${transaction(event)} came on another chain than ${network}.`,
  }),
  dust_ignored: (event) => ({
    customer: 'An amount too small to count has arrived.',
    operator: `Payment ${transaction(event)} is dust and does not count.`,
  }),
  call_failed: (event) => ({
    customer:
      'A transaction to this address failed: nothing was received. The coins are still in your wallet.',
    operator: `Transaction ${transaction(event)} to the address ${event.failure === 'out of gas' ? 'ran out of gas' : 'failed'}: nothing was received, and the customer is told.`,
  }),
  partial_payment: (_event, { credited, missing }) => ({
    customer: `${credited} arrived; ${missing} is still missing.`,
    operator: `${credited} of the amount came, ${missing} is missing.`,
  }),
  processing: (_event, { credited, network }) => ({
    customer: `${credited} arrived; we wait for ${network} to confirm it.`,
    operator: `Enough came: ${credited}.`,
  }),
  payment_reversed: (_event, { credited, missing }) => ({
    customer: `A payment was withdrawn before the network confirmed it; ${missing} is missing now.`,
    operator: `A payment no longer counts: ${credited} is left, ${missing} is missing.`,
  }),
  settled: (_event, { credited }) => ({
    customer: `Paid: ${credited}. Thank you.`,
    operator: `Settled with ${credited}.`,
  }),
  settlement_reversed: () => ({
    customer: 'The network took your payment back. Please get in touch with us.',
    operator: 'The settlement is reversed: revenue and access with it.',
  }),
  finalised: () => ({ customer: null, operator: 'So deep in the chain that it stays there.' }),
  expired: (_event, { missing }) => ({
    customer: `The time to pay at this rate is over, and ${missing} is missing.`,
    operator: `Expired with ${missing} missing.`,
  }),
  extended: () => ({
    customer: 'There is a new amount and more time to pay, at the same address.',
    operator: 'Extended with a new quote.',
  }),
  cancelled: () => ({
    customer: 'This invoice is not to be paid in coins any more.',
    operator: 'Cancelled.',
  }),
  failed_to_confirm: (_event, { network }) => ({
    customer: `${network} never confirmed your payment. Please get in touch with us.`,
    operator: 'Nothing was mined until the end of the watch.',
  }),
  over_paid: (_event, { excess }) => ({
    customer: `${excess} more than due arrived; we take care of it.`,
    operator: `${excess} more than due came: refund or credit it.`,
  }),
  unconfirmed_parent: () => ({
    customer: 'Your payment waits for an earlier transaction of your wallet to be confirmed.',
    operator: 'A payment spends coins that are not confirmed themselves.',
  }),
  reorged: () => ({
    customer: null,
    operator: 'A block that held a payment left the chain; access is at risk until it is mined again.',
  }),
  reorg_healed: () => ({ customer: null, operator: 'The payment is in the chain again.' }),
  double_spend_attempt: () => ({
    customer: 'Another transaction spends the same coins, so we wait for more confirmations.',
    operator: 'A conflicting transaction was seen: the invoice waits for the greater depth.',
  }),
  double_spent: () => ({
    customer: 'The coins of a payment are gone, and it does not count.',
    operator: 'The coins of a payment are lost to another transaction, or gone from the chain for good.',
  }),
  slow_confirm: (_event, { network }) => ({
    customer: `${network} takes longer than usual, often because the fee was low. The payment is not lost.`,
    operator: 'A payment has waited long for its first confirmation.',
  }),
  confirmation_overdue: (_event, { network }) => ({
    customer: `${network} still has not confirmed your payment. We are looking into it.`,
    operator: 'A payment has waited too long for its first confirmation: compare its fee with the market.',
  }),
  review_opened: () => ({
    customer: 'We look at your payment ourselves and get in touch with you.',
    operator: 'Somebody has to decide what becomes of money that came.',
  }),
  review_closed: () => ({ customer: null, operator: 'Nothing waits for a decision any more.' }),
  marked: () => ({
    customer: null,
    operator: 'An operator decided, or late money was accepted by itself.',
  }),
  paused: (_event, { network }) => ({
    customer: `${network} is unsettled at the moment. Nothing is lost: we check your payment as soon as it is calm.`,
    operator: `${network} is paused: nothing settles, nothing expires.`,
  }),
  resumed: (_event, { network }) => ({
    customer: `${network} is calm again.`,
    operator: `${network} is no longer paused.`,
  }),
};
