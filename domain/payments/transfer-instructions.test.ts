import { describe, expect, it } from 'vitest';
import { readTransferConfiguration, type TransferConfiguration } from './transfer-configuration.ts';
import { instructionsFor, linesForInvoice } from './transfer-instructions.ts';

const holder = { holder: 'Acme Inc.', holderAddress: '1 Main Street, Springfield' };
const accounts = {
  usd: {
    ...{ id: 'usd', country: 'US', currency: 'USD', ...holder, bankName: 'JPMorgan Chase', bic: 'CHASUS33' },
    ...{ bankAddress: '383 Madison Avenue, New York', scheme: 'us', achRoutingNumber: '021000021' },
    ...{ wireRoutingNumber: '026009593', accountNumber: '000123456789' },
  },
  eur: {
    ...{ id: 'eur', country: 'DE', currency: 'EUR', ...holder, bankName: 'Commerzbank', bic: 'COBADEFF' },
    ...{ scheme: 'iban', iban: 'DE89370400440532013000' },
  },
  gbp: {
    ...{ id: 'gbp', country: 'GB', currency: 'GBP', ...holder, bankName: 'NatWest', bic: 'NWBKGB2L' },
    ...{ scheme: 'uk', sortCode: '601613', accountNumber: '31926819', iban: 'GB29NWBK60161331926819' },
  },
  inr: {
    ...{ id: 'inr', country: 'IN', currency: 'INR', ...holder, bankName: 'HDFC Bank' },
    ...{ scheme: 'india', ifsc: 'HDFC0000001', accountNumber: '50100012345678' },
  },
  kes: {
    ...{ id: 'kes', country: 'KE', currency: 'KES', ...holder, bankName: 'KCB', scheme: 'local' },
    ...{
      accountNumber: '1100223344',
      fields: [
        { label: 'Bank code', value: '01' },
        { label: 'Branch code', value: '068' },
      ],
    },
  },
};

function configured(
  given: object[],
  internationalWireAccountId: string | null = 'usd',
): TransferConfiguration {
  const reading = readTransferConfiguration({ version: 7, accounts: given, internationalWireAccountId });
  if (!reading.ok) throw new Error(JSON.stringify(reading.mistakes));
  return reading.configuration;
}

const all = configured(Object.values(accounts));
const shownLines = (configuration: TransferConfiguration, country: string, currency: string) =>
  instructionsFor({ configuration, country, currency })?.lines.map(
    ({ label, shown }) => `${label}: ${shown}`,
  );

describe('the account and the method', () => {
  it.each([
    ['US', 'USD', 'usd', 'ach', false],
    ['PR', 'USD', 'usd', 'ach', false],
    ['DE', 'EUR', 'eur', 'sepa', false],
    ['FR', 'EUR', 'eur', 'sepa', false],
    ['CH', 'EUR', 'eur', 'sepa', false],
    ['GB', 'EUR', 'eur', 'sepa', false],
    ['RE', 'EUR', 'eur', 'sepa', false],
    ['US', 'EUR', 'eur', 'international_wire', true],
    ['GB', 'GBP', 'gbp', 'faster_payments', false],
    ['JE', 'GBP', 'gbp', 'faster_payments', false],
    ['IE', 'GBP', 'gbp', 'international_wire', true],
    ['IN', 'INR', 'inr', 'neft', false],
    ['KE', 'KES', 'kes', 'local_transfer', false],
    ['DE', 'USD', 'usd', 'international_wire', true],
    ['CA', 'CAD', 'usd', 'international_wire', true],
    ['US', 'CAD', 'usd', 'local_transfer', false],
    // Neither can be reached from abroad: no BIC.
    ['DE', 'INR', 'usd', 'international_wire', true],
    ['UG', 'KES', 'usd', 'international_wire', true],
  ])('from %s in %s: %s by %s', (country, currency, accountId, method, isInternational) => {
    const found = instructionsFor({ configuration: all, country, currency });
    expect(found).toMatchObject({ configurationVersion: 7, accountId, method, isInternational });
  });

  it('are none where no account can be reached', () => {
    const configuration = configured([accounts.inr], null);
    expect(instructionsFor({ configuration, country: 'US', currency: 'INR' })).toBeNull();
    expect(instructionsFor({ configuration, country: 'IN', currency: 'USD' })).toBeNull();
    expect(instructionsFor({ configuration, country: 'IN', currency: 'INR' })?.method).toBe('neft');
  });

  it('prefer the payer’s country among several in the currency', () => {
    const irish = {
      ...accounts.eur,
      id: 'ie',
      country: 'IE',
      iban: 'IE29AIBK93115212345678',
      bic: 'AIBKIE2D',
    };
    const configuration = configured([accounts.eur, irish], null);
    expect(instructionsFor({ configuration, country: 'IE', currency: 'EUR' })?.accountId).toBe('ie');
    expect(instructionsFor({ configuration, country: 'FR', currency: 'EUR' })?.accountId).toBe('eur');
  });

  it('of a bank that takes wires only is a wire', () => {
    const configuration = configured([{ ...accounts.usd, achRoutingNumber: null }]);
    expect(instructionsFor({ configuration, country: 'US', currency: 'USD' })?.method).toBe('wire');
    expect(shownLines(configuration, 'US', 'USD')).toEqual([
      'Account holder: Acme Inc.',
      'Routing number (ABA) for wires: 026009593',
      'Account number: 000123456789',
      'Bank: JPMorgan Chase',
    ]);
  });

  it('of a wire from abroad may take five business days', () => {
    expect(instructionsFor({ configuration: all, country: 'DE', currency: 'USD' })?.businessDays).toBe(5);
  });
});

describe('the lines, in the order in which they are typed', () => {
  it('in the United States', () => {
    expect(shownLines(all, 'US', 'USD')).toEqual([
      'Account holder: Acme Inc.',
      'Routing number (ABA) for ACH: 021000021',
      'Routing number (ABA) for wires: 026009593',
      'Account number: 000123456789',
      'Bank: JPMorgan Chase',
    ]);
  });

  it('within SEPA', () => {
    expect(shownLines(all, 'FR', 'EUR')).toEqual([
      'Account holder: Acme Inc.',
      'IBAN: DE89 3704 0044 0532 0130 00',
      'BIC (SWIFT code): COBADEFF',
      'Bank: Commerzbank',
    ]);
  });

  it('in Britain, India and Kenya', () => {
    expect(shownLines(all, 'GB', 'GBP')).toEqual([
      'Account holder: Acme Inc.',
      'Sort code: 60-16-13',
      'Account number: 31926819',
      'Bank: NatWest',
    ]);
    expect(shownLines(all, 'IN', 'INR')).toEqual([
      'Account holder: Acme Inc.',
      'Account number: 50100012345678',
      'IFSC: HDFC0000001',
      'Bank: HDFC Bank',
    ]);
    expect(shownLines(all, 'KE', 'KES')).toEqual([
      'Account holder: Acme Inc.',
      'Account number: 1100223344',
      'Bank code: 01',
      'Branch code: 068',
      'Bank: KCB',
    ]);
  });

  it('of wires from abroad, with the IBAN where there is one', () => {
    expect(shownLines(all, 'DE', 'USD')).toEqual([
      'Beneficiary: Acme Inc.',
      "Beneficiary's address: 1 Main Street, Springfield",
      'Routing number (ABA): 026009593',
      'Account number: 000123456789',
      'BIC (SWIFT code): CHASUS33',
      'Bank: JPMorgan Chase',
      "Bank's address: 383 Madison Avenue, New York",
      "Bank's country: United States",
      'Charges: OUR: the sender pays all charges',
    ]);
    expect(shownLines(all, 'US', 'GBP')?.slice(2, 4)).toEqual([
      'IBAN: GB29 NWBK 6016 1331 9268 19',
      'BIC (SWIFT code): NWBKGB2L',
    ]);
  });

  it('of an invoice end with the amount, and the reference in bold as it must be typed', () => {
    const instructions = instructionsFor({ configuration: all, country: 'FR', currency: 'EUR' });
    if (instructions === null) throw new Error('no instructions');
    const lines = linesForInvoice({
      instructions,
      amount: { amountMinor: 49_900, currency: 'EUR' },
      reference: 'ADV48213075',
    });
    expect(lines.slice(-2)).toEqual([
      { key: 'amount', label: 'Amount', value: '499.00', shown: '499.00 EUR', isBold: false },
      { key: 'reference', label: 'Reference', value: 'ADV48213075', shown: 'ADV48213075', isBold: true },
    ]);
    expect(lines.filter(({ isBold }) => isBold)).toHaveLength(1);
  });
});

it('warns of other accounts and of a missing reference', () => {
  const { warning } = instructionsFor({ configuration: all, country: 'US', currency: 'USD' }) ?? {};
  expect(warning).toBe(
    'Pay into exactly this account of Acme Inc., and write the reference alone into the field for the reference or the ' +
      'purpose: money that goes to another account, or comes without the reference, has to be looked for by hand.',
  );
});
