/** One request to Stripe, its failure mapped by whether it could have changed something there. */
import { VendorError } from '../../domain/errors.ts';
import { toVendorError } from './errors.ts';

/** After a lost answer the outcome is unknown. */
export async function mutation<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw toVendorError(error, { mutates: true });
  }
}

/** After a lost answer it may simply be repeated. */
export async function read<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw toVendorError(error, { mutates: false });
  }
}

/** `null` for what Stripe does not have. */
export async function readOrNull<T>(request: () => Promise<T>): Promise<T | null> {
  try {
    return await read(request);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return null;
    throw error;
  }
}
