/**
 * The reference by which a transfer finds its invoice: `ADV` and eight digits, the last of which is Damm's check digit of the
 * others, so that no single wrong digit and no two that changed places name another invoice (knowledge: bank reconciliation
 * §2.1). Digits that read as a date are never given: banks write dates beside references.
 */

const REFERENCE_PREFIX = 'ADV';

/** Damm's quasigroup of order ten: totally anti-symmetric, with zeros on the diagonal. */
const quasigroup: readonly string[] = [
  '0317598642',
  '7092154863',
  '4206871359',
  '1750983426',
  '6123045978',
  '3674209581',
  '5869720134',
  '8945362017',
  '9438617205',
  '2581436790',
];

/** The interim digit after all of `digits`; 0 for a code whose last digit is the check digit of the others. */
function interimDigit(digits: string): number {
  return [...digits].reduce((interim, digit) => Number(quasigroup[interim]?.[Number(digit)]), 0);
}

/** `ADV` and eight digits; whether the check digit is right is another question. */
export function isTransferReference(text: string): boolean {
  return /^ADV\d{8}$/.test(text);
}

/** Whether the last of eight digits is the check digit of the others. */
export function hasCheckDigit(reference: string): boolean {
  return isTransferReference(reference) && interimDigit(reference.slice(REFERENCE_PREFIX.length)) === 0;
}

/** Years that dates beside a reference may be of. */
const FIRST_YEAR = 1990;
const LAST_YEAR = 2079;

/** Whether eight digits read as YYYYMMDD, DDMMYYYY or MMDDYYYY of the years 1990 to 2079. */
export function isDateShaped(digits: string): boolean {
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  return (
    isDate(part(0, 4), part(4, 6), part(6, 8)) ||
    isDate(part(4, 8), part(2, 4), part(0, 2)) ||
    isDate(part(4, 8), part(0, 2), part(2, 4))
  );
}

function isDate(year: number, month: number, day: number): boolean {
  return year >= FIRST_YEAR && year <= LAST_YEAR && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** A reference of seven random digits and their check digit. `randomDigit` gives 0 to 9, each as often. */
export function newTransferReference(randomDigit: () => number): string {
  for (;;) {
    const drawn = Array.from({ length: 7 }, () => randomDigit()).join('');
    const digits = `${drawn}${interimDigit(drawn)}`;
    if (!isDateShaped(digits)) return `${REFERENCE_PREFIX}${digits}`;
  }
}
