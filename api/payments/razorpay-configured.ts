/** What is asked of Razorpay where no key of it was given. */
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';

/** Throws `state_conflict`. */
export function refuseWithoutRazorpay({ config }: Pick<ApiDependencies, 'config'>): void {
  if (config.razorpay.enabled) return;
  throw new Problem({
    code: 'state_conflict',
    reason: 'razorpay_not_configured',
    detail: 'This installation takes no payments by Razorpay; set RAZORPAY_KEY_ID and RAZORPAY_KEY_SECRET.',
  });
}
