/** The form by which a customer sends a proof of a transfer, and what became of those that were sent. It needs no script. */
import type { BankProofRow } from '../../../db/queries/payments/bank-proofs.ts';
import { escapeHtml } from '../../../domain/html.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { PROOF_MAX_MIB, PROOF_PAGES_MAX } from '../../../domain/payments/bank-proof.ts';
import { type BankTransferStatus, isWaitedFor } from '../../../domain/payments/bank-transfer.ts';
import { CONFIRMATION_MAX } from '../bank-transfers.schemas.ts';

/** Whether (another) one can be sent. */
export function takesProof(status: BankTransferStatus, proofs: readonly BankProofRow[]): boolean {
  return isWaitedFor(status) && proofs.length < bankPolicy.proofsMax;
}

/** How the proofs stand, the first first, as facts of the page. */
export function proofFacts(proofs: readonly BankProofRow[]): { name: string; value: string }[] {
  return proofs.toReversed().map((proof, index) => ({
    name: proofs.length === 1 ? 'Your proof' : `Your proof, no. ${index + 1}`,
    value: standing(proof),
  }));
}

function standing({ status, reason }: BankProofRow): string {
  switch (status) {
    case 'waiting':
      return 'we are looking at it';
    case 'approved':
      return 'accepted';
    case 'rejected':
      return `not accepted: ${reason ?? 'see our mail'}`;
    default:
      return status satisfies never;
  }
}

/** `path` is that of the page. `mistake`: what was wrong with what was sent. */
export function renderProofForm({ path, mistake }: { path: string; mistake: string | null }): string {
  const describedBy = mistake === null ? 'hint' : 'mistake';
  return `<form method="post" action="${escapeHtml(`${path}/proofs`)}" enctype="multipart/form-data">
<h2><label for="file">Your bank's confirmation of the transfer</label></h2>
<p id="hint">A picture (JPEG, PNG or WebP) or a PDF of up to ${PROOF_PAGES_MAX} pages, of at most ${PROOF_MAX_MIB} MiB, on which the amount, the day and the reference can be read.</p>
${mistake === null ? '' : `<p class="attention" role="alert" id="mistake">${escapeHtml(mistake)}</p>`}
<p><input id="file" type="file" name="file" required accept="image/jpeg,image/png,image/webp,application/pdf" aria-describedby="${describedBy}"></p>
<p><label for="number">The number on it, if there is one</label></p>
<p><input id="number" name="confirmationNumber" maxlength="${CONFIRMATION_MAX}" autocomplete="off"></p>
<p><button type="submit" class="wallet">Send</button></p>
</form>
<p><a href="${escapeHtml(path)}">Back to the transfer</a></p>`;
}
