/** Tax details that have the right form by themselves and still cannot be used together: every mistake at once. */
import { type Address, regionMistake } from '../../domain/billing/address.ts';
import type { TaxEngineName } from '../../domain/billing/tax-engine.ts';
import { sellerTaxIdMistake, type TaxIdKind, taxIdMistake } from '../../domain/billing/tax-id.ts';
import { Problem, type RequestMistake } from '../problem.ts';

/** Throws a 422 that says what is expected. */
export function checkCustomerTax({
  address,
  taxId,
}: {
  address: Address | null;
  taxId: string | null;
}): void {
  throwAll([
    ...mistake('body.address.region', address && regionMistake(address)),
    ...mistake('body.taxId', taxId === null ? null : ownTaxIdMistake(taxId, address)),
  ]);
}

/** Throws a 422 that says what is expected. */
export function checkSeller({
  address,
  taxIds,
}: {
  address: Address;
  taxIds: readonly { kind: TaxIdKind; value: string }[];
}): void {
  throwAll([
    ...mistake('body.address.region', regionMistake(address)),
    ...taxIds.flatMap((each, index) =>
      mistake(`body.taxIds.${index}.value`, sellerTaxIdMistake(each, address)),
    ),
  ]);
}

/** An engine needs an account that is set up for it. */
export function checkEngine(
  { engine }: { engine: TaxEngineName },
  { stripe }: { stripe: { taxEnabled: boolean } },
): void {
  if (engine !== 'stripe_tax' || stripe.taxEnabled) return;
  throwAll(
    mistake(
      'body.engine',
      'is not configured here: set up Stripe Tax in the Stripe account, then start the API and the workers with STRIPE_TAX=on',
    ),
  );
}

function ownTaxIdMistake(taxId: string, address: Address | null): string | null {
  if (address === null) return 'needs an address: its country says which form the id must have';
  return taxIdMistake(taxId, address);
}

export function checkRegion(place: Pick<Address, 'country' | 'region'>): void {
  // A rate may hold in all of the country.
  if (place.region !== null) throwAll(mistake('body.region', regionMistake(place)));
}

function mistake(path: string, message: string | null): RequestMistake[] {
  return message === null ? [] : [{ path, message }];
}

function throwAll(errors: RequestMistake[]): void {
  if (errors.length === 0) return;
  throw new Problem({
    code: 'tax_details_unusable',
    detail: errors.map(({ path, message }) => `${path.replace('body.', '')} ${message}`).join('; '),
    errors,
  });
}
