/** One request to Razorpay: its answer is checked, its failure put in our words. */
import type Razorpay from 'razorpay';
import { z } from 'zod';
import type { VendorError } from '../../domain/errors.ts';
import { refusalOf, toVendorError } from './errors.ts';
import * as shapes from './shapes.ts';

/** What one answer of a list holds at most. */
export const LIST_MAX = 100;

/** After a lost or unreadable answer the outcome is unknown. `refused` names what would be refused again. */
export async function mutation<Shape extends z.ZodType>(
  shape: Shape,
  request: () => Promise<unknown>,
  refused: (refusal: NonNullable<ReturnType<typeof refusalOf>>) => VendorError | null = () => null,
): Promise<z.output<Shape>> {
  try {
    return shape.parse(await request());
  } catch (error) {
    const refusal = refusalOf(error);
    throw (refusal && refused(refusal)) ?? toVendorError(readable(error), { mutates: true });
  }
}

/** After a lost answer it may simply be repeated. */
export async function read<Shape extends z.ZodType>(
  shape: Shape,
  request: () => Promise<unknown>,
): Promise<z.output<Shape>> {
  try {
    return shape.parse(await request());
  } catch (error) {
    throw toVendorError(readable(error), { mutates: false });
  }
}

/** What was answered instead may hold personal data: only that it was not understood is told. */
function readable(error: unknown): unknown {
  return error instanceof z.ZodError ? new Error('Razorpay: no readable answer') : error;
}

/** A payment rarely has two; a hundred is what one answer holds. */
export async function listRefunds(razorpay: Razorpay, paymentId: string): Promise<shapes.RefundJson[]> {
  const list = shapes.listOf(shapes.refund);
  return (await read(list, () => razorpay.payments.fetchMultipleRefund(paymentId, { count: LIST_MAX })))
    .items;
}
