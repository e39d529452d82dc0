/** What the public page says of an invoice in coins: its state in a customer's words, and what helps when something is wrong. */
import type { Checkout } from '../../../db/queries/payments/read-checkout.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { type CryptoAsset, coinsOf, formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { type ChainName, titleOf } from '../../../domain/payments/crypto-chain.ts';
import { isFeeHigh, tokenFeeUsdMinor } from '../../../domain/payments/crypto-fee.ts';
import {
  type CryptoInvoiceFlag,
  type CryptoInvoiceStatus,
  isSettled,
} from '../../../domain/payments/crypto-invoice.ts';
import type { CryptoPaymentStatus } from '../../../domain/payments/crypto-payment.ts';
import { paymentUri } from '../../../domain/payments/crypto-uri.ts';
import { flagInWords, paymentInWords, statusInWords } from '../../../domain/payments/crypto-words.ts';
import type { CheckoutPage } from './page.ts';
import { qrSvg } from './qr.ts';

/** `token`: the contract of a local chain's dollar token; null elsewhere. */
export function checkoutPage(
  checkout: Checkout,
  { now, token }: { now: Date; token: string | null },
): CheckoutPage {
  const { cryptoInvoice: invoice, seller, invoiceNumber, nestedAddress } = checkout;
  const { chain, network, asset, address, currency, status } = invoice;
  const missingUnits = invoice.dueUnits - invoice.creditedUnits;
  // The time may be over before the chain has been read so far: nobody is asked to pay then.
  const isPayable =
    status === 'awaiting' && missingUnits > 0n && now <= invoice.expiresAt && !checkout.isPaused;
  const units = missingUnits > 0n ? missingUnits : invoice.dueUnits;
  const olderAddress = nestedAddress === address ? null : nestedAddress;
  const uri = paymentUri({ chain, network, asset, address, units, label: seller, token });
  return {
    seller,
    invoiceNumber,
    price: formatMoney(money(invoice.dueMinor, currency)),
    rate: `1 ${asset} = ${currency} ${invoice.rate}`,
    asset,
    chain: titleOf(chain),
    testNotice:
      network === 'mainnet'
        ? null
        : `This is a ${network === 'local' ? 'local' : 'test'} network: coins are worth nothing here. Do not send real ones.`,
    feeNotice: feeNotice(checkout),
    coins: coinsOf(units, asset),
    address,
    olderAddress,
    link: uri.link,
    qrSvg: qrSvg(uri.qr, `Payment of ${formatCoins(units, asset)}`),
    isPayable,
    expiresAt: invoice.expiresAt.toISOString(),
    secondsLeft: Math.max(0, Math.ceil((invoice.expiresAt.getTime() - now.getTime()) / 1_000)),
    headline: headline(checkout, now),
    explanation: explanation(checkout, now),
    tone: tone(invoice),
    facts: facts(checkout),
    transactions: checkout.payments.map(({ txid, status: each, units: paid, asset: coin }) => ({
      txid,
      state: `${coin === null ? 'unknown token' : formatCoins(paid, coin)} – ${paymentInWords(each).customer}`,
    })),
    help: helpWith({ asset, chain, hasOlderAddress: olderAddress !== null, isReal: network === 'mainnet' }),
  };
}

/** Where the fee is a large part of what is paid, another way is worth asking for. */
function feeNotice({ cryptoInvoice: { asset, chain, usdMinor, policy }, gas }: Checkout): string | null {
  if (gas === null) return null;
  const feeUsdMinor = tokenFeeUsdMinor(gas);
  if (!isFeeHigh({ feeUsdMinor, usdMinor }, policy)) return null;
  const fee = formatMoney(money(feeUsdMinor, 'USD'));
  return `Sending ${asset} on ${titleOf(chain)} costs about ${fee} in fees now. ${asset} on Base or Polygon, or Bitcoin, may cost less: ask for one of these instead.`;
}

/** Nobody is asked to pay: the chain cannot be trusted now, or the time is over and it is not yet known what came in it. */
function holdOf(
  { cryptoInvoice: { status, expiresAt }, isPaused }: Checkout,
  now: Date,
): 'paused' | 'checking' | null {
  if (status !== 'awaiting') return null;
  if (isPaused) return 'paused';
  return now > expiresAt ? 'checking' : null;
}

const held = {
  paused: {
    headline: 'Please wait before you pay',
    explanation: `${flagInWords('paused').customer} Please do not send anything before this page asks for it again.`,
  },
  checking: {
    headline: 'The time is over: we are checking',
    explanation:
      'Please do not send anything now. If you have paid in time, this page shows it in a few moments.',
  },
};

function headline(checkout: Checkout, now: Date): string {
  const hold = holdOf(checkout, now);
  return hold === null ? headlines[checkout.cryptoInvoice.status] : held[hold].headline;
}

const headlines: Record<Checkout['cryptoInvoice']['status'], string> = {
  awaiting: 'Waiting for your payment',
  processing: 'Your payment is on its way',
  settled: 'Paid',
  final: 'Paid',
  expired: 'Expired',
  invalid: 'Not paid',
  cancelled: 'Cancelled',
};

/** The first of these that is the case says more than the status does. */
const telling: readonly CryptoInvoiceFlag[] = [
  'double_spent',
  'late',
  'wrong_chain',
  'wrong_asset',
  'confirmation_overdue',
  'slow_confirm',
  'unconfirmed_parent',
  'double_spend_attempt',
  'over',
  'partial',
  'review',
  'dust',
];

function explanation(checkout: Checkout, now: Date): string {
  const { status, flags } = checkout.cryptoInvoice;
  const hold = holdOf(checkout, now);
  const own = hold === null ? (besides[status] ?? statusInWords(status).customer) : held[hold].explanation;
  const isUnsettled = status === 'processing' && (checkout.isPaused || flags.includes('paused'));
  const flag = isUnsettled ? 'paused' : telling.find((each) => flags.includes(each) && tells(each, status));
  const more = flag === undefined ? null : flagInWords(flag).customer;
  return more === null ? own : `${own} ${more}`;
}

/** Below a headline that says the same already. */
const besides: Partial<Record<CryptoInvoiceStatus, string>> = {
  awaiting: 'Send the amount below in one payment; this page shows it as soon as the network does.',
  processing: 'You need not do anything more: this page shows when the network has confirmed it.',
  settled: 'Thank you.',
  final: 'Thank you.',
};

function tells(flag: CryptoInvoiceFlag, status: CryptoInvoiceStatus): boolean {
  // Whoever reads that something is missing sends it, which helps only while it is waited for.
  return flag !== 'partial' || status === 'awaiting';
}

function tone({ status, flags }: Checkout['cryptoInvoice']): CheckoutPage['tone'] {
  if (isSettled(status)) return 'done';
  if (flags.includes('review')) return 'attention';
  if (status === 'processing') return 'working';
  return status === 'awaiting' ? 'waiting' : 'attention';
}

function facts(checkout: Checkout): CheckoutPage['facts'] {
  const { asset, creditedUnits, dueUnits, excessUnits, requiredDepth, status } = checkout.cryptoInvoice;
  const rows: { name: string; value: string }[] = [];
  if (creditedUnits > 0n) rows.push({ name: 'Arrived', value: formatCoins(creditedUnits, asset) });
  if (creditedUnits > 0n && creditedUnits < dueUnits && status === 'awaiting') {
    rows.push({ name: 'Still missing', value: formatCoins(dueUnits - creditedUnits, asset) });
  }
  if (excessUnits > 0n) rows.push({ name: 'Too much', value: formatCoins(excessUnits, asset) });
  for (const payout of checkout.payouts) {
    const name = payout.status === 'confirmed' ? 'Given back' : 'On its way back to you';
    rows.push({ name, value: formatCoins(payout.units, payout.asset) });
  }
  if (status === 'processing') {
    const reached = confirmationsOf(checkout);
    const value =
      requiredDepth === null
        ? `${reached}, until the network calls it final`
        : `${Math.min(reached, requiredDepth)} of ${requiredDepth}`;
    rows.push({ name: 'Confirmations', value });
  }
  return rows;
}

/** As many as everything has that is needed to pay: what is deepest goes first, and what came in time before what came late. */
function confirmationsOf({ cryptoInvoice: invoice, payments, height }: Checkout): number {
  const counted = payments
    .filter(
      ({ chain, asset, status }) => chain === invoice.chain && asset === invoice.asset && alive.has(status),
    )
    .map(({ units, height: minedAt, isLate }) => {
      const depth = minedAt === null || height === null ? 0 : Math.max(0, height - minedAt + 1);
      return { units, depth, isLate };
    })
    .toSorted((a, b) => Number(a.isLate) - Number(b.isLate) || b.depth - a.depth);
  let units = 0n;
  let least = Number.POSITIVE_INFINITY;
  for (const payment of counted) {
    units += payment.units;
    least = Math.min(least, payment.depth);
    if (units >= invoice.minDueUnits) return least;
  }
  return 0;
}

const alive: ReadonlySet<CryptoPaymentStatus> = new Set(['seen', 'mined', 'confirmed']);

function helpWith({
  asset,
  chain,
  hasOlderAddress,
  isReal,
}: {
  asset: CryptoAsset;
  chain: ChainName;
  hasOlderAddress: boolean;
  isReal: boolean;
}): CheckoutPage['help'] {
  const title = titleOf(chain);
  return [
    {
      question: 'I have sent less than the amount',
      answer:
        'Send the rest to the same address while the time runs: payments are added up. When it is over, get in touch with us; what you have sent is not lost.',
    },
    {
      question: 'I have sent more than the amount',
      answer: 'We see it, and give the difference back or keep it for your next invoice.',
    },
    {
      question: 'I have paid, and nothing happens',
      answer: `Your wallet shows a transaction when it has sent the payment. ${title} then has to confirm it, which takes minutes, and with a low fee hours. This page shows it as soon as it is seen.`,
    },
    {
      question: 'I have paid after the time was over',
      answer: 'We see it too, and get in touch with you. Please do not pay a second time.',
    },
    {
      question: 'I have sent another coin, or used another network',
      answer: `Only ${asset} on ${title} counts by itself. Tell us the transaction: what reached an address of ours can usually be found.`,
    },
    ...(hasOlderAddress
      ? [
          {
            question: 'My wallet says that the address is not valid',
            answer:
              'Older wallets do not know addresses of this form; use the other one that is offered below the amount.',
          },
        ]
      : []),
    ...(isReal
      ? [
          {
            question: 'I have sent test coins',
            answer: 'Coins of a test network are worth nothing and are not seen here. Pay with real ones.',
          },
        ]
      : []),
  ];
}
