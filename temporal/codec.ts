/**
 * Encrypts everything Temporal stores for us (inputs, results, signals, summaries, failure messages) with
 * AES-256-GCM, so that histories can be kept for long and read by nobody without the key.
 * A payload names its key: to rotate, put a new key first in PERENNIAL_ENCRYPTION_KEYS and keep the old one
 * until the retention of the last history written with it has passed.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

/** New payloads are encrypted with the active key; every key decrypts. Keys are 32 bytes. */
export type EncryptionKeys = { activeKeyId: string; keys: ReadonlyMap<string, Uint8Array> };

/** Makes the codec of client, worker and codec endpoint; all of them must have the same keys. */
export function createEncryptionCodec({ activeKeyId, keys }: EncryptionKeys): PayloadCodec {
  const secrets = new Map([...keys].map(([keyId, key]) => [keyId, secretKey(keyId, key)]));
  const active = secrets.get(activeKeyId);
  if (!active) throw new Error(`The active encryption key "${activeKeyId}" is not among the keys.`);

  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, activeKeyId, active)),
    decode: async (payloads) =>
      payloads.map((payload) => {
        if (metadataText(payload, 'encoding') !== ENCODING) return payload;
        const keyId = metadataText(payload, KEY_ID);
        const secret = secrets.get(keyId);
        if (!secret) throw new PayloadDecryptionError(unknownKey(keyId, secrets));
        return decrypt(payload, keyId, secret);
      }),
  };
}

/** A payload cannot be read: its key is not configured, or it was changed after it was encrypted. */
export class PayloadDecryptionError extends Error {
  override readonly name = 'PayloadDecryptionError';
}

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** 96 random bits: the size GCM is defined for; safe for 2^32 payloads a key. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The whole payload is encrypted, metadata too; the key id is authenticated, so it cannot be exchanged. */
function encrypt(payload: Payload, keyId: string, secret: KeyObject): Payload {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv, { authTagLength: TAG_BYTES }).setAAD(encode(keyId));
  const plain = PayloadMessage.encode(payload).finish();
  const data = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: encode(ENCODING), [KEY_ID]: encode(keyId) }, data };
}

function decrypt(payload: Payload, keyId: string, secret: KeyObject): Payload {
  const data = payload.data ?? new Uint8Array();
  if (data.length < IV_BYTES + TAG_BYTES)
    throw new PayloadDecryptionError('An encrypted payload is cut off.');
  const iv = data.subarray(0, IV_BYTES);
  const tag = data.subarray(data.length - TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, secret, iv, { authTagLength: TAG_BYTES })
    .setAAD(encode(keyId))
    .setAuthTag(tag);
  try {
    const plain = Buffer.concat([decipher.update(data.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    return toPlainPayload(PayloadMessage.decode(plain));
  } catch (cause) {
    throw new PayloadDecryptionError(
      `An encrypted payload does not match encryption key "${keyId}": it was changed, or another key of that id wrote it.`,
      { cause },
    );
  }
}

/** A payload of the SDK is a plain object; the decoder's class instance would not compare equal to it. */
function toPlainPayload(message: Payload): Payload {
  return {
    ...(message.metadata ? { metadata: { ...message.metadata } } : {}),
    ...(message.data ? { data: message.data } : {}),
  };
}

function metadataText(payload: Payload, name: string): string {
  const value = payload.metadata?.[name];
  return value ? decode(value) : '';
}

function secretKey(keyId: string, key: Uint8Array): KeyObject {
  if (key.length !== KEY_BYTES) throw new Error(`Encryption key "${keyId}" must have ${KEY_BYTES} bytes.`);
  return createSecretKey(key);
}

function unknownKey(keyId: string, known: ReadonlyMap<string, unknown>): string {
  return (
    `A payload was encrypted with key "${keyId}", which is not configured (configured: ` +
    `${[...known.keys()].join(', ')}). Add it to PERENNIAL_ENCRYPTION_KEYS behind the active key.`
  );
}
