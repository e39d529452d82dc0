/**
 * The state diagram of a transfer, drawn from the rules themselves: every status is put into every situation and meets every
 * deed, and what it becomes is an arrow, named by what happened.
 */
import { type BankTransferStatus, bankTransferStatuses } from '../../domain/payments/bank-transfer.ts';
import {
  statusAfterDeed,
  statusFollowing,
  type TransferSituation,
  transferDeeds,
} from '../../domain/payments/transfer-standing.ts';

/** Mermaid, one arrow a line, in the order of the statuses. */
export function transferStateDiagram(): string {
  const arrows = new Map<string, Set<string>>();
  const draw = (from: BankTransferStatus, to: BankTransferStatus, name: string) => {
    if (from === to) return;
    const arrow = `${from} --> ${to}`;
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(name));
  };
  for (const from of bankTransferStatuses) {
    for (const [name, situation] of situations) {
      // An invoice that was closed is never open again.
      if (from === 'void' && situation.invoice.status === 'open') continue;
      const followed = statusFollowing(from, situation);
      const isOpen = situation.invoice.status === 'open' && !situation.isErased;
      draw(from, followed, from === 'settled' && isOpen ? 'owed_again' : name);
      // People and the clock meet it as its invoice has it.
      if (followed !== from) continue;
      for (const deed of transferDeeds) draw(from, statusAfterDeed(from, deed, situation) ?? from, deed);
    }
  }
  const lines = [...arrows].map(([arrow, names]) => `  ${arrow}: ${[...names].sort().join(', ')}`);
  return ['stateDiagram-v2', '  [*] --> awaiting', ...lines, '  settled --> [*]', '  void --> [*]'].join(
    '\n',
  );
}

const situationOf = (
  status: TransferSituation['invoice']['status'],
  { paidMinor = 0, isErased = false } = {},
): TransferSituation => ({ invoice: { status, paidMinor }, paidBeforeMinor: 0, isErased });

const situations: readonly [name: string, TransferSituation][] = [
  ['owed_again', situationOf('open')],
  ['part_paid', situationOf('open', { paidMinor: 1 })],
  ['paid', situationOf('paid', { paidMinor: 2 })],
  ['invoice_closed', situationOf('void')],
  ['customer_erased', situationOf('open', { isErased: true })],
];
