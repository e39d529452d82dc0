/** Razorpay's sandbox as tests use it: with the keys of the test configuration, so that the API believes what it signs. */
import { loadConfig } from '../../config/env.ts';
import type { RazorpayVendor } from '../../domain/payments/razorpay-subscription.ts';
import { createRazorpayOrderVendor } from '../../integrations/razorpay/client.ts';
import { type RazorpaySandbox, startRazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';

const { keyId, keySecret, webhookSecrets } = loadConfig({ NODE_ENV: 'test' }).razorpay;

export const razorpayWebhookSecret = webhookSecrets[0] ?? '';

/** On a port of its own. `hasty` does not wait for an answer that is delayed. */
export async function startTestRazorpay(): Promise<{
  razorpay: RazorpaySandbox;
  orderVendor: RazorpayVendor;
  hasty: RazorpayVendor;
}> {
  const razorpay = await startRazorpaySandbox({ port: 0, keyId, keySecret });
  return { razorpay, orderVendor: vendorAt(razorpay), hasty: vendorAt(razorpay, 500) };
}

/** What Razorpay itself says of a subscription there. */
export async function statusAtRazorpay(
  razorpay: RazorpaySandbox,
  externalId: string,
): Promise<string | undefined> {
  return (await vendorAt(razorpay).fetchSubscription(externalId))?.status;
}

function vendorAt({ url }: RazorpaySandbox, timeoutMs = 10_000): RazorpayVendor {
  return createRazorpayOrderVendor({ keyId, keySecret, apiBase: url, timeoutMs });
}
