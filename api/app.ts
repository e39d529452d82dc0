/** Composes the API: who may come in, what is served, and what an error looks like. */
import { randomUUID } from 'node:crypto';
import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { pinoHttp } from 'pino-http';
import { logSerializers } from '../config/logger.ts';
import { couponRoutes } from './billing/coupons.ts';
import { customerRoutes } from './billing/customers.ts';
import { dunningPolicyRoutes } from './billing/dunning-policies.ts';
import { invoiceActRoutes } from './billing/invoice-acts.ts';
import { invoiceDraftRoutes } from './billing/invoice-drafts.ts';
import { invoiceRoutes } from './billing/invoices.ts';
import { planChangeRoutes } from './billing/plan-changes.ts';
import { planRoutes } from './billing/plans.ts';
import { referralCodeRoutes } from './billing/referral-codes.ts';
import { subscriptionActRoutes } from './billing/subscription-acts.ts';
import { subscriptionCouponRoutes } from './billing/subscription-coupons.ts';
import { subscriptionRoutes } from './billing/subscriptions.ts';
import { taxRateRoutes } from './billing/tax-rates.ts';
import { taxSettingsRoutes } from './billing/tax-settings.ts';
import type { ApiDependencies } from './dependencies.ts';
import { serveDocs } from './docs.ts';
import { answerProblems, isForeseen } from './failures.ts';
import { notificationRoutes } from './messaging/notifications.ts';
import { openApiDocument } from './openapi.ts';
import { healthRoutes } from './operations/health.ts';
import { scheduleRoutes } from './operations/schedules.ts';
import { bankAccountRoutes } from './payments/bank-accounts.ts';
import { bankConnectionRoutes } from './payments/bank-connections.ts';
import { bankDetailsRoutes } from './payments/bank-details.ts';
import { bankHealthRoutes } from './payments/bank-health.ts';
import { bankLinkTokenRoutes } from './payments/bank-link-tokens.ts';
import { bankMatchingRoutes } from './payments/bank-matching.ts';
import { bankProofRoutes } from './payments/bank-proofs.ts';
import { bankStatementRoutes } from './payments/bank-statements.ts';
import { bankTransactionRoutes } from './payments/bank-transactions.ts';
import { bankTransferRoutes } from './payments/bank-transfers.ts';
import { serveCheckout } from './payments/checkout.ts';
import { coinbaseCheckoutRoutes } from './payments/coinbase-checkouts.ts';
import { coinbaseCommerceWebhook, coinbaseWebhook } from './payments/coinbase-webhooks.ts';
import { creditNoteRoutes } from './payments/credit-notes.ts';
import { cryptoAccountRoutes } from './payments/crypto-accounts.ts';
import { cryptoChainRoutes } from './payments/crypto-chains.ts';
import { cryptoInvoiceActRoutes } from './payments/crypto-invoice-acts.ts';
import { cryptoInvoiceRoutes } from './payments/crypto-invoices.ts';
import { cryptoLookupRoutes } from './payments/crypto-lookup.ts';
import { cryptoLotRoutes } from './payments/crypto-lots.ts';
import { cryptoPayoutRoutes } from './payments/crypto-payouts.ts';
import { disputeRoutes } from './payments/disputes.ts';
import { exchangeRateRoutes } from './payments/exchange-rates.ts';
import { paymentApprovalRoutes } from './payments/payment-approvals.ts';
import { paymentMethodRoutes } from './payments/payment-methods.ts';
import { paymentRoutes } from './payments/payments.ts';
import { plaidWebhook } from './payments/plaid-webhook.ts';
import { razorpayOrderRoutes } from './payments/razorpay-orders.ts';
import { razorpaySubscriptionRoutes } from './payments/razorpay-subscriptions.ts';
import { razorpayWebhook } from './payments/razorpay-webhook.ts';
import { recordedPaymentRoutes } from './payments/recorded-payments.ts';
import { refundRoutes } from './payments/refunds.ts';
import { stripeWebhook } from './payments/stripe-webhook.ts';
import { serveTransfers } from './payments/transfers.ts';
import { cohortRoutes } from './reporting/cohorts.ts';
import { mrrRoutes } from './reporting/mrr.ts';
import { mrrMovementRoutes } from './reporting/mrr-movements.ts';
import { reportSettingsRoutes } from './reporting/report-settings.ts';
import { revenueRoutes } from './reporting/revenue.ts';
import { summaryRoutes } from './reporting/summary.ts';
import { trialStatisticsRoutes } from './reporting/trial-statistics.ts';
import type { Route } from './route.ts';
import { nothingAt, serveRoutes } from './serve.ts';
import { apiKeyRoutes } from './tenants/api-keys.ts';
import { auditLogRoutes } from './tenants/audit-log.ts';

/** An Express application; it opens no port and no connection by itself. */
export function createApi(deps: ApiDependencies): Express {
  const openRoutes = [
    ...healthRoutes(deps),
    stripeWebhook(deps),
    razorpayWebhook(deps),
    coinbaseWebhook(deps),
    coinbaseCommerceWebhook(deps),
    plaidWebhook(deps),
  ];
  const document = openApiDocument({ routes, openRoutes, publicUrl: deps.config.publicUrl });

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  app.use(logRequests(deps), protect(deps));
  app.use(serveDocs(document));
  app.use(serveCheckout(deps));
  app.use(serveTransfers(deps));
  app.use(serveRoutes(deps, routes, openRoutes));
  app.use((req) => {
    throw nothingAt(req.path);
  });
  app.use(answerProblems(deps.log));
  return app;
}

const routes: readonly Route[] = [
  ...customerRoutes,
  ...referralCodeRoutes,
  ...planRoutes,
  ...couponRoutes,
  ...subscriptionRoutes,
  ...subscriptionActRoutes,
  ...planChangeRoutes,
  ...subscriptionCouponRoutes,
  ...invoiceRoutes,
  ...invoiceDraftRoutes,
  ...invoiceActRoutes,
  ...recordedPaymentRoutes,
  ...paymentRoutes,
  ...paymentApprovalRoutes,
  ...exchangeRateRoutes,
  ...paymentMethodRoutes,
  ...razorpayOrderRoutes,
  ...razorpaySubscriptionRoutes,
  ...coinbaseCheckoutRoutes,
  ...refundRoutes,
  ...creditNoteRoutes,
  ...disputeRoutes,
  ...bankMatchingRoutes,
  ...cryptoAccountRoutes,
  ...cryptoInvoiceRoutes,
  ...cryptoInvoiceActRoutes,
  ...cryptoChainRoutes,
  ...cryptoLookupRoutes,
  ...cryptoLotRoutes,
  ...cryptoPayoutRoutes,
  ...bankDetailsRoutes,
  ...bankTransferRoutes,
  ...bankAccountRoutes,
  ...bankStatementRoutes,
  ...bankTransactionRoutes,
  ...bankLinkTokenRoutes,
  ...bankConnectionRoutes,
  ...bankHealthRoutes,
  ...bankProofRoutes,
  ...taxSettingsRoutes,
  ...taxRateRoutes,
  ...dunningPolicyRoutes,
  ...notificationRoutes,
  ...mrrRoutes,
  ...mrrMovementRoutes,
  ...summaryRoutes,
  ...cohortRoutes,
  ...revenueRoutes,
  ...reportSettingsRoutes,
  ...trialStatisticsRoutes,
  ...scheduleRoutes,
  ...apiKeyRoutes,
  ...auditLogRoutes,
];

/** Every request has an id, the caller's own where it is a plain one; the answer names it. */
function logRequests({ log }: ApiDependencies): RequestHandler {
  return pinoHttp({
    logger: log,
    serializers: logSerializers,
    wrapSerializers: false,
    genReqId: (req, res) => {
      const given = req.headers['x-request-id'];
      const id = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
      res.setHeader('X-Request-Id', id);
      return id;
    },
    customLogLevel: (_req, res, error) => {
      if (error !== undefined) return 'error';
      if (res.statusCode >= 500) return isForeseen(res) ? 'info' : 'error';
      return res.statusCode >= 400 ? 'info' : 'debug';
    },
  });
}

/** The API serves programs, its reference page one origin; nothing else may load or frame either. */
function protect({ config }: ApiDependencies): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    },
    strictTransportSecurity: config.publicUrl.startsWith('https:'),
  });
}
