/** What is asked of Plaid where no key of it was given. */
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';

/** Throws `state_conflict`. */
export function refuseWithoutPlaid({ config }: Pick<ApiDependencies, 'config'>): void {
  if (config.plaid.enabled) return;
  throw new Problem({
    code: 'state_conflict',
    reason: 'plaid_not_configured',
    detail:
      'This installation reads no banks by Plaid; set PLAID_CLIENT_ID and PLAID_SECRET, or read statement files.',
  });
}
