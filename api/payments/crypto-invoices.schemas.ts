/** The invoice in coins as callers get it. Coins are exact decimals in quotes. */
import { z } from 'zod';
import { cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import { chainNames, cryptoNetworks } from '../../domain/payments/crypto-chain.ts';
import { cryptoInvoiceFlags, cryptoInvoiceStatuses } from '../../domain/payments/crypto-invoice.ts';
import { cryptoPaymentStatuses } from '../../domain/payments/crypto-payment.ts';
import { amount, currency, id, idPattern, instant, links, text } from '../schemas.ts';

const coins = z.string().meta({ description: 'Whole coins, an exact decimal.', example: '0.00048334' });

export const cryptoStatus = z.enum(cryptoInvoiceStatuses).meta({
  description:
    'awaiting: nothing was seen, or not enough. processing: enough was seen, and is being confirmed. settled: paid. final: beyond recall. expired: not enough in time. invalid: what came does not stand. cancelled: not to be paid any more.',
});

export const cryptoFlag = z
  .enum(cryptoInvoiceFlags)
  .meta({ description: 'review: an operator has to decide.' });

const cryptoPayment = z
  .object({
    key: z.string().meta({ description: 'Names the payment where an operator decides about it.' }),
    chain: z.enum(chainNames),
    txid: z.string(),
    asset: z.enum(cryptoAssets).nullable().meta({ description: 'Null for a token that is none of ours.' }),
    amount: z.string().meta({ description: 'Whole coins; of an unknown token its smallest units.' }),
    status: z.enum(cryptoPaymentStatuses),
    isLate: z.boolean(),
    height: z.int().nullable(),
    confirmations: z.int(),
    effectiveAt: instant.meta({ description: 'When it counts as paid.' }),
  })
  .meta({ id: 'CryptoPayment' });

export const cryptoInvoice = z
  .object({
    id: id('cin', 'invoice in coins'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    status: cryptoStatus,
    flags: z.array(cryptoFlag),
    asset: z.enum(cryptoAssets),
    chain: z.enum(chainNames),
    network: z.enum(cryptoNetworks),
    address: z.string().meta({ example: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu' }),
    otherAddresses: z.array(z.string()).meta({
      description: 'For wallets that cannot pay the first; what comes to either is added up.',
    }),
    due: coins,
    enough: coins.meta({ description: 'So much pays the invoice.' }),
    paymentLink: z.string().meta({ description: 'Opens a wallet; also what a QR code holds.' }),
    checkoutUrl: z.url().meta({ description: 'The page to send the customer to.' }),
    dueMinor: amount,
    currency,
    usdMinor: amount.meta({ description: 'Its value in cents of US dollars, which the depth follows.' }),
    rate: z.object({
      rate: z.string().meta({ description: 'Units of the currency for one coin.', example: '60000' }),
      at: instant,
      sources: z.array(
        z.object({
          source: z.string(),
          rate: z.string(),
          side: z.enum(['ask', 'bid', 'last', 'spot']),
          at: instant,
        }),
      ),
    }),
    quoteOrdinal: z.int().meta({ description: 'Above 1: it was extended.' }),
    quotedAt: instant,
    expiresAt: instant,
    credited: coins.meta({ description: 'On time (or accepted) and on the chain.' }),
    confirmed: coins.meta({ description: 'Of that: deep enough.' }),
    late: coins.meta({ description: 'Came too late, and nobody has accepted it.' }),
    excess: coins.meta({ description: 'More than was due.' }),
    requiredDepth: z
      .int()
      .nullable()
      .meta({ description: "Confirmations; null for the chain's own finality." }),
    payments: z.array(cryptoPayment),
    settledAt: instant.nullable(),
    createdAt: instant,
    links,
  })
  .meta({ id: 'CryptoInvoice' });

export type CryptoInvoiceBody = z.input<typeof cryptoInvoice>;

export const newCryptoInvoice = z
  .strictObject({
    asset: z.enum(cryptoAssets),
    chain: z
      .enum(chainNames)
      .optional()
      .meta({ description: 'As usual Bitcoin for BTC, and Ethereum for ETH and USDC.' }),
  })
  .meta({ id: 'NewCryptoInvoice' });

export const cryptoInvoiceParams = z.strictObject({ cryptoInvoiceId: id('cin', 'invoice in coins') });
export const cryptoInvoiceCursor = idPattern('cin');
export const cryptoEventCursor = idPattern('cev');

export const cryptoEvent = z
  .object({
    id: id('cev', 'event'),
    kind: z.string().meta({ example: 'settled' }),
    message: z.string().meta({ description: 'In words, for operators.' }),
    version: z.int().meta({ description: 'Of the invoice in coins that it led to.' }),
    at: instant,
    carriedOutAt: instant.nullable().meta({ description: 'When the books and the mails had followed.' }),
  })
  .meta({ id: 'CryptoEvent' });

const reason = text(500).meta({ description: 'For the audit log.', example: 'agreed with the customer' });
const paymentKeys = z.array(text(200)).min(1).max(50);

export const acceptedPayments = z
  .strictObject({
    paymentKeys,
    rate: z.enum(['locked', 'received']).default('locked').meta({
      description: 'What they count for: at the rate of the quote, or of the moment they came.',
    }),
    reason,
  })
  .meta({ id: 'AcceptedCryptoPayments' });
export const dismissedPayments = z
  .strictObject({ paymentKeys, reason })
  .meta({ id: 'DismissedCryptoPayments' });
export const reasoned = z.strictObject({ reason }).meta({ id: 'ReasonedCryptoAct' });
export const markedSettled = z
  .strictObject({
    txid: z
      .string()
      .regex(/^(?:0x)?[0-9a-fA-F]{64}$/, 'must be the id of a transaction: 64 hexadecimal digits')
      .meta({ description: 'Of the transaction that has paid it.' }),
    force: z.boolean().default(false).meta({
      description: 'It is not known here that it pays enough. A second person has to approve that.',
    }),
    reason,
  })
  .meta({ id: 'CryptoInvoiceMarkedSettled' });

export const actStatus = z.enum(['requested', 'approved', 'rejected']);

export const cryptoAct = z
  .object({
    id: id('cact', 'act'),
    cryptoInvoiceId: id('cin', 'invoice in coins'),
    kind: z.enum(['accept', 'dismiss', 'mark_settled', 'mark_invalid', 'cancel']),
    status: actStatus.meta({ description: 'requested: a second person has to approve it.' }),
    reason: z.string(),
    paymentKeys: z.array(z.string()),
    txid: z.string().nullable(),
    requestedBy: z.string(),
    requestedAt: instant,
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
  })
  .meta({ id: 'CryptoAct' });

export const actParams = z.strictObject({ actId: id('cact', 'act') });
export const actCursor = idPattern('cact');
