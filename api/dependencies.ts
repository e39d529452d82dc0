/** What the API is composed of; the composition root and the tests each bring their own. */
import type { Client } from '@temporalio/client';
import type { Config } from '../config/env.ts';
import type { Logger } from '../config/logger.ts';
import type { Database } from '../db/client.ts';
import type { TokenSeal } from '../db/queries/payments/sealed-token.ts';
import type { TaxEngine } from '../domain/billing/tax-engine.ts';
import type { ObjectStorage } from '../domain/operations/object-storage.ts';
import type { BankFeed } from '../domain/payments/bank-feed.ts';
import type { VerificationKeys } from '../integrations/plaid/verify-keys.ts';

export type ApiDependencies = {
  db: Database;
  /** Connects at its first call, so that the API serves while Temporal is down. */
  temporal: Client;
  /** Asked while a person connects a bank or tests a connection; and what seals the tokens of connections. */
  banks: { feed: BankFeed; tokenSeal: TokenSeal };
  /** The keys by which webhooks of the bank feed are verified. */
  feedKeys: VerificationKeys;
  /** Asked for previews; a calculation has no effect. */
  taxEngine: TaxEngine;
  /** Files that people send. */
  storage: ObjectStorage;
  log: Logger;
  config: Pick<
    Config,
    | 'publicUrl'
    | 'temporal'
    | 'encryption'
    | 'personKeySecret'
    | 'stripe'
    | 'razorpay'
    | 'coinbase'
    | 'operatorChat'
    | 'plaid'
    | 'chains'
  >;
  /** Business time. Stories bring a virtual one; signatures and keys are checked by real time. */
  clock: () => Date;
};
