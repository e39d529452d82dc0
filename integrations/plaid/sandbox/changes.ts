/**
 * What happens at the bank, and when Plaid reads it. The log of an Item is its movements in the order in which they last
 * changed. Nothing is read while a login is required: it is kept, and read in order once the person has signed in again.
 */
import type { Change, Item, Movement, PlaidContext } from './context.ts';
import { changeItem } from './context.ts';
import { emitSyncUpdates } from './events.ts';

/** Something happened at the bank. `isRead`: Plaid sees it at once, and not only at its next look. */
export function happen(
  context: PlaidContext,
  item: Item,
  changes: Change[],
  { isRead }: { isRead: boolean },
): void {
  const after = changeItem(context, item, { unread: [...item.unread, ...changes] });
  if (isRead) readBank(context, after);
}

/** Plaid looks at the bank: what it finds is in the log, and is told. */
export function readBank(context: PlaidContext, item: Item): Item {
  const at = context.clock.now().toISOString();
  if (item.error || item.isRevoked) return changeItem(context, item, { lastFailedAt: at });
  let { seq } = item;
  for (const change of item.unread) {
    seq += 1;
    apply(context, item, change, seq);
  }
  const after = changeItem(context, item, { seq, unread: [], lastReadAt: at });
  if (seq !== item.seq) emitSyncUpdates(context, after);
  return after;
}

function apply({ movements }: PlaidContext, item: Item, change: Change, seq: number): void {
  if (change.kind === 'add') {
    const { movement } = change;
    movements.put(movement.id, { ...movement, addedSeq: seq, lastSeq: seq, isRemoved: false });
    return;
  }
  const movement = movements.get(change.id);
  if (movement?.itemId !== item.id || movement.isRemoved) return;
  const content = change.kind === 'modify' ? change.content : { isRemoved: true };
  movements.put(movement.id, { ...movement, ...content, lastSeq: seq });
}

/** The log of an Item, oldest change first. Kept until it changes: pages are read one after the other. */
export function logOf({ movements }: PlaidContext, item: Item): readonly Movement[] {
  const kept = logs.get(movements)?.get(item.id);
  if (kept?.seq === item.seq) return kept.log;
  const log = movements
    .values()
    .filter(({ itemId }) => itemId === item.id)
    .sort((a, b) => a.lastSeq - b.lastSeq);
  const ofSandbox = logs.get(movements) ?? new Map<string, { seq: number; log: Movement[] }>();
  logs.set(movements, ofSandbox.set(item.id, { seq: item.seq, log }));
  return log;
}

const logs = new WeakMap<object, Map<string, { seq: number; log: Movement[] }>>();
