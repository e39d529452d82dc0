/**
 * What a customer is told to do to pay by bank transfer: which of our accounts, by which method, and what to type in which
 * order. It comes from the tenant's one configuration and from nothing else, so that a copied number cannot differ from the
 * configured one; the invoice keeps the configuration's version.
 */
import { countryName, isInEuropeanUnion } from '../countries.ts';
import { decimalOf, type Money } from '../money.ts';
import { clearingCountry, groupedIban, hyphenatedSortCode, ibanCountry } from './bank-account-number.ts';
import type { ReceivingAccount, TransferConfiguration } from './transfer-configuration.ts';

export type TransferMethod =
  | 'ach'
  | 'wire'
  | 'sepa'
  | 'faster_payments'
  | 'neft'
  | 'local_transfer'
  | 'international_wire';

export type InstructionLineKey =
  | 'holder'
  | 'holder_address'
  | 'iban'
  | 'bic'
  | 'sort_code'
  | 'ifsc'
  | 'routing_number'
  | 'wire_routing_number'
  | 'account_number'
  | 'local_field'
  | 'bank_name'
  | 'bank_address'
  | 'amount'
  | 'reference';

export type InstructionLine = {
  key: InstructionLineKey;
  label: string;
  /** For copying: `DE89370400440532013000`. */
  value: string;
  /** For reading: `DE89 3704 0044 0532 0130 00`. */
  shown: string;
  isBold: boolean;
};

export type TransferInstructions = {
  configurationVersion: number;
  accountId: string;
  method: TransferMethod;
  /** For people: `SEPA transfer`. */
  methodName: string;
  /** It crosses a border by correspondent banks: not missed before `businessDays` have passed. */
  isInternational: boolean;
  /** How long it may take, in days on which banks work. */
  businessDays: number;
  /** In the order in which a person types them. */
  lines: readonly InstructionLine[];
  /** To be shown in bold. */
  warning: string;
};

/**
 * How somebody in this country pays an invoice in this currency: into the account for both; else into one in the currency
 * that can be reached from there; else by a wire to the account that takes them in any currency. Null where there is none,
 * so that another way of paying must be offered.
 */
export function instructionsFor({
  configuration,
  country,
  currency,
}: {
  configuration: TransferConfiguration;
  /** The payer's: ISO 3166-1 alpha-2. */
  country: string;
  currency: string;
}): TransferInstructions | null {
  const route = routeTo(configuration, { country, currency });
  if (route === null) return null;
  const { account, method } = route;
  const isInternational = method === 'international_wire';
  return {
    configurationVersion: configuration.version,
    accountId: account.id,
    method,
    methodName: methods[method].name,
    isInternational,
    businessDays: methods[method].businessDays,
    lines: isInternational ? internationalLines(account) : domesticLines(account),
    warning: warningFor({ holder: account.holder, isInternational }),
  };
}

/** All that is typed for one invoice: the lines of the account, then the amount, and the reference in bold. */
export function linesForInvoice({
  instructions,
  amount,
  reference,
}: {
  instructions: TransferInstructions;
  amount: Money;
  reference: string;
}): InstructionLine[] {
  const decimal = decimalOf(amount);
  return [
    ...instructions.lines,
    line('amount', 'Amount', decimal, { shown: `${decimal} ${amount.currency}` }),
    line('reference', 'Reference', reference, { isBold: true }),
  ];
}

/** International wires take 3 to 5 business days and an ACH transfer as long (seed 002); the others are our proposals. */
const methods: Record<TransferMethod, { name: string; businessDays: number }> = {
  ach: { name: 'ACH transfer', businessDays: 5 },
  wire: { name: 'wire transfer', businessDays: 1 },
  sepa: { name: 'SEPA transfer', businessDays: 2 },
  faster_payments: { name: 'Faster Payments transfer', businessDays: 1 },
  neft: { name: 'NEFT, RTGS or IMPS transfer', businessDays: 1 },
  local_transfer: { name: 'bank transfer', businessDays: 2 },
  international_wire: { name: 'international wire transfer', businessDays: 5 },
};

type Route = { account: ReceivingAccount; method: TransferMethod };
type Payer = { country: string; currency: string };

function routeTo(
  { accounts, internationalWireAccountId }: TransferConfiguration,
  payer: Payer,
): Route | null {
  const inCurrency = accounts.filter(({ currency }) => currency === payer.currency);
  const exact = inCurrency.find(({ country }) => country === payer.country);
  if (exact !== undefined) return { account: exact, method: domesticMethod(exact) };

  const reachable = inCurrency.find((account) => isReachedAtHome(account, payer.country));
  if (reachable !== undefined) return { account: reachable, method: domesticMethod(reachable) };

  const wired =
    inCurrency.find(({ bic }) => bic !== null) ??
    accounts.find(({ id }) => id === internationalWireAccountId);
  if (wired === undefined) return null;
  if (!isReachedAtHome(wired, payer.country)) return { account: wired, method: 'international_wire' };
  // Another currency than the account's does not make a neighbour's transfer an international one; but the ways that carry one
  // currency alone would carry the same number of another.
  const method = wired.currency === payer.currency ? domesticMethod(wired) : 'local_transfer';
  return { account: wired, method };
}

/** Whether a payer in another country reaches the account as its neighbours do: within the SEPA area, within one banking system. */
function isReachedAtHome(account: ReceivingAccount, country: string): boolean {
  if (isSepaAccount(account)) return isInSepa(country);
  return clearingCountry(account.country) === clearingCountry(country);
}

/** The European Payments Council's list of the countries of its schemes that are not in the Union, with their territories. */
const sepaBeyondUnion: ReadonlySet<string> = new Set(
  'AD AL CH GB GG GI IM IS JE LI MC MD ME MK NO RS SM VA AX BL GF GP MF MQ PM RE YT'.split(' '),
);

export function isInSepa(country: string): boolean {
  return isInEuropeanUnion(country) || sepaBeyondUnion.has(country);
}

function isSepaAccount({ currency, numbers }: ReceivingAccount): boolean {
  if (currency !== 'EUR' || !('iban' in numbers) || numbers.iban === null) return false;
  return isInSepa(ibanCountry(numbers.iban));
}

function domesticMethod(account: ReceivingAccount): TransferMethod {
  if (isSepaAccount(account)) return 'sepa';
  const { currency, numbers } = account;
  switch (numbers.scheme) {
    case 'us':
      if (currency !== 'USD') return 'wire';
      return numbers.achRoutingNumber === null ? 'wire' : 'ach';
    case 'uk':
      return currency === 'GBP' ? 'faster_payments' : 'local_transfer';
    case 'india':
      return currency === 'INR' ? 'neft' : 'local_transfer';
    case 'iban':
    case 'local':
      return 'local_transfer';
  }
}

function domesticLines(account: ReceivingAccount): InstructionLine[] {
  return [
    line('holder', 'Account holder', account.holder),
    ...numberLines(account),
    ...(isSepaAccount(account) ? bicLine(account) : []),
    line('bank_name', 'Bank', account.bankName),
  ];
}

function internationalLines(account: ReceivingAccount): InstructionLine[] {
  const { numbers } = account;
  const iban = 'iban' in numbers ? numbers.iban : null;
  return [
    line('holder', 'Beneficiary', account.holder),
    ...optionalLine('holder_address', "Beneficiary's address", account.holderAddress),
    ...(iban === null ? numberLines(account, 'wire') : [ibanLine(iban)]),
    ...bicLine(account),
    line('bank_name', 'Bank', account.bankName),
    ...optionalLine('bank_address', "Bank's address", account.bankAddress),
    line('local_field', "Bank's country", countryName(account.country)),
    // Charges that are shared arrive as an amount that is too small.
    line('local_field', 'Charges', 'OUR: the sender pays all charges'),
  ];
}

function numberLines(
  account: ReceivingAccount,
  purpose: 'domestic' | 'wire' = 'domestic',
): InstructionLine[] {
  const { numbers } = account;
  switch (numbers.scheme) {
    case 'us':
      return [
        ...routingLines(numbers, purpose),
        line('account_number', 'Account number', numbers.accountNumber),
      ];
    case 'iban':
      return [ibanLine(numbers.iban)];
    case 'uk': {
      if (isSepaAccount(account) && numbers.iban !== null) return [ibanLine(numbers.iban)];
      const shown = hyphenatedSortCode(numbers.sortCode);
      return [
        line('sort_code', 'Sort code', numbers.sortCode, { shown }),
        line('account_number', 'Account number', numbers.accountNumber),
      ];
    }
    case 'india':
      return [
        line('account_number', 'Account number', numbers.accountNumber),
        line('ifsc', 'IFSC', numbers.ifsc),
      ];
    case 'local':
      return [
        line('account_number', 'Account number', numbers.accountNumber),
        ...numbers.fields.map(({ label, value }) => line('local_field', label, value)),
      ];
  }
}

/** One number where both are the same; else each says what it is for. From abroad only wires arrive. */
function routingLines(
  {
    achRoutingNumber,
    wireRoutingNumber,
  }: { achRoutingNumber: string | null; wireRoutingNumber: string | null },
  purpose: 'domestic' | 'wire',
): InstructionLine[] {
  const forWires = wireRoutingNumber ?? achRoutingNumber;
  if (purpose === 'wire') return optionalLine('wire_routing_number', 'Routing number (ABA)', forWires);
  if (achRoutingNumber === null)
    return optionalLine('wire_routing_number', 'Routing number (ABA) for wires', forWires);
  if (achRoutingNumber === forWires)
    return [line('routing_number', 'Routing number (ABA)', achRoutingNumber)];
  return [
    line('routing_number', 'Routing number (ABA) for ACH', achRoutingNumber),
    ...optionalLine('wire_routing_number', 'Routing number (ABA) for wires', wireRoutingNumber),
  ];
}

function ibanLine(iban: string): InstructionLine {
  return line('iban', 'IBAN', iban, { shown: groupedIban(iban) });
}

function bicLine({ bic }: ReceivingAccount): InstructionLine[] {
  return optionalLine('bic', 'BIC (SWIFT code)', bic);
}

function optionalLine(key: InstructionLineKey, label: string, value: string | null): InstructionLine[] {
  return value === null ? [] : [line(key, label, value)];
}

function line(
  key: InstructionLineKey,
  label: string,
  value: string,
  { shown = value, isBold = false }: { shown?: string; isBold?: boolean } = {},
): InstructionLine {
  return { key, label, value, shown, isBold };
}

/** Seed 002 §8.2: money on a wrong account, and transfers whose reference is missing. */
function warningFor({ holder, isInternational }: { holder: string; isInternational: boolean }): string {
  const both =
    `Pay into exactly this account of ${holder}, and write the reference alone into the field for the reference or the ` +
    'purpose: money that goes to another account, or comes without the reference, has to be looked for by hand.';
  return isInternational
    ? `${both} Let your bank send the whole amount (charges OUR); a transfer from abroad can take up to five business days.`
    : both;
}
