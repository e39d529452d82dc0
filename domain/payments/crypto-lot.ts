/**
 * Cost basis of coins: a lot for each payment received, worth what the coins were worth when they came (IRS Notice 2014-21,
 * ), and what is given away again taken out of lots. A lot's cost and a disposal's proceeds are divided so that the
 * parts add up to the unit: each part is what is taken up to its end less what was taken up to its beginning.
 */
import { divideHalfAway } from '../billing/proration.ts';
import type { CryptoAsset } from './crypto-asset.ts';

/** The order in which lots are used up: first in first out, highest cost first, or those the caller names, in that order. */
export const lotMethods = ['fifo', 'hifo', 'specific'] as const;

export type LotMethod = (typeof lotMethods)[number];

export type CryptoLot = {
  id: string;
  asset: CryptoAsset;
  /** UTC instant of the receipt. */
  acquiredAt: string;
  units: bigint;
  /** Of the units: not disposed of yet. */
  remainingUnits: bigint;
  /** What all its units were worth at the receipt; cents of US dollars. */
  costMinor: number;
};

/** What a disposal takes out of one lot. */
export type LotPart = {
  lotId: string;
  acquiredAt: string;
  units: bigint;
  costMinor: number;
  proceedsMinor: number;
  /** Negative for a loss. */
  gainMinor: number;
  /** Held for more than a year. */
  isLongTerm: boolean;
};

export type Disposal = {
  units: bigint;
  /** What was got for all of it, fees taken off; cents of US dollars. */
  proceedsMinor: number;
  at: string;
};

/** What a disposal cannot be carried out for. */
export type DisposalRefusal =
  | { refused: 'lots_insufficient'; availableUnits: bigint }
  | { refused: 'lot_unknown'; lotId: string };

/** Takes a disposal out of lots of one wallet and asset. Lots received after the disposal are not used. */
export function dispose(
  lots: readonly CryptoLot[],
  disposal: Disposal,
  { method, lotIds = [] }: { method: LotMethod; lotIds?: readonly string[] },
): LotPart[] | DisposalRefusal {
  const usable = lots.filter((lot) => lot.remainingUnits > 0n && lot.acquiredAt <= disposal.at);
  const unknown =
    method === 'specific' ? lotIds.find((id) => !usable.some((lot) => lot.id === id)) : undefined;
  if (unknown !== undefined) return { refused: 'lot_unknown', lotId: unknown };
  const ordered = method === 'specific' ? named(usable, lotIds) : usable.toSorted(orders[method]);
  const availableUnits = ordered.reduce((sum, lot) => sum + lot.remainingUnits, 0n);
  if (availableUnits < disposal.units) return { refused: 'lots_insufficient', availableUnits };

  const parts: LotPart[] = [];
  let takenUnits = 0n;
  for (const lot of ordered) {
    if (takenUnits === disposal.units) break;
    const left = disposal.units - takenUnits;
    const isLast = left <= lot.remainingUnits;
    const units = isLast ? left : lot.remainingUnits;
    const costMinor = partOf(lot.costMinor, lot.units, { from: lot.units - lot.remainingUnits, units });
    const proceedsMinor = partOf(disposal.proceedsMinor, disposal.units, { from: takenUnits, units });
    const { id: lotId, acquiredAt } = lot;
    const gainMinor = proceedsMinor - costMinor;
    const isLongTerm = isAfterOneYear(acquiredAt, disposal.at);
    parts.push({ lotId, acquiredAt, units, costMinor, proceedsMinor, gainMinor, isLongTerm });
    takenUnits += units;
  }
  return parts;
}

/** Units that are alike keep the order in which they came. */
const orders: Record<Exclude<LotMethod, 'specific'>, (a: CryptoLot, b: CryptoLot) => number> = {
  fifo: (a, b) => byTime(a, b),
  hifo: (a, b) => {
    const [left, right] = [BigInt(a.costMinor) * b.units, BigInt(b.costMinor) * a.units];
    if (left === right) return byTime(a, b);
    return left > right ? -1 : 1;
  },
};

function byTime(a: CryptoLot, b: CryptoLot): number {
  if (a.acquiredAt !== b.acquiredAt) return a.acquiredAt < b.acquiredAt ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function named(lots: readonly CryptoLot[], lotIds: readonly string[]): CryptoLot[] {
  return [...new Set(lotIds)].flatMap((id) => lots.filter((lot) => lot.id === id));
}

/** Of an amount that stands for `whole` units: what the units after the first `from` of them are worth. */
function partOf(
  amountMinor: number,
  whole: bigint,
  { from, units }: { from: bigint; units: bigint },
): number {
  const upTo = (count: bigint) => divideHalfAway(BigInt(amountMinor) * count, whole);
  return Number(upTo(from + units) - upTo(from));
}

/** More than a year: from the day after the anniversary on (Form 8949, long-term). */
function isAfterOneYear(acquiredAt: string, at: string): boolean {
  const [year = '', rest = ''] = [acquiredAt.slice(0, 4), acquiredAt.slice(4, 10)];
  const anniversary = `${Number(year) + 1}${rest}`;
  return at.slice(0, 10) > anniversary;
}
