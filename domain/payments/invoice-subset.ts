/**
 * Which of a payer's open invoices come to an amount together. The work is bounded whatever a payer owes: of the oldest twenty
 * at most five, which are 21,679 sums at the very most.
 */

const SUBSET_MAX = 5;
const CANDIDATES_MAX = 20;

/** In the order in which they are to be paid; each with a positive amount. */
type Owed = { dueMinor: number };

/**
 * Two to five of them that come to exactly `totalMinor`: the fewest, and of as many the first; then the next such, where it is
 * not the only way. Empty where none do.
 */
export function subsetsOf<T extends Owed>(owed: readonly T[], totalMinor: number): T[][] {
  const candidates = owed.filter(({ dueMinor }) => dueMinor < totalMinor).slice(0, CANDIDATES_MAX);
  const found: T[][] = [];
  for (let size = 2; size <= Math.min(SUBSET_MAX, candidates.length) && found.length < 2; size += 1) {
    choose({ candidates, from: 0, size, restMinor: totalMinor, chosen: [], found });
  }
  return found;
}

function choose<T extends Owed>(search: {
  candidates: readonly T[];
  from: number;
  size: number;
  restMinor: number;
  chosen: readonly T[];
  found: T[][];
}): void {
  const { candidates, from, size, restMinor, chosen, found } = search;
  for (let at = from; at <= candidates.length - size && found.length < 2; at += 1) {
    const candidate = candidates[at];
    if (candidate === undefined) return;
    const rest = restMinor - candidate.dueMinor;
    if (size === 1) {
      if (rest === 0) found.push([...chosen, candidate]);
    } else if (rest > 0) {
      choose({
        ...search,
        from: at + 1,
        size: size - 1,
        restMinor: rest,
        chosen: [...chosen, candidate],
      });
    }
  }
}
