/** Every workflow type, under the name callers start it by. Nothing else may be exported here. */
export { dailyInvoiceRun } from './billing/daily-invoice-run.ts';
export { dunning } from './billing/dunning.ts';
export { subscription } from './billing/subscription.ts';
export { missedWebhooks } from './operations/missed-webhooks.ts';
export { relaySweep } from './operations/relay-sweep.ts';
export { cardPayment } from './payments/card-payment.ts';
export { chainWatcher } from './payments/chain-watcher.ts';
export { cryptoInvoice } from './payments/crypto-invoice.ts';
export { exchangeRates } from './payments/exchange-rates.ts';
export { razorpayCollection } from './payments/razorpay-collection.ts';
export { razorpayDispute } from './payments/razorpay-dispute.ts';
export { razorpayOrder } from './payments/razorpay-order.ts';
export { razorpayPayment } from './payments/razorpay-payment.ts';
export { razorpaySubscription } from './payments/razorpay-subscription.ts';
export { refund } from './payments/refund.ts';
export { dailyReport } from './reporting/daily-report.ts';
export { trialStatistics } from './reporting/trial-statistics.ts';
