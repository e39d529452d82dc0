/** Every workflow type, under the name callers start it by. Nothing else may be exported here. */
export { dunning } from './billing/dunning.ts';
export { subscription } from './billing/subscription.ts';
export { missedWebhooks } from './operations/missed-webhooks.ts';
export { relaySweep } from './operations/relay-sweep.ts';
export { cardPayment } from './payments/card-payment.ts';
export { refund } from './payments/refund.ts';
export { trialStatistics } from './reporting/trial-statistics.ts';
