/**
 * The outbox envelope: what a committed transaction still owes the outside. A row is written in the transaction
 * that decided it and delivered after the commit, possibly twice: every topic is harmless when repeated.
 */
import type { TaskQueue } from './task-queues.ts';

/** Typed search attributes we set. They are not encrypted: ids and states only, no personal data. */
export type SearchAttributes = {
  TenantId?: string;
  CustomerId?: string;
  EntityId?: string;
  Status?: string;
  /** ISO-8601 instant. */
  PeriodEnd?: string;
};

type WorkflowStartFields = {
  workflowType: string;
  workflowId: string;
  taskQueue: TaskQueue;
  args: unknown[];
  summary?: string;
  searchAttributes?: SearchAttributes;
  /** `reject_duplicate`: one run per id for ever (entities). `allow_duplicate`: a new case may follow a closed one. */
  reuse: 'reject_duplicate' | 'allow_duplicate';
};

/** Starts a workflow; an id that already runs (or, with `reject_duplicate`, ever ran) counts as delivered. */
export type WorkflowStart = { topic: 'workflow.start' } & WorkflowStartFields;

/** Signals a workflow; where none runs any more, nothing waits for it and it counts as delivered. */
export type WorkflowSignal = {
  topic: 'workflow.signal';
  workflowId: string;
  signal: string;
  args: unknown[];
};

/** Signals a workflow, starting it first where it does not run. */
export type WorkflowSignalWithStart = {
  topic: 'workflow.signal_with_start';
  signal: string;
  signalArgs: unknown[];
} & WorkflowStartFields;

/** Sends one notification row by mail. */
export type MailSend = { topic: 'mail.send'; notificationId: string };

/** Posts one notification row to the chat of the tenant's operators. */
export type ChatSend = { topic: 'chat.send'; notificationId: string };

/** Tells a tax engine of one record. */
export type TaxRecord = { topic: 'tax.record'; recordId: string };

export type TemporalEnvelope = WorkflowStart | WorkflowSignal | WorkflowSignalWithStart;
export type OutboxEnvelope = TemporalEnvelope | MailSend | ChatSend | TaxRecord;
