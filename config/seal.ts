/**
 * Secrets that tenants entrust to us, as they rest in the database: encrypted by AES-256-GCM with a key derived from the
 * active one of PERENNIAL_ENCRYPTION_KEYS. A sealed text names its key, so that keys can be exchanged, and is bound to what
 * it belongs to, so that it opens in no other row.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** New texts are sealed with the active key; every key opens. Keys are 32 bytes. */
export type SealKeys = { activeKeyId: string; keys: ReadonlyMap<string, Uint8Array> };

/** `about` is what the secret is and whose, such as `operator_chat:ten_…`. */
export function seal(keys: SealKeys, plain: string, about: string): string {
  const { activeKeyId } = keys;
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, derivedKey(keys, activeKeyId), iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(activeKeyId, about));
  const data = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${activeKeyId}:${data.toString('base64')}`;
}

/** Throws a `SealError` where the key is gone, or the text was changed or belongs to something else. */
export function unseal(keys: SealKeys, sealed: string, about: string): string {
  const [keyId = '', encoded = ''] = sealed.split(':');
  const data = Buffer.from(encoded, 'base64');
  if (!keys.keys.has(keyId)) {
    throw new SealError(
      `It was sealed with the encryption key "${keyId}", which is not configured any more.`,
    );
  }
  if (data.length < IV_BYTES + TAG_BYTES) throw new SealError('What was sealed is cut off.');
  const iv = data.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(CIPHER, derivedKey(keys, keyId), iv, { authTagLength: TAG_BYTES })
    .setAAD(boundTo(keyId, about))
    .setAuthTag(data.subarray(-TAG_BYTES));
  try {
    const plain = [decipher.update(data.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
    return Buffer.concat(plain).toString('utf8');
  } catch {
    throw new SealError(
      `It does not open with the encryption key "${keyId}": it was changed, or moved here.`,
    );
  }
}

/** The id of the key that it was sealed with. */
export function sealedWith(sealed: string): string {
  return sealed.split(':')[0] ?? '';
}

export class SealError extends Error {
  override readonly name = 'SealError';
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** 96 random bits: the size GCM is defined for. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Payloads of Temporal are encrypted with the key itself; one key has one use. */
function derivedKey({ keys }: SealKeys, keyId: string): Uint8Array {
  const key = keys.get(keyId);
  if (key === undefined) throw new SealError(`The encryption key "${keyId}" is not configured.`);
  return new Uint8Array(hkdfSync('sha256', key, '', 'perennial sealed text', KEY_BYTES));
}

function boundTo(keyId: string, about: string): Buffer {
  return Buffer.from(JSON.stringify([keyId, about]), 'utf8');
}
