/** Tax engines of tests. */
import type { TaxEngine } from '../../domain/billing/tax-engine.ts';
import { createStripeTaxEngine } from '../../integrations/stripe/tax.ts';

/** One that listens at a sandbox. */
export function testTaxEngine(apiBase: string): TaxEngine {
  return createStripeTaxEngine({ secretKey: 'sk_test_engine', apiBase });
}

/** One that is never there: for tests in which nobody asks. */
export const noTaxEngine = testTaxEngine('http://127.0.0.1:1');
