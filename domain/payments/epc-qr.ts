/**
 * The text of a QR code with which a banking app fills in a SEPA transfer: the European Payments Council's "Quick Response
 * Code: Guidelines to enable data capture for the initiation of a SEPA credit transfer" (EPC069-12), version 002, UTF-8.
 * The code itself is drawn with error correction level M.
 */
import { isInEuropeanUnion } from '../countries.ts';
import { decimalOf, type Money } from '../money.ts';
import { bicMistake, ibanCountry, ibanMistake } from './bank-account-number.ts';
import { type InstructionLineKey, isInSepa, type TransferInstructions } from './transfer-instructions.ts';

/**
 * Throws a `RangeError` for what such a code cannot hold: another currency than EUR, less than 0.01 or more than
 * 999999999.99, a name above 70 characters or a text above 140, an account outside SEPA, or one outside the EEA without BIC.
 */
export function epcQrText({
  holder,
  iban,
  bic = null,
  amount,
  reference,
}: {
  /** Whom to pay. */
  holder: string;
  /** Normalised. */
  iban: string;
  bic?: string | null;
  amount: Money;
  /** What the transfer's text is to be: our reference, alone. */
  reference: string;
}): string {
  refuse(amount.currency !== 'EUR', `A SEPA transfer is in EUR, not in ${amount.currency}`);
  const isInRange = amount.amountMinor >= 1 && amount.amountMinor <= AMOUNT_MINOR_MAX;
  refuse(!isInRange, 'A SEPA transfer is of 0.01 to 999999999.99 EUR');
  refuse(ibanMistake(iban) !== null, `The IBAN ${ibanMistake(iban)}`);
  refuse(!isInSepa(ibanCountry(iban)), `No SEPA transfer reaches an account in ${ibanCountry(iban)}`);
  refuse(bic !== null && bicMistake(bic) !== null, `The BIC ${bicMistake(bic ?? '')}`);
  refuse(bic === null && !isInEea(ibanCountry(iban)), 'An account outside the EEA needs its BIC in the code');
  refuse(!isLine(holder, NAME_MAX), `The holder's name must be one line of 1 to ${NAME_MAX} characters`);
  refuse(!isLine(reference, TEXT_MAX), `The reference must be one line of 1 to ${TEXT_MAX} characters`);

  // Purpose and structured reference stay empty: ours is no creditor reference of ISO 11649, and a code has only one text.
  const lines = [
    'BCD',
    '002',
    '1',
    'SCT',
    bic ?? '',
    holder,
    iban,
    `EUR${decimalOf(amount)}`,
    '',
    '',
    reference,
  ];
  const text = lines.join('\n');
  refuse(
    new TextEncoder().encode(text).length > BYTES_MAX,
    `The code would hold more than ${BYTES_MAX} bytes`,
  );
  return text;
}

/** The code of a customer's instructions; null for another transfer than SEPA's, and for what a code cannot hold. */
export function epcQrOfTransfer({
  instructions: { method, lines },
  amount,
  reference,
}: {
  instructions: TransferInstructions;
  amount: Money;
  reference: string;
}): string | null {
  const valueFor = (key: InstructionLineKey) => lines.find((line) => line.key === key)?.value;
  const [holder, iban] = [valueFor('holder'), valueFor('iban')];
  if (method !== 'sepa' || holder === undefined || iban === undefined) return null;
  try {
    return epcQrText({ holder, iban, bic: valueFor('bic') ?? null, amount, reference });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const AMOUNT_MINOR_MAX = 99_999_999_999;
const NAME_MAX = 70;
const TEXT_MAX = 140;
const BYTES_MAX = 331;

function isLine(text: string, max: number): boolean {
  return text.trim() !== '' && text.length <= max && !/\p{Cc}/u.test(text);
}

function isInEea(country: string): boolean {
  return isInEuropeanUnion(country) || ['IS', 'LI', 'NO'].includes(country);
}

function refuse(isWrong: boolean, message: string): void {
  if (isWrong) throw new RangeError(message);
}
