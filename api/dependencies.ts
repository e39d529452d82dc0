/** What the API is composed of; the composition root and the tests each bring their own. */
import type { Client } from '@temporalio/client';
import type { Config } from '../config/env.ts';
import type { Logger } from '../config/logger.ts';
import type { Database } from '../db/client.ts';
import type { TaxEngine } from '../domain/billing/tax-engine.ts';
import type { ObjectStorage } from '../domain/operations/object-storage.ts';

export type ApiDependencies = {
  db: Database;
  /** Connects at its first call, so that the API serves while Temporal is down. */
  temporal: Client;
  /** Asked for previews; a calculation has no effect. */
  taxEngine: TaxEngine;
  /** Files that people send. */
  storage: ObjectStorage;
  log: Logger;
  config: Pick<
    Config,
    'publicUrl' | 'temporal' | 'personKeySecret' | 'stripe' | 'razorpay' | 'coinbase' | 'chains'
  >;
  /** Business time. Stories bring a virtual one; signatures and keys are checked by real time. */
  clock: () => Date;
};
