/** What is owed whatever the vendor says today, also where its refusal would end the try for good. */
import { errorCodes, VendorError } from '../domain/errors.ts';

/** Has a refusal (a key that was revoked or lacks the right) tried again, once an hour, until somebody has mended it. */
export async function askHourly<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof VendorError) || errorCodes[error.code].retryable) throw error;
    const { message } = error;
    throw new VendorError({ code: 'vendor_unavailable', message, retryAfterMs: HOUR_MS, cause: error });
  }
}

const HOUR_MS = 3_600_000;
