/**
 * Bank transfers: what customers are told to pay by, the accounts that are read, what moved on them, and what was decided
 * about each movement.
 */
import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { ObjectType } from '../../domain/operations/object-storage.ts';
import type { BankAct } from '../../domain/payments/bank-act.ts';
import type { BankMovementStatus } from '../../domain/payments/bank-movement.ts';
import type { ProofOutcome, ProofStatus, ProofSuspicion } from '../../domain/payments/bank-proof.ts';
import type { BankSource } from '../../domain/payments/bank-transaction.ts';
import type { BankTransferStatus } from '../../domain/payments/bank-transfer.ts';
import type { MatchDecision } from '../../domain/payments/match-decision.ts';
import type { TransferConfiguration } from '../../domain/payments/transfer-configuration.ts';
import type { TransferInstructions } from '../../domain/payments/transfer-instructions.ts';
import { bankConnections } from './bank-connections.ts';
import { customers, invoices } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { payments } from './payments.ts';
import { tenants } from './tenants.ts';

/** A tenant's own accounts, as customers are told them: every version stays, as instructions that were given name it. */
export const bankDetails = pgTable(
  'bank_details',
  {
    tenantId: tenantId().references(() => tenants.id),
    version: integer().notNull(),
    configuration: jsonb().$type<TransferConfiguration>().notNull(),
    /** Who gave it, as in the audit log. */
    actor: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.version] }),
    check('bank_details_version', sql`${t.version} > 0`),
  ],
);

/** The transfer an invoice waits for. */
export const bankTransfers = pgTable(
  'bank_transfers',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    /** Opens the customer's page; unguessable. */
    pageToken: text().notNull(),
    /** `ADV` and eight digits; never given twice, to whomever. */
    reference: text().notNull(),
    /** Counts changes of the row. */
    version: integer().notNull().default(0),
    status: text().$type<BankTransferStatus>().notNull(),
    statusSince: instant().notNull(),
    detailsVersion: integer().notNull(),
    /** As they were given. */
    instructions: jsonb().$type<TransferInstructions>().notNull(),
    isInternational: boolean().notNull(),
    /** Where the customer pays from: ISO 3166-1 alpha-2. */
    payerCountry: text().notNull(),
    currency: currency().notNull(),
    /** What of the invoice was paid when they were given: it did not come by them. */
    paidBeforeMinor: amountMinor().notNull(),
    issuedAt: instant().notNull(),
    askAt: instant().notNull(),
    alertAt: instant().notNull(),
    expiresAt: instant().notNull(),
    /** When the customer was asked where the money is, and the operators were alerted. */
    askedAt: instant(),
    alertedAt: instant(),
    /** Since when the clock stands still, and why. */
    heldAt: instant(),
    holdReason: text(),
    /** The number on the customer's confirmation of the transfer, as the customer told it. */
    confirmationNumber: text(),
    /** Its letters and digits, as it is looked up by. */
    confirmationKey: text().generatedAlwaysAs(lettersAndDigitsOf('confirmation_number')),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_transfers_invoice').on(t.invoiceId),
    uniqueIndex('bank_transfers_reference').on(t.reference),
    uniqueIndex('bank_transfers_page').on(t.pageToken),
    index('bank_transfers_list').on(t.tenantId, t.status, t.id),
    index('bank_transfers_confirmation_key')
      .on(t.tenantId, t.confirmationKey)
      .where(sql`${t.confirmationKey} is not null`),
    check('bank_transfers_reference_form', sql`${t.reference} ~ '^ADV[0-9]{8}$'`),
    check(
      'bank_transfers_held',
      sql`(${t.status} = 'on_hold') = (${t.heldAt} is not null) and (${t.heldAt} is null) = (${t.holdReason} is null)`,
    ),
  ],
);

/** What was sent to show that a transfer is under way. The file itself is in the storage, under a key made of the id. */
export const bankProofs = pgTable(
  'bank_proofs',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    bankTransferId: text()
      .notNull()
      .references(() => bankTransfers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    /** Of the bytes as they were sent, in hexadecimal digits. What is kept of a picture has another one. */
    sha256: text().notNull(),
    /** Null once the file is deleted, because its customer was erased. */
    objectKey: text(),
    contentType: text().$type<ObjectType>().notNull(),
    sizeBytes: integer().notNull(),
    status: text().$type<ProofStatus>().notNull(),
    /** The number on the confirmation, as it was told with the file. */
    confirmationNumber: text(),
    uploadedVia: text().$type<'page' | 'api'>().notNull(),
    /** Who sent it and who decided, as in the audit log. */
    uploadedBy: text().notNull(),
    uploadedAt: instant().notNull(),
    suspicion: text().$type<ProofSuspicion>(),
    decidedBy: text(),
    decidedAt: instant(),
    /** Why it was rejected, as the customer was told. */
    reason: text(),
    /** What came of its approval, and the payment that was booked. */
    outcome: text().$type<ProofOutcome>(),
    paymentId: text().references(() => payments.id),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_proofs_file').on(t.bankTransferId, t.sha256),
    uniqueIndex('bank_proofs_payment').on(t.paymentId),
    index('bank_proofs_list').on(t.tenantId, t.status, t.id),
    index('bank_proofs_invoice').on(t.tenantId, t.invoiceId, t.id),
    index('bank_proofs_customer').on(t.tenantId, t.customerId),
    index('bank_proofs_seen').on(t.tenantId, t.sha256),
    index('bank_proofs_decided_at').on(t.tenantId, t.decidedAt).where(sql`${t.paymentId} is not null`),
    check('bank_proofs_decided', sql`(${t.status} = 'waiting') = (${t.decidedAt} is null)`),
    check('bank_proofs_outcome', sql`(${t.status} = 'approved') = (${t.outcome} is not null)`),
    check(
      'bank_proofs_booked',
      sql`(${t.outcome} is not distinct from 'booked') = (${t.paymentId} is not null)`,
    ),
  ],
);

/** An account that is read, by statement files or by a feed. */
export const bankAccounts = pgTable(
  'bank_accounts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    name: text().notNull(),
    currency: currency().notNull(),
    /** Whether customers are told to pay to it: what comes in on another one is never matched by itself. */
    isReceiving: boolean().notNull(),
    /** The end of its number; where that is all that is known, a file of a number with another end is refused. */
    mask: text(),
    /**
     * As a statement names it, letters and digits alone: the IBAN, or the bank's own number; a file of another account is
     * refused. One that is in use is named once, so that no movement is kept twice.
     */
    statementAccount: text(),
    /** What the columns of its CSV files mean; as whoever reads them defines it. */
    csvMapping: jsonb().$type<object>(),
    /** The feed's name of it, and the connection it is read by. */
    connectionId: text().references(() => bankConnections.id),
    externalId: text(),
    /** The same in every connection to the account, where the feed knows that. */
    persistentId: text(),
    closedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    index('bank_accounts_list').on(t.tenantId, t.id),
    uniqueIndex('bank_accounts_statement')
      .on(t.tenantId, t.statementAccount, t.currency)
      .where(sql`${t.statementAccount} is not null and ${t.closedAt} is null`),
    uniqueIndex('bank_accounts_external').on(t.connectionId, t.externalId),
    uniqueIndex('bank_accounts_persistent').on(t.tenantId, t.persistentId),
    check('bank_accounts_feed', sql`(${t.connectionId} is null) = (${t.externalId} is null)`),
  ],
);

/** A statement file that was read whole. The same file is read once, a CSV again when its mapping was corrected. */
export const bankStatements = pgTable(
  'bank_statements',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    accountId: text()
      .notNull()
      .references(() => bankAccounts.id),
    /** Of the bytes, in hexadecimal digits. */
    sha256: text().notNull(),
    source: text().$type<BankSource>().notNull(),
    /** With what a CSV was read last; another mapping, and another reader, may name the same movements otherwise. */
    csvMapping: jsonb().$type<object>(),
    reader: integer().notNull().default(1),
    /** Movements in it: all, those that were new, and the new ones that may be copies of known ones. */
    movements: integer().notNull(),
    added: integer().notNull(),
    suspectedCopies: integer().notNull(),
    actor: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_statements_file').on(t.accountId, t.sha256),
    index('bank_statements_list').on(t.tenantId, t.accountId, t.id),
  ],
);

/** One movement on an account, as its source tells it, and where it stands. */
export const bankTransactions = pgTable(
  'bank_transactions',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    accountId: text()
      .notNull()
      .references(() => bankAccounts.id),
    source: text().$type<BankSource>().notNull(),
    externalId: text().notNull(),
    /** The connection by which a feed has told it last: of another one, it may be told again under another name. */
    connectionId: text().references(() => bankConnections.id),
    statementId: text().references(() => bankStatements.id),
    /** Money in is positive. */
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    bookedOn: date({ mode: 'string' }).notNull(),
    authorisedOn: date({ mode: 'string' }),
    pending: boolean().notNull(),
    pendingExternalId: text(),
    texts: text().array().notNull(),
    payerName: text(),
    payerAccount: text(),
    /** Its letters and digits, as it is looked up by. */
    payerAccountKey: text().generatedAlwaysAs(lettersAndDigitsOf('payer_account')),
    bankReference: text(),
    /** The same. */
    bankReferenceKey: text().generatedAlwaysAs(lettersAndDigitsOf('bank_reference')),
    /** A feed's amount with more digits than the currency has, as it was told. */
    roundedFrom: text(),
    status: text().$type<BankMovementStatus>().notNull(),
    /** Counts changes of what the source says. */
    version: integer().notNull().default(0),
    /** The version of which its decision was made; null where it is to be decided, or decided again. */
    decidedVersion: integer(),
    /** Waits for the rules. One that may be a copy waits for a person first. */
    isWaiting: boolean()
      .notNull()
      .generatedAlwaysAs(
        sql`decided_version is distinct from version and status not in ('copy_suspected', 'copy')`,
      ),
    /** A person has undone what was booked, or said that it is no customer's: nothing is booked by itself any more. */
    leftToPeople: boolean().notNull().default(false),
    /** When the operators were told that it waits for them. */
    queuedAt: instant(),
    /** The known movement of which it may be a copy. */
    copyOfId: text().references((): AnyPgColumn => bankTransactions.id),
    /** When somebody said whether it is one. */
    copyJudgedAt: instant(),
    /** Of the amount, what pays invoices or is credit. */
    allocatedMinor: amountMinor().notNull().default(0),
    /** When it was taken back by a later movement, or by its source. */
    reversedAt: instant(),
    removedAt: instant(),
    /** When its texts and its payer were erased with the customer; what its source tells of them is not kept again. */
    erasedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_transactions_external').on(t.accountId, t.source, t.externalId),
    index('bank_transactions_all').on(t.tenantId, t.id),
    index('bank_transactions_list').on(t.tenantId, t.status, t.id),
    index('bank_transactions_statement').on(t.statementId, t.id).where(sql`${t.statementId} is not null`),
    index('bank_transactions_day').on(t.accountId, t.bookedOn, t.id),
    index('bank_transactions_amount').on(t.tenantId, t.currency, t.amountMinor, t.bookedOn),
    index('bank_transactions_pending').on(t.accountId).where(sql`${t.pending} and ${t.removedAt} is null`),
    index('bank_transactions_waiting').on(t.tenantId, t.bookedOn, t.id).where(sql`${t.isWaiting}`),
    index('bank_transactions_payer')
      .on(t.tenantId, t.payerAccountKey)
      .where(sql`${t.payerAccountKey} is not null`),
    index('bank_transactions_replaces')
      .on(t.accountId, t.source, t.pendingExternalId)
      .where(sql`${t.pendingExternalId} is not null`),
    index('bank_transactions_copies').on(t.copyOfId).where(sql`${t.copyOfId} is not null`),
    index('bank_transactions_bank_reference')
      .on(t.accountId, t.bankReferenceKey)
      .where(sql`${t.bankReferenceKey} is not null`),
    // What its source has changed since may be less, until the matching has taken back what rests on it.
    check(
      'bank_transactions_allocated',
      sql`${t.allocatedMinor} >= 0 and (${t.allocatedMinor} <= greatest(${t.amountMinor}, 0) or ${t.decidedVersion} is distinct from ${t.version})`,
    ),
    check('bank_transactions_copy', sql`${t.copyOfId} is null or ${t.copyOfId} <> ${t.id}`),
  ],
);

/** What was decided about a movement, one after the other; the last that is not undone stands. */
export const bankDecisions = pgTable(
  'bank_decisions',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    transactionId: text()
      .notNull()
      .references(() => bankTransactions.id),
    ordinal: integer().notNull(),
    kind: text().notNull(),
    /** Gate or rule; null for what a person decided. */
    rule: text(),
    /** By the rules: the decision with its evidence. */
    decision: jsonb().$type<MatchDecision>(),
    /** By a person: what was said, and why. */
    act: jsonb().$type<BankAct>(),
    /** `matching`, or who decided, as in the audit log. */
    decidedBy: text().notNull(),
    decidedAt: instant().notNull(),
    undoneAt: instant(),
    undoneBy: text(),
    undoneReason: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_decisions_ordinal').on(t.transactionId, t.ordinal),
    check('bank_decisions_source', sql`num_nonnulls(${t.decision}, ${t.act}) = 1`),
  ],
);

/** What of a movement became which payment. */
export const bankAllocations = pgTable(
  'bank_allocations',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    transactionId: text()
      .notNull()
      .references(() => bankTransactions.id),
    decisionId: text()
      .notNull()
      .references(() => bankDecisions.id),
    paymentId: text()
      .notNull()
      .references(() => payments.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    /** Of the movement, in its own currency. */
    amountMinor: amountMinor().notNull(),
    undoneAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_allocations_payment').on(t.paymentId).where(sql`${t.undoneAt} is null`),
    index('bank_allocations_transaction').on(t.tenantId, t.transactionId),
    index('bank_allocations_invoice').on(t.tenantId, t.invoiceId),
    check('bank_allocations_amount', sql`${t.amountMinor} > 0`),
  ],
);

function lettersAndDigitsOf(column: 'confirmation_number' | 'payer_account' | 'bank_reference') {
  return sql.raw(`upper(regexp_replace(${column}, '[^A-Za-z0-9]', '', 'g') collate "C")`);
}
