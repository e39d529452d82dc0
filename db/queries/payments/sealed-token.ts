/**
 * Tokens that open something at a vendor, encrypted where they are stored: AES-256-GCM under keys that are derived from the
 * installation's own (PERENNIAL_ENCRYPTION_KEYS). A sealed token names its key, and fits only the row it was sealed for: moved
 * to another row it cannot be opened. A key must stay configured as long as a token is sealed with it; what is read often is
 * sealed anew with the active key (`isCurrent`).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

export type TokenSeal = {
  /** `about` names the row: the same text opens it. */
  seal(token: string, about: string): string;
  /** Throws where the key is not configured, the text was changed, or it was sealed for another row. */
  open(sealed: string, about: string): string;
  /** Whether it was sealed with the active key. */
  isCurrent(sealed: string): boolean;
};

/** The first of the keys is not meant: `activeKeyId` names the one that seals, all of them open. Keys have 32 bytes. */
export function createTokenSeal({
  activeKeyId,
  keys,
}: {
  activeKeyId: string;
  keys: ReadonlyMap<string, Uint8Array>;
}): TokenSeal {
  const secrets = new Map([...keys].map(([keyId, key]) => [keyId, derived(key)]));
  const secretOf = (keyId: string): KeyObject => {
    const secret = secrets.get(keyId);
    if (secret !== undefined) return secret;
    throw new Error(
      `A token was sealed with key "${keyId}", which is not configured; add it to PERENNIAL_ENCRYPTION_KEYS behind the active key.`,
    );
  };
  return {
    seal(token, about) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, secretOf(activeKeyId), iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(about));
      const data = Buffer.concat([iv, cipher.update(token, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${activeKeyId}.${data.toString('base64url')}`;
    },
    open(sealed, about) {
      const { keyId, data } = partsOf(sealed);
      const decipher = createDecipheriv(CIPHER, secretOf(keyId), data.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(about)).setAuthTag(data.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([
          decipher.update(data.subarray(IV_BYTES, -TAG_BYTES)),
          decipher.final(),
        ]).toString();
      } catch (cause) {
        throw new Error('A sealed token was changed, or was sealed for another row.', { cause });
      }
    },
    isCurrent: (sealed) => partsOf(sealed).keyId === activeKeyId,
  };
}

/** To find again what a token has made, without keeping the token. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Payloads of processes are encrypted with the keys themselves: what one of the two keys gives away must not help with the other. */
function derived(key: Uint8Array): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', key, '', 'perennial token seal', KEY_BYTES)));
}

function partsOf(sealed: string): { keyId: string; data: Buffer } {
  const end = sealed.lastIndexOf('.');
  const data = Buffer.from(sealed.slice(end + 1), 'base64url');
  if (end < 1 || data.length < IV_BYTES + TAG_BYTES) throw new Error('A sealed token is cut off.');
  return { keyId: sealed.slice(0, end), data };
}
