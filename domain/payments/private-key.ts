/**
 * Tells what must never be given to us: the secrets that coins can be spent with. Whoever pastes one by mistake is told so,
 * without a word of it being repeated.
 */

/**
 * What kind of secret a text is or holds, in words; null where it is none. A mistyped secret is one as well, so its form
 * decides and not its checksum.
 */
export function secretIn(text: string): string | null {
  return forms.find(({ form }) => form.test(text.trim()))?.name ?? null;
}

/** For the one who pasted it; follows the name of the field. */
export function secretRefused(name: string): string {
  return `must never be a secret, and this is ${name}: whoever has it can spend the coins. Never paste it anywhere; take it for stolen, throw it away once its coins are moved to a new wallet, and give a public key or an address instead`;
}

const base58 = '[1-9A-HJ-NP-Za-km-z]';

/** One word, numbered or not. */
const word = '(?:\\d{1,2}[.):]?\\s*)?[\\p{L}\\p{M}]+';

const forms: readonly { name: string; form: RegExp }[] = [
  // BIP32 with any prefix of SLIP-132, alone or within a descriptor, and those of other coins.
  {
    name: 'an extended private key',
    form: new RegExp(`(?:^|[^A-Za-z0-9])(?:[A-Za-z]prv|(?:Lt|Mt|tt|dg)pv)${base58}{20}`),
  },
  { name: 'a private key', form: new RegExp(`^[5KL9c]${base58}{50,51}$`) },
  { name: 'an encrypted private key', form: new RegExp(`^6P${base58}{56}$`) },
  { name: 'a private key', form: /^(?:0x)?[0-9a-f]{64}$/i },
  { name: 'the seed of a wallet', form: /^(?:0x)?[0-9a-f]{128}$/i },
  // BIP39 in any language has 12 words or more; no key and no address has a blank.
  { name: 'the recovery phrase of a wallet', form: new RegExp(`^${word}(?:[\\s,;]+${word}){8}`, 'u') },
];
