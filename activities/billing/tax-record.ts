/**
 * Tells a tax engine of one record it is owed: the sale of an invoice, or what takes it back.
 *
 * Why it is safe to run twice: the record has a reference that is unique at the engine for ever, and a key by which a
 * repeat gets the first answer.
 * - We die right before the call: the record is owed; the next run makes the call.
 * - We die right after it, or the answer is lost: the next run repeats it under the same key and gets the first answer. Where the
 *   engine has forgotten the key (Stripe after a day), it refuses the reference it knows: then the record is there, and only
 *   its id is unknown.
 * - What it takes back is not recorded yet, because rows overtake each other: that is told first.
 * - The engine refuses it: nothing is tried again, the timeline says so, and a person corrects it at the engine.
 */
import type { Logger } from 'pino';
import { type Tx, withTenant } from '../../db/client.ts';
import type { TaxDeps } from '../../db/queries/billing/tax-calculations.ts';
import {
  markRecorded,
  markRefused,
  type RecordToTell,
  readRecord,
} from '../../db/queries/billing/tax-records.ts';
import type { Recorded, TaxEngine } from '../../domain/billing/tax-engine.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';

type RecordRef = { tenantId: string; recordId: string };

/** Returns once nothing more is to be told. Throws a retryable `VendorError` where it is to be tried again later. */
export function createRecordTax({ db, taxEngine, log }: TaxDeps & { log: Logger }) {
  async function recordTax({ tenantId, recordId }: RecordRef): Promise<void> {
    const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
    const read = () => inTenant((tx) => readRecord(tx, recordId));
    let found = await read();
    if (found?.record.status !== 'owed') return;
    if (found.original?.record.status === 'owed') {
      await recordTax({ tenantId, recordId: found.original.record.id });
      found = await read();
      if (found === null) return;
    }
    const { record, invoice } = found;
    const refuse = async (failure: string) => {
      await inTenant((tx) => markRefused(tx, { record, invoice }, failure));
      log.error({ tenantId, recordId, failure }, 'the tax engine lacks a record; a person must correct it');
    };
    const call = callFor(taxEngine, found);
    if (call === null) return refuse('what it takes back is not known at the engine');
    try {
      const answer = await call();
      await inTenant((tx) => markRecorded(tx, recordId, kept(answer)));
    } catch (error) {
      if (!(error instanceof VendorError) || errorCodes[error.code].retryable) throw error;
      await refuse(`${error.code}: ${error.message}`);
    }
  }
  return recordTax;
}

function kept(answer: Recorded) {
  return { externalId: answer?.externalId ?? null, externalLines: answer?.lines ?? {} };
}

/** Null where the engine cannot be told: it does not have what is taken back, or we do not know its id. */
function callFor(
  engine: TaxEngine,
  { record, invoice: { currency }, calculation, original }: RecordToTell,
): (() => Promise<Recorded>) | null {
  const { kind, reference, lines } = record;
  const recording = { reference, idempotencyKey: `tax:${reference}` };
  if (kind === 'sale') {
    return calculation === null ? null : () => engine.recordSale({ ...recording, calculation });
  }
  const taken = original?.record;
  if (original === null || taken === undefined || taken.externalId === null) return null;
  const { externalId, externalLines } = taken;
  if (kind === 'undo') return () => engine.undoReversal({ ...recording, original: externalId });
  const parts = lines.map(({ reference: line, netMinor, taxMinor }) => ({
    externalLineId: externalLines[line] ?? '',
    amountMinor: original.isInclusive ? netMinor + taxMinor : netMinor,
    taxMinor,
  }));
  if (parts.some(({ externalLineId }) => externalLineId === '')) return null;
  return () => engine.recordReversal({ ...recording, original: externalId, currency, lines: parts });
}
