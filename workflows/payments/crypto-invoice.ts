/**
 * One invoice in coins, from its quote until nothing waits for it. The chain is read by its watcher, which decides what each
 * block means and says so here; this process only carries out what moves money or tells somebody, and looks once when the
 * quote has run out. It never polls: an open invoice costs nothing while nothing happens.
 *
 * Why it is safe to run twice: everything is decided and carried out under the customer's lock, each event once; a look that
 * finds nothing to do changes nothing. A run that has ended is followed by another one when something comes later.
 */
import { proxyLocalActivities, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import type { CryptoInvoiceStatus } from '../../domain/payments/crypto-invoice.ts';
import { createDeadline } from '../deadline.ts';
import { record } from '../effect-classes.ts';
import { type CryptoInvoiceInput, lookSignal } from './crypto-invoice.contract.ts';

const { decideCryptoInvoice } =
  proxyLocalActivities<ReturnType<typeof createCryptoInvoiceActivities>>(record);

export async function cryptoInvoice({
  tenantId,
  cryptoInvoiceId,
  expiresAt,
}: CryptoInvoiceInput): Promise<void> {
  let looks = 0;
  setHandler(
    lookSignal,
    () => {
      looks += 1;
    },
    { description: 'Something happened to the invoice.' },
  );
  setCurrentDetails(waitingFor.awaiting);

  const deadline = createDeadline();
  // What was seen within its last moment counts as on time.
  let wakeAt: string | null = secondAfter(expiresAt);
  let isOver = false;
  while (!isOver) {
    await deadline.until(wakeAt, {
      summary: 'The next moment that changes something',
      changed: () => looks > 0,
    });
    looks = 0;
    const at = new Date().toISOString();
    const state = await decideCryptoInvoice({ tenantId, cryptoInvoiceId, at });
    isOver = state.isOver && looks === 0;
    wakeAt = state.wakeAt;
    setCurrentDetails(waitingFor[state.status]);
  }
}

const waitingFor: Record<CryptoInvoiceStatus, string> = {
  awaiting: 'Waiting for a payment.',
  processing: 'A payment was seen; waiting for the chain to confirm it.',
  settled: 'Paid.',
  final: 'Paid, beyond recall.',
  expired: 'Not paid in time.',
  invalid: 'The payment does not stand.',
  cancelled: 'Cancelled.',
};

function secondAfter(instant: string): string {
  return new Date(Date.parse(instant) + 1_000).toISOString();
}
