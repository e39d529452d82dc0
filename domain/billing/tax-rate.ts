/** Tax rates: exact decimal percents, and which of a tenant's rates hold at a place on a day. */

export type TaxKind = 'vat' | 'gst' | 'sales_tax';

export const taxKinds: readonly TaxKind[] = ['vat', 'gst', 'sales_tax'];

/** A rate as the tenant has entered it. */
export type TaxRate = {
  country: string;
  /** Null: in the whole country. */
  region: string | null;
  kind: TaxKind;
  /** As customers read it: `VAT`, `MwSt.` */
  name: string;
  /** Exact: `19`, `9.975`. */
  percent: string;
  /** The first day it holds, `2026-01-01`; until a later one of the same kind does. */
  validFrom: string;
};

/** What a percent is counted in, so that six decimals of it are whole: millionths of a hundredth. */
export const wholeShare = 10n ** 8n;

const percentForm = /^(?:100(?:\.0{1,6})?|\d{1,2}(?:\.\d{1,6})?)$/;

/** From 0 to 100, with up to six decimals. */
export function isPercent(text: string): boolean {
  return percentForm.test(text);
}

/** A percent as a part of `wholeShare`. Throws a `RangeError` unless it is from 0 to 100, with up to six decimals. */
export function shareOf(percent: string): bigint {
  if (!isPercent(percent)) throw new RangeError(`Not a percent from 0 to 100: ${percent}`);
  const [whole = '', decimals = ''] = percent.split('.');
  return BigInt(whole + decimals.padEnd(DECIMALS_MAX, '0'));
}

const DECIMALS_MAX = 6;

/** `18.00` is `18`, `05` is `5`. */
export function normalisedPercent(percent: string): string {
  const [whole = '', decimals = ''] = percent.split('.');
  const kept = decimals.replace(/0+$/, '');
  const units = whole.replace(/^0+(?=\d)/, '');
  return kept === '' ? units : `${units}.${kept}`;
}

/** Exactly half: `18` → `9`, `5` → `2.5`. */
export function halfOf(percent: string): string {
  const [whole = '', decimals = ''] = percent.split('.');
  // One decimal more holds the half of any number.
  const halved = (BigInt(`${whole}${decimals}0`) / 2n).toString().padStart(decimals.length + 2, '0');
  return normalisedPercent(`${halved.slice(0, -decimals.length - 1)}.${halved.slice(-decimals.length - 1)}`);
}

/** Of each kind the latest that holds on the day; one of the region goes before one of the country. */
export function ratesAt(
  rates: readonly TaxRate[],
  { country, region, day }: { country: string; region: string | null; day: string },
): TaxRate[] {
  const held = rates.filter(
    (rate) =>
      rate.country === country && (rate.region === null || rate.region === region) && rate.validFrom <= day,
  );
  return taxKinds.flatMap((kind) => {
    const [best] = held
      .filter((rate) => rate.kind === kind)
      .sort((a, b) => closeness(b) - closeness(a) || (a.validFrom < b.validFrom ? 1 : -1));
    return best === undefined ? [] : [best];
  });
}

function closeness({ region }: TaxRate): number {
  return region === null ? 0 : 1;
}
