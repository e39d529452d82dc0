import { expect, it } from 'vitest';
import { PROOF_MAX_BYTES, PROOF_PAGES_MAX } from '../../../domain/payments/bank-proof.ts';
import { renderProofForm } from './proof-form.ts';

it('the form for a proof says the limits that a file is held to', () => {
  const form = renderProofForm({ path: '/transfers/x', mistake: null });
  expect(form).toContain(`up to ${PROOF_PAGES_MAX} pages, of at most ${PROOF_MAX_BYTES / 1024 ** 2} MiB,`);
});
