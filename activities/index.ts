/** All activities, by the task queue that runs them. Real clients are handed in by the worker, stand-ins by nobody. */
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import type { CardVendor } from '../domain/payments/card-payment.ts';
import { createCustomerActivities } from './billing/customer.ts';
import { createDunningActivities } from './billing/dunning.ts';
import { createPauseActivities } from './billing/pause.ts';
import { createPlanChangeActivities } from './billing/plan-change.ts';
import { createSubscriptionActivities } from './billing/subscription.ts';
import { createSubscriptionRequestActivities } from './billing/subscription-requests.ts';
import { createMissedWebhooksActivities } from './operations/missed-webhooks.ts';
import { createRelaySweepActivities } from './operations/relay-sweep.ts';
import { createCardPaymentActivities } from './payments/card-payment.ts';
import { createRefundActivities } from './payments/refund.ts';
import { createTrialStatisticsActivities } from './reporting/trial-statistics.ts';

export type ActivityDeps = {
  db: Database;
  cardVendor: CardVendor;
  log: Logger;
  /** Delivers what is due in the outbox; returns how many rows. */
  drainOutbox: () => Promise<number>;
};

export function createActivities(deps: ActivityDeps) {
  return {
    /** Decisions and our own database. */
    billing: {
      ...createSubscriptionActivities(deps),
      ...createSubscriptionRequestActivities(deps),
      ...createPlanChangeActivities(deps),
      ...createPauseActivities(deps),
    },
    /** Everything that calls the card vendor. */
    stripe: {
      ...createCardPaymentActivities(deps),
      ...createRefundActivities(deps),
      ...createDunningActivities(deps),
      ...createCustomerActivities(deps),
    },
    /** What schedules run. */
    operations: {
      ...createMissedWebhooksActivities(deps),
      ...createRelaySweepActivities(deps),
      ...createTrialStatisticsActivities(deps),
    },
  };
}
