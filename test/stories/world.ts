/**
 * The world a story plays in: real Postgres, the real API, workflows on the time-skipping server, and the vendors
 * faked only at HTTP. A story moves the clock and then asserts the complete list of what happened. Nothing runs
 * beside the story: the relay and the vendors' webhooks move when the world settles, so every run is the same.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { failureInterceptor } from '../../activities/failures.ts';
import { createActivities } from '../../activities/index.ts';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { createApi } from '../../api/app.ts';
import { loadConfig } from '../../config/env.ts';
import { createDatabase, withTenant } from '../../db/client.ts';
import { subscriptionEvents } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { seedTenant } from '../../db/seed/tenant.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { createRelay } from '../../workers/relay.ts';
import { createTestDatabase } from '../support/database.ts';
import { idle } from './idle.ts';
