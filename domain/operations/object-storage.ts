/**
 * Where files are kept that are too large for a row and too precious to lose: proofs of payment. A port with a driver for a
 * folder of this machine and one for S3.
 *
 * Why it is safe to run twice: a key is made of an id that its row has before anything is stored, so that whoever repeats a
 * `put` writes the same bytes to the same place, and a `delete` of what is gone is done.
 */

export type StoredObject = { bytes: Uint8Array; contentType: ObjectType };

/**
 * Throws a `RangeError` for a key that `objectKey` did not make, or a type that is not the key's; a `VendorError` otherwise:
 * `vendor_unavailable`, `rate_limited`, `outcome_unknown` (all may be repeated), `vendor_rejected_request` (settings are wrong).
 */
export type ObjectStorage = {
  /** Whole or not at all, and there for good once it has answered; in place of what was there. */
  put(object: { key: string; bytes: Uint8Array; contentType: ObjectType }): Promise<void>;
  /** Null where there is none. */
  get(key: string): Promise<StoredObject | null>;
  /** It is gone afterwards, whether it was there or not. */
  delete(key: string): Promise<void>;
};

/** What is kept, by the ending of its key. */
const endings = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  pdf: 'application/pdf',
} as const;

export type ObjectEnding = keyof typeof endings;
export type ObjectType = (typeof endings)[ObjectEnding];

/** `<tenant>/<uuid>.<ending>`. Throws a `RangeError` for parts that are none: nothing of a key comes from outside. */
export function objectKey({
  tenantId,
  id,
  ending,
}: {
  tenantId: string;
  /** A UUID. */
  id: string;
  ending: ObjectEnding;
}): string {
  const key = `${tenantId}/${id}.${ending}`;
  contentTypeOf(key);
  return key;
}

/** The type of what is kept under a key. Throws a `RangeError` for a key that is none. */
export function contentTypeOf(key: string): ObjectType {
  const ending = keyForm.exec(key)?.[1];
  if (ending === undefined || !Object.hasOwn(endings, ending)) {
    throw new RangeError('A key must be <tenant>/<uuid>.<ending>, with jpg, png, webp or pdf as its ending');
  }
  return endings[ending as ObjectEnding];
}

/** Throws a `RangeError` where the type is not the key's. */
export function checkType(key: string, contentType: ObjectType): void {
  const type = contentTypeOf(key);
  if (type !== contentType)
    throw new RangeError(`A key with this ending is for ${type}, not for ${contentType}`);
}

/** Lower case only: a file system may not tell capitals apart. */
const keyForm = /^[a-z0-9][a-z0-9_-]{0,63}\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.([a-z]{3,4})$/;
