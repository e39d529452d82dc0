/**
 * The accounts on which the tenant is paid: versions of one document, each kept for ever, as instructions that were given name
 * it.
 *
 * Why it is safe to run twice: the same content again is the version that stands, and a version is given once.
 */
import { isDeepStrictEqual } from 'node:util';
import { desc, eq } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import type { TransferConfiguration } from '../../../domain/payments/transfer-configuration.ts';
import type { Tx } from '../../client.ts';
import { bankDetails } from '../../schema/banking.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type BankDetailsRow = typeof bankDetails.$inferSelect;

/** The version that stands; null where nothing was configured yet. */
export async function currentBankDetails(tx: Tx): Promise<BankDetailsRow | null> {
  const [row] = await tx.select().from(bankDetails).orderBy(desc(bankDetails.version)).limit(1);
  return row ?? null;
}

export async function findBankDetails(tx: Tx, version: number): Promise<BankDetailsRow | null> {
  const [row] = await tx.select().from(bankDetails).where(eq(bankDetails.version, version));
  return row ?? null;
}

/**
 * The document as it stands then. Its version is the one after that on which it is based. Throws `state_conflict` with
 * `bank_details_changed` where another one was given meanwhile.
 */
export async function putBankDetails(
  tx: Tx,
  {
    tenantId,
    configuration,
    actor,
    at,
  }: { tenantId: string; configuration: TransferConfiguration; actor: string; at: Date },
): Promise<BankDetailsRow> {
  const current = await currentBankDetails(tx);
  if (current !== null && isSame(current.configuration, configuration)) return current;
  const basedOn = configuration.version - 1;
  if (basedOn !== (current?.version ?? 0)) throw changedMeanwhile(current);
  const [row] = await tx
    .insert(bankDetails)
    .values({ tenantId, version: configuration.version, configuration, actor })
    .onConflictDoNothing()
    .returning();
  if (row === undefined) throw changedMeanwhile(await currentBankDetails(tx));
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_details.changed',
    entityType: 'tenant',
    entityId: tenantId,
    details: { version: row.version, accounts: configuration.accounts.map(({ id }) => id) },
    at,
  });
  return row;
}

function isSame(one: TransferConfiguration, other: TransferConfiguration): boolean {
  const content = ({ accounts, internationalWireAccountId }: TransferConfiguration) => ({
    accounts,
    internationalWireAccountId,
  });
  return isDeepStrictEqual(content(one), content(other));
}

function changedMeanwhile(current: BankDetailsRow | null) {
  return stateConflict(
    'bank_details_changed',
    current === null
      ? 'Nothing is configured yet; send expectedVersion 0.'
      : `The bank details are in version ${current.version}; read them, and send your change with that as expectedVersion.`,
  );
}
