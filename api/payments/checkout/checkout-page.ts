/** What the public page says of an invoice in coins: its state in a customer's words, and what helps when something is wrong. */
import type { Checkout } from '../../../db/queries/payments/read-checkout.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { type CryptoAsset, coinsOf, formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { type ChainName, titleOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoInvoiceFlag } from '../../../domain/payments/crypto-invoice.ts';
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
    coins: coinsOf(units, asset),
    address,
    olderAddress: nestedAddress === address ? null : nestedAddress,
    link: uri.link,
    qrSvg: qrSvg(uri.qr, `Payment of ${formatCoins(units, asset)}`),
    isPayable,
    expiresAt: invoice.expiresAt.toISOString(),
    headline: headline(checkout, now),
    explanation: explanation(checkout),
    tone: tone(checkout),
    facts: facts(checkout),
    transactions: checkout.payments.map(({ txid, status: each, units: paid, asset: coin }) => ({
      txid,
      state: `${coin === null ? 'unknown token' : formatCoins(paid, coin)} – ${paymentInWords(each).customer}`,
    })),
    help: helpWith({ asset, chain, hasOlderAddress: nestedAddress !== null }),
  };
}

function headline({ cryptoInvoice: { status, expiresAt }, isPaused }: Checkout, now: Date): string {
  if (status === 'awaiting' && now > expiresAt && !isPaused) return 'The time is over: we are checking';
  return headlines[status];
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
  'paused',
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

function explanation({ cryptoInvoice: { status, flags }, isPaused }: Checkout): string {
  const own = statusInWords(status).customer;
  const all = isPaused && !flags.includes('paused') ? [...flags, 'paused' as const] : flags;
  const flag = telling.find((each) => all.includes(each));
  const more = flag === undefined ? null : flagInWords(flag).customer;
  return more === null ? own : `${own} ${more}`;
}

function tone({ cryptoInvoice: { status, flags } }: Checkout): CheckoutPage['tone'] {
  if (flags.includes('review') || status === 'invalid') return 'attention';
  if (status === 'settled' || status === 'final') return 'done';
  if (status === 'processing') return 'working';
  return status === 'awaiting' ? 'waiting' : 'attention';
}

function facts({ cryptoInvoice: invoice, payments, height }: Checkout): CheckoutPage['facts'] {
  const { asset, creditedUnits, dueUnits, excessUnits, requiredDepth, status } = invoice;
  const rows: { name: string; value: string }[] = [];
  if (creditedUnits > 0n) rows.push({ name: 'Arrived', value: formatCoins(creditedUnits, asset) });
  if (creditedUnits > 0n && creditedUnits < dueUnits && status === 'awaiting') {
    rows.push({ name: 'Still missing', value: formatCoins(dueUnits - creditedUnits, asset) });
  }
  if (excessUnits > 0n) rows.push({ name: 'Too much', value: formatCoins(excessUnits, asset) });
  if (status === 'processing') {
    const needed = requiredDepth === null ? 'the network calls it final' : `${requiredDepth}`;
    const heights = payments.flatMap((each) => (each.height === null || each.isLate ? [] : [each.height]));
    const least = heights.length === 0 || height === null ? 0 : height - Math.max(...heights) + 1;
    const value = requiredDepth === null ? `${least}, until ${needed}` : `${least} of ${needed}`;
    rows.push({ name: 'Confirmations', value });
  }
  return rows;
}

function helpWith({
  asset,
  chain,
  hasOlderAddress,
}: {
  asset: CryptoAsset;
  chain: ChainName;
  hasOlderAddress: boolean;
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
    {
      question: 'I have sent test coins',
      answer: 'Coins of a test network are worth nothing and are not seen here. Pay with real ones.',
    },
  ];
}
