/** Accounts into which the customers of tests pay, as `PUT /v1/bank_details` takes them. */
const common = { holder: 'Acme Books Inc', bankName: 'First Bank' };

export const usd = {
  ...common,
  id: 'usd-main',
  country: 'US',
  currency: 'USD',
  bic: 'CHASUS33',
  scheme: 'us',
  achRoutingNumber: '021000021',
  accountNumber: '000123456789',
};

export const eur = {
  ...common,
  id: 'eur-main',
  country: 'DE',
  currency: 'EUR',
  bic: 'COBADEFFXXX',
  scheme: 'iban',
  iban: 'DE89370400440532013000',
};
