/**
 * What becomes of a movement that its source tells again, in other words or the same. What the source says last holds, with
 * two exceptions by which the order of what is told does not matter: what was booked is never pending again, and a file that
 * says less than another takes nothing away. What was decided stays decided: whether a change undoes it is for whoever
 * decides (`version` counts past the decision).
 */
import type { BankMovementStatus } from './bank-movement.ts';
import { type BankSource, type BankTransaction, FEED } from './bank-transaction.ts';

/** As it is told. */
export type ToldMovement = BankTransaction & {
  /** A feed's amount with more digits than the currency has, as it was told; absent or null for an exact one. */
  roundedFrom?: string | null;
};

/** As it is kept. */
export type KeptMovement = ToldMovement & {
  source: BankSource;
  status: BankMovementStatus;
  copyOfId: string | null;
  copyJudgedAt: Date | null;
  removedAt: Date | null;
  /** From then on its texts and its payer are not kept. */
  erasedAt: Date | null;
};

/** `isFresh`: it stands as if it were told for the first time, and may be the copy of another. */
export type Retold = { status: BankMovementStatus; isFresh: boolean };

/** What of it is kept: nothing personal of one whose customer was erased, and of files all that any of them has said. */
export function keepable(told: ToldMovement, kept: KeptMovement | undefined): ToldMovement {
  if (kept === undefined) return told;
  if (kept.erasedAt !== null)
    return { ...told, texts: [], payer: { name: null, account: null }, bankReference: null };
  if (kept.source === FEED) return told;
  return {
    ...told,
    texts: [...told.texts, ...kept.texts.filter((text) => !told.texts.includes(text))],
    payer: {
      name: told.payer.name ?? kept.payer.name,
      account: told.payer.account ?? kept.payer.account,
    },
    bankReference: told.bankReference ?? kept.bankReference,
    authorisedOn: told.authorisedOn ?? kept.authorisedOn,
  };
}

/** Null for what says nothing new. `isReplaced`: a booked movement has taken its place. */
export function retold(
  kept: KeptMovement,
  told: ToldMovement,
  { isReplaced }: { isReplaced: boolean },
): Retold | null {
  if (isReplaced && kept.pending) return null;
  if (kept.removedAt !== null) return returned(kept, told);
  if (told.pending && !kept.pending) return null;
  if (saysNothingNew(kept, told)) return null;
  // The same money in other words is suspected as before.
  if (kept.status === 'copy_suspected' && !isOtherMoney(kept, told))
    return { status: kept.status, isFresh: false };
  if (kept.status === 'new' || kept.status === 'pending' || kept.status === 'copy_suspected')
    return fresh(kept, told);
  if (kept.status === 'copy' && isOtherAmount(kept, told)) return fresh(kept, told);
  return { status: kept.status, isFresh: false };
}

/** Its source had said that it never happened. What nobody has taken back yet is as it was. */
function returned(kept: KeptMovement, told: ToldMovement): Retold {
  return kept.status === 'removed'
    ? fresh({ ...kept, copyJudgedAt: null }, told)
    : { status: kept.status, isFresh: false };
}

/** What a person has called no copy is none, as long as it is the same amount. */
function fresh(kept: KeptMovement, told: ToldMovement): Retold {
  if (told.pending) return { status: 'pending', isFresh: false };
  return { status: 'new', isFresh: kept.copyJudgedAt === null || isOtherAmount(kept, told) };
}

/** Whether it is other money than it was: what equalled another movement then may not now. */
export function isOtherMoney(kept: ToldMovement, told: ToldMovement): boolean {
  return isOtherAmount(kept, told) || kept.bookedOn !== told.bookedOn;
}

/** What a person has said of it then says nothing any more. */
function isOtherAmount(kept: ToldMovement, told: ToldMovement): boolean {
  return kept.amountMinor !== told.amountMinor || kept.currency !== told.currency;
}

function saysNothingNew(kept: KeptMovement, told: ToldMovement): boolean {
  return (
    !isOtherMoney(kept, told) &&
    kept.pending === told.pending &&
    kept.authorisedOn === told.authorisedOn &&
    kept.pendingExternalId === told.pendingExternalId &&
    kept.payer.name === told.payer.name &&
    kept.payer.account === told.payer.account &&
    kept.bankReference === told.bankReference &&
    (kept.roundedFrom ?? null) === (told.roundedFrom ?? null) &&
    hasNoOtherTexts(kept, told)
  );
}

function hasNoOtherTexts({ source, texts: kept }: KeptMovement, { texts: told }: ToldMovement): boolean {
  if (source !== FEED) return told.every((text) => kept.includes(text));
  return kept.length === told.length && told.every((text, index) => text === kept[index]);
}
