/**
 * What we tell customers, and tenants of their own business: each template with exactly the variables it needs. Names
 * and addresses of customers are not among them: they are read from the customer when the message is sent, so that
 * nothing personal is copied around.
 */
import type { DunningTemplate } from '../billing/dunning.ts';
import type { TrialTemplate } from '../billing/plan.ts';
import type { DailyFigures } from '../reporting/daily-report.ts';

/** Money and dates are already in words (`USD 29.00`, `Tue 2 Dec 2025 10:00 UTC`). */
type InvoiceVariables = { planName: string; invoiceNumber: string; amount: string };
type PlanVariables = { planName: string };

/** `reason` and `nextStep` are clauses: they follow "because" and "unless it is paid first,". */
type DunningVariables = InvoiceVariables & { reason: string; nextStep: string; payUrl: string };

/** `dueOn` is a day (`5 Dec 2026`), `overdueFor` a time (`3 days`). */
type DueVariables = InvoiceVariables & { dueOn: string; payUrl: string };

export type NotificationVariables = {
  trial_started: PlanVariables & { trialEndsAt: string; price: string };
  trial_ended: PlanVariables & { takeUpUntil: string };
  subscription_confirmed: InvoiceVariables & { periodEndsAt: string };
  payment_receipt: InvoiceVariables & { periodEndsAt: string };
  invoice_issued: DueVariables;
  invoice_reminder: DueVariables & { overdueFor: string };
  payment_failed: DunningVariables;
  payment_returned: DunningVariables;
  // Amounts of coins in words: `0.00125 BTC`.
  crypto_payment_seen: InvoiceVariables & { coins: string };
  crypto_payment_partial: InvoiceVariables & { coins: string; due: string; payUrl: string };
  crypto_payment_late: InvoiceVariables & { coins: string };
  crypto_payment_over: InvoiceVariables & { excess: string };
  crypto_payment_slow: InvoiceVariables & { coins: string };
  crypto_payment_gone: InvoiceVariables & { coins: string; payUrl: string };
  crypto_payment_failed: InvoiceVariables & { coins: string; payUrl: string };
  /** A transaction that was to pay it failed; `failedBecause` and `advice` are clauses. */
  crypto_payment_call_failed: InvoiceVariables & {
    chain: string;
    txid: string;
    failedBecause: string;
    advice: string;
    payUrl: string;
  };
  crypto_payment_wrong: InvoiceVariables & { due: string; chain: string; payUrl: string };
  /** The chain did not keep coins that had paid the invoice. */
  crypto_payment_reversed: DunningVariables;
  /** A cheque or a money order that had paid the invoice was not paid itself. */
  payment_bounced: DunningVariables;
  // `payUrl` is the page of the transfer. Lines are `Label: value`, one below the other; what is to be bold is in `**`.
  bank_transfer_instructions: InvoiceVariables & {
    methodName: string;
    transferLines: string;
    warning: string;
    expiresAt: string;
    payUrl: string;
  };
  bank_transfer_question: InvoiceVariables & { reference: string; expiresAt: string; payUrl: string };
  bank_transfer_rest: InvoiceVariables & {
    received: string;
    reference: string;
    warning: string;
    expiresAt: string;
    payUrl: string;
  };
  bank_transfer_proof_rejected: InvoiceVariables & {
    reference: string;
    why: string;
    expiresAt: string;
    payUrl: string;
  };
  bank_transfer_on_hold: InvoiceVariables & { reference: string; payUrl: string };
  bank_transfer_expired: InvoiceVariables & { reference: string; payUrl: string };
  /** More came by bank transfer than was due, or for what was paid before: `credit` is the customer's. */
  bank_payment_over: InvoiceVariables & { credit: string };
  bank_payment_duplicate: InvoiceVariables & { credit: string };
  /** A bank transfer that had paid the invoice went back, or was another one's. */
  bank_payment_returned: DunningVariables;
  payment_action_required: InvoiceVariables & { actionUrl: string };
  payment_recovered: InvoiceVariables;
  payment_received: InvoiceVariables;
  /** Money that was recorded by hand and did not complete the invoice. `standing` is a sentence. */
  payment_recorded: InvoiceVariables & { received: string; method: string; standing: string };
  /** It came after the subscription had ended. */
  payment_unused: InvoiceVariables;
  payment_refunded: InvoiceVariables & { refunded: string };
  plan_upgraded: InvoiceVariables & { previousPlanName: string };
  plan_changed: PlanVariables & { previousPlanName: string };
  plan_change_scheduled: PlanVariables & { previousPlanName: string; changesAt: string };
  plan_change_lapsed: PlanVariables & { requestedPlanName: string };
  cancellation_confirmed: PlanVariables & { accessUntil: string };
  cancellation_undone: PlanVariables & { renewsAt: string };
  subscription_paused: PlanVariables & { resumesAt: string };
  subscription_resumed: PlanVariables & { periodEndsAt: string };
  subscription_ended: PlanVariables;
  subscription_expired: PlanVariables;
  /** `because` is a clause after that word. */
  automatic_payment_ended: PlanVariables & { because: string };
  /** To who has brought a customer along. */
  referral_rewarded: { amount: string };
  daily_report: DailyFigures & { day: string };
  /** To operators. `title` says it in a few words, `what` in sentences. */
  operator_notice: { title: string; what: string };
  /** `what` is a sentence. */
  crypto_operator_alert: { invoiceNumber: string; what: string };
  /** Payments in coins as such, not one of them. `title` says it in a few words, `what` in sentences. */
  crypto_service_alert: { title: string; what: string };
  /** What somebody has to know of payments recorded by hand; `what` is a sentence. */
  payment_operator_alert: { invoiceNumber: string; what: string };
  /** `what` is a sentence. */
  bank_operator_alert: { invoiceNumber: string; reference: string; amount: string; what: string };
  /** Movements on bank accounts. `title` says it in a few words, `what` in sentences. */
  bank_matching_alert: { title: string; what: string };
  /** A connection to a bank that somebody must look at, in the same way. */
  bank_connection_alert: { title: string; what: string };
} & Record<TrialTemplate, PlanVariables & { trialEndsAt: string; price: string }> &
  Record<'win_back_1', PlanVariables> &
  Record<'win_back_2', PlanVariables & { code: string; percent: string; validUntil: string }> &
  Record<DunningTemplate, DunningVariables>;

export type NotificationTemplate = keyof NotificationVariables;

/** The document a mail brings along as a PDF. */
export type AttachedDocument =
  | { kind: 'invoice'; invoiceId: string }
  | { kind: 'receipt'; paymentId: string };

/** Messages to the tenant itself. */
export type TenantTemplate =
  | 'daily_report'
  | 'operator_notice'
  | 'crypto_operator_alert'
  | 'crypto_service_alert'
  | 'payment_operator_alert'
  | 'bank_operator_alert'
  | 'bank_matching_alert'
  | 'bank_connection_alert';

export const tenantTemplates: readonly NotificationTemplate[] = [
  'daily_report',
  'operator_notice',
  'crypto_operator_alert',
  'crypto_service_alert',
  'payment_operator_alert',
  'bank_operator_alert',
  'bank_matching_alert',
  'bank_connection_alert',
] satisfies TenantTemplate[];

/** One message, as the transaction that decides it hands it over. */
export type NotificationRequest = CustomerNotification | TenantNotification;

export type CustomerNotification = {
  [T in Exclude<NotificationTemplate, TenantTemplate>]: {
    template: T;
    variables: NotificationVariables[T];
    customerId: string;
    subscriptionId?: string;
    /** Business identity: the same message is never a second row. */
    dedupeKey: string;
    attaches?: AttachedDocument;
  };
}[Exclude<NotificationTemplate, TenantTemplate>];

export type TenantNotification = {
  [T in TenantTemplate]: {
    template: T;
    variables: NotificationVariables[T];
    /** The address the tenant has named. */
    recipient: string;
    dedupeKey: string;
  };
}[TenantTemplate];

/** Variables every template may use, read from the customer and the tenant at the time of sending. */
export type CommonVariables = {
  customerName: string;
  companyName: string;
  /** Where the customer manages the subscription and sees the invoices. */
  portalUrl: string;
};

export const commonVariables: readonly (keyof CommonVariables)[] = [
  'customerName',
  'companyName',
  'portalUrl',
];

/** The variables each template needs; the renderer refuses a message that lacks one. */
export const templateVariables: { [T in NotificationTemplate]: readonly (keyof NotificationVariables[T])[] } =
  {
    trial_started: ['planName', 'trialEndsAt', 'price'],
    trial_halfway: ['planName', 'trialEndsAt', 'price'],
    trial_ending: ['planName', 'trialEndsAt', 'price'],
    trial_last_chance: ['planName', 'trialEndsAt', 'price'],
    trial_ended: ['planName', 'takeUpUntil'],
    subscription_confirmed: ['planName', 'invoiceNumber', 'amount', 'periodEndsAt'],
    payment_receipt: ['planName', 'invoiceNumber', 'amount', 'periodEndsAt'],
    invoice_issued: ['planName', 'invoiceNumber', 'amount', 'dueOn', 'payUrl'],
    invoice_reminder: ['planName', 'invoiceNumber', 'amount', 'dueOn', 'overdueFor', 'payUrl'],
    payment_failed: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    payment_returned: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    crypto_payment_seen: ['planName', 'invoiceNumber', 'amount', 'coins'],
    crypto_payment_partial: ['planName', 'invoiceNumber', 'amount', 'coins', 'due', 'payUrl'],
    crypto_payment_late: ['planName', 'invoiceNumber', 'amount', 'coins'],
    crypto_payment_over: ['planName', 'invoiceNumber', 'amount', 'excess'],
    crypto_payment_slow: ['planName', 'invoiceNumber', 'amount', 'coins'],
    crypto_payment_gone: ['planName', 'invoiceNumber', 'amount', 'coins', 'payUrl'],
    crypto_payment_failed: ['planName', 'invoiceNumber', 'amount', 'coins', 'payUrl'],
    crypto_payment_call_failed: [
      'planName',
      'invoiceNumber',
      'amount',
      'chain',
      'txid',
      'failedBecause',
      'advice',
      'payUrl',
    ],
    crypto_payment_wrong: ['planName', 'invoiceNumber', 'amount', 'due', 'chain', 'payUrl'],
    crypto_payment_reversed: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    payment_bounced: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    bank_transfer_instructions: [
      'planName',
      'invoiceNumber',
      'amount',
      'methodName',
      'transferLines',
      'warning',
      'expiresAt',
      'payUrl',
    ],
    bank_transfer_question: ['planName', 'invoiceNumber', 'amount', 'reference', 'expiresAt', 'payUrl'],
    bank_transfer_rest: [
      'planName',
      'invoiceNumber',
      'amount',
      'received',
      'reference',
      'warning',
      'expiresAt',
      'payUrl',
    ],
    bank_transfer_proof_rejected: [
      'planName',
      'invoiceNumber',
      'amount',
      'reference',
      'why',
      'expiresAt',
      'payUrl',
    ],
    bank_transfer_on_hold: ['planName', 'invoiceNumber', 'amount', 'reference', 'payUrl'],
    bank_transfer_expired: ['planName', 'invoiceNumber', 'amount', 'reference', 'payUrl'],
    bank_payment_over: ['planName', 'invoiceNumber', 'amount', 'credit'],
    bank_payment_duplicate: ['planName', 'invoiceNumber', 'amount', 'credit'],
    bank_payment_returned: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    payment_action_required: ['planName', 'invoiceNumber', 'amount', 'actionUrl'],
    payment_recovered: ['planName', 'invoiceNumber', 'amount'],
    payment_received: ['planName', 'invoiceNumber', 'amount'],
    payment_recorded: ['planName', 'invoiceNumber', 'amount', 'received', 'method', 'standing'],
    payment_unused: ['planName', 'invoiceNumber', 'amount'],
    payment_refunded: ['planName', 'invoiceNumber', 'amount', 'refunded'],
    plan_upgraded: ['planName', 'invoiceNumber', 'amount', 'previousPlanName'],
    plan_changed: ['planName', 'previousPlanName'],
    plan_change_scheduled: ['planName', 'previousPlanName', 'changesAt'],
    plan_change_lapsed: ['planName', 'requestedPlanName'],
    payment_failed_1: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    payment_failed_2: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    payment_failed_final: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    update_payment_method: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    suspension_warning: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    account_restricted: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    account_suspended: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    subscription_cancelled_unpaid: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    subscription_downgraded: ['planName', 'invoiceNumber', 'amount', 'reason', 'nextStep', 'payUrl'],
    cancellation_confirmed: ['planName', 'accessUntil'],
    cancellation_undone: ['planName', 'renewsAt'],
    subscription_paused: ['planName', 'resumesAt'],
    subscription_resumed: ['planName', 'periodEndsAt'],
    subscription_ended: ['planName'],
    subscription_expired: ['planName'],
    automatic_payment_ended: ['planName', 'because'],
    win_back_1: ['planName'],
    win_back_2: ['planName', 'code', 'percent', 'validUntil'],
    referral_rewarded: ['amount'],
    operator_notice: ['title', 'what'],
    crypto_operator_alert: ['invoiceNumber', 'what'],
    crypto_service_alert: ['title', 'what'],
    payment_operator_alert: ['invoiceNumber', 'what'],
    bank_operator_alert: ['invoiceNumber', 'reference', 'amount', 'what'],
    bank_matching_alert: ['title', 'what'],
    bank_connection_alert: ['title', 'what'],
    daily_report: ['day', 'revenue', 'refunds', 'newSubscriptions', 'cancellations', 'mrr'],
  };

export const notificationTemplates = Object.keys(templateVariables) as NotificationTemplate[];
