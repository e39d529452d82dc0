/** Where somebody is, as far as tax and the head of an invoice need it. */
import { countryName, indianStates } from '../countries.ts';

export type Address = {
  /** ISO 3166-1 alpha-2. */
  country: string;
  /** The state: India's GST code (`29`); elsewhere as the country writes it (`CA`). Null where none is needed. */
  region: string | null;
  postalCode: string | null;
  /** Street, house, and the town last: one line each. */
  lines: readonly string[];
};

/** As it is printed, from the street to the country: the code before the town, or behind it where there are states. */
export function addressInWords({ country, region, postalCode, lines }: Address): string[] {
  const state = country === 'IN' && region !== null ? indianStates[region] : region;
  const hasTown = lines.length > 1;
  const town = hasTown ? lines.at(-1) : null;
  const place = state == null ? [postalCode, town] : [town, postalCode];
  return [
    ...(hasTown ? lines.slice(0, -1) : lines),
    place.filter((part) => part != null).join(' '),
    state ?? '',
    countryName(country),
  ].filter((line) => line !== '');
}

/** What is wrong with the region, or null. India's tax depends on the state, so it must be there. */
export function regionMistake({ country, region }: Pick<Address, 'country' | 'region'>): string | null {
  if (country !== 'IN') return null;
  if (region !== null && Object.hasOwn(indianStates, region)) return null;
  return "must be the two digits of India's GST for the state, such as 29 for Karnataka";
}
