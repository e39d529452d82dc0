/** All activities, by the task queue that runs them. Real clients are handed in by the worker, stand-ins by nobody. */
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import type { TaxEngine } from '../domain/billing/tax-engine.ts';
import type { ObjectStorage } from '../domain/operations/object-storage.ts';
import type { CardVendor } from '../domain/payments/card-payment.ts';
import type { CheckoutProvider } from '../domain/payments/coinbase-checkout.ts';
import type { ExchangeRates } from '../domain/payments/exchange-rate.ts';
import type { RazorpayVendor } from '../domain/payments/razorpay-subscription.ts';
import { createCustomerActivities } from './billing/customer.ts';
import { createDailyInvoiceRunActivities } from './billing/daily-invoice-run.ts';
import { createDunningActivities } from './billing/dunning.ts';
import { createPauseActivities } from './billing/pause.ts';
import { createPlanChangeActivities } from './billing/plan-change.ts';
import { createSubscriptionActivities } from './billing/subscription.ts';
import { createSubscriptionRequestActivities } from './billing/subscription-requests.ts';
import { createMissedWebhooksActivities } from './operations/missed-webhooks.ts';
import { createRelaySweepActivities } from './operations/relay-sweep.ts';
import { type Banks, createBankConnectionActivities } from './payments/bank-connection.ts';
import {
  createBankMatchingActivities,
  createBankReconciliationActivities,
} from './payments/bank-matching.ts';
import { createBankTransferActivities } from './payments/bank-transfer.ts';
import { createCardPaymentActivities } from './payments/card-payment.ts';
import { type ChainWatching, createChainWatcherActivities } from './payments/chain-watcher.ts';
import { createCoinbaseCheckoutActivities } from './payments/coinbase-checkout.ts';
import { createCryptoInvoiceActivities } from './payments/crypto-invoice.ts';
import { createCryptoLookupActivities } from './payments/crypto-lookup.ts';
import { createExchangeRateActivities } from './payments/exchange-rates.ts';
import { createRazorpayCollectionActivities } from './payments/razorpay-collection.ts';
import { createRazorpayDisputeActivities } from './payments/razorpay-dispute.ts';
import { createRazorpayOrderActivities } from './payments/razorpay-order.ts';
import { createRazorpayPaymentActivities } from './payments/razorpay-payment.ts';
import { createRazorpaySubscriptionActivities } from './payments/razorpay-subscription.ts';
import { createRefundActivities } from './payments/refund.ts';
import { createDailyReportActivities } from './reporting/daily-report.ts';
import { createTrialStatisticsActivities } from './reporting/trial-statistics.ts';

export type ActivityDeps = {
  db: Database;
  cardVendor: CardVendor;
  orderVendor: RazorpayVendor;
  checkoutProvider: CheckoutProvider;
  taxEngine: TaxEngine;
  exchangeRates: ExchangeRates;
  /** Files that people sent; left out where there are none. */
  storage?: ObjectStorage;
  log: Logger;
  /** Under which customers reach our pages; without it, mails lead to the tenant's own portal. */
  publicUrl?: string;
  /** Delivers what is due in the outbox, until `signal`; returns how many rows. */
  drainOutbox: (signal: AbortSignal) => Promise<number>;
  /** How banks are read; left out where none are. */
  banks?: Banks;
  /** The chains that this process watches; left out for none. */
  chainWatching?: ChainWatching;
  /** Aborted when the process is to stop: what runs for hours ends by itself. */
  stopping?: AbortSignal;
};

export function createActivities(deps: ActivityDeps) {
  const chainWatching = deps.chainWatching ?? { network: 'local', chains: [] };
  return {
    /** Decisions and our own database. */
    billing: {
      ...createSubscriptionActivities(deps),
      ...createSubscriptionRequestActivities(deps),
      ...createPlanChangeActivities(deps),
      ...createPauseActivities(deps),
      ...createCryptoInvoiceActivities(deps),
      ...createBankTransferActivities(deps),
      ...createBankMatchingActivities(deps),
    },
    /** Everything that calls the card vendor. */
    stripe: {
      ...createCardPaymentActivities(deps),
      ...createRefundActivities(deps),
      ...createDunningActivities(deps),
      ...createCustomerActivities(deps),
    },
    /** Everything that calls Razorpay; only a refund and the look before a card charge do it on the other queue. */
    razorpay: {
      ...createRazorpayOrderActivities(deps),
      ...createRazorpayPaymentActivities(deps),
      ...createRazorpaySubscriptionActivities(deps),
      ...createRazorpayCollectionActivities(deps),
      ...createRazorpayDisputeActivities(deps),
    },
    /** Everything that asks nodes of chains; the watching runs for hours, once for each chain. */
    chains: {
      ...createChainWatcherActivities({
        db: deps.db,
        log: deps.log,
        chainWatching,
        stopping: deps.stopping ?? new AbortController().signal,
      }),
      ...createCryptoLookupActivities({ db: deps.db, chainWatching }),
    },
    /** Everything that calls Coinbase. */
    coinbase: createCoinbaseCheckoutActivities(deps),
    /** Everything that reads banks through Plaid. */
    plaid: createBankConnectionActivities(deps),
    /** What schedules run. */
    operations: {
      ...createMissedWebhooksActivities(deps),
      ...createRelaySweepActivities(deps),
      ...createTrialStatisticsActivities(deps),
      ...createDailyReportActivities(deps),
      ...createExchangeRateActivities(deps),
      ...createDailyInvoiceRunActivities(deps),
      ...createBankReconciliationActivities(deps),
    },
  };
}
