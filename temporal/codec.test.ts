import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncryptionCodec, type EncryptionKeys, PayloadDecryptionError } from './codec.ts';

const oldKey = new Uint8Array(randomBytes(32));
const newKey = new Uint8Array(randomBytes(32));
const codecWith = (activeKeyId: string, keys: Record<string, Uint8Array>) =>
  createEncryptionCodec({ activeKeyId, keys: new Map(Object.entries(keys)) } satisfies EncryptionKeys);
const codec = codecWith('new', { new: newKey, old: oldKey });
const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString();

async function encrypted(value: unknown, by = codec): Promise<Payload> {
  const [payload] = await by.encode([defaultPayloadConverter.toPayload(value) as Payload]);
  return payload as Payload;
}

async function decrypted(payload: Payload, by = codec): Promise<unknown> {
  const [plain] = await by.decode([payload]);
  return defaultPayloadConverter.fromPayload(plain as Payload);
}

describe('what is encrypted', () => {
  it('comes back as it was, whatever JSON it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const restored = await decrypted(await encrypted(value));
        expect(JSON.stringify(restored)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('comes back byte by byte with all its metadata, also when it has none or no data', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const payloads = fc.array(
      fc.record({
        metadata: fc.dictionary(fc.string({ minLength: 1 }), bytes, { maxKeys: 4, noNullPrototype: true }),
        data: bytes,
      }),
      { maxLength: 5 },
    );
    const comparable = ({ metadata, data }: Payload) => ({
      metadata: Object.fromEntries(
        Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
      ),
      data: Buffer.from(data ?? []).toString('hex'),
    });
    await fc.assert(
      fc.asyncProperty(payloads, async (given) => {
        const restored = await codec.decode(await codec.encode(given));
        expect(restored.map(comparable)).toEqual(given.map(comparable));
      }),
    );
  });

  it('shows its encoding and the id of its key, and nothing of its content or its own metadata', async () => {
    const payload = await encrypted({ email: 'ada@example.com' });

    expect(Object.keys(payload.metadata ?? {}).sort()).toEqual(['encoding', 'encryption-key-id']);
    expect(text(payload.metadata?.['encoding'])).toBe('binary/encrypted');
    expect(text(payload.metadata?.['encryption-key-id'])).toBe('new');
    expect(text(payload.data)).not.toMatch(/ada|email|json/);
  });

  it('looks different each time, so that equal values cannot be told', async () => {
    const [first, second] = [await encrypted('yes'), await encrypted('yes')];
    expect(Buffer.from(first.data ?? []).equals(Buffer.from(second.data ?? []))).toBe(false);
  });
});

describe('rotation of keys', () => {
  it('decrypts what the previous key wrote and encrypts with the active one', async () => {
    const before = await encrypted('written before', codecWith('old', { old: oldKey }));
    expect(text(before.metadata?.['encryption-key-id'])).toBe('old');

    expect(await decrypted(before)).toBe('written before');
    const after = await encrypted('written after');
    expect(text(after.metadata?.['encryption-key-id'])).toBe('new');
  });

  it('names the missing key and the variable to add it to when a key was dropped too early', async () => {
    const before = await encrypted('written before', codecWith('old', { old: oldKey }));
    const withoutOld = codecWith('new', { new: newKey });

    await expect(withoutOld.decode([before])).rejects.toThrow(PayloadDecryptionError);
    await expect(withoutOld.decode([before])).rejects.toThrow(
      /key "old", which is not configured.*PERENNIAL_ENCRYPTION_KEYS/s,
    );
  });

  it('refuses an active key that is not there and a key of the wrong length', () => {
    expect(() => codecWith('none', { new: newKey })).toThrow(/"none" is not among the keys/);
    expect(() => codecWith('new', { new: new Uint8Array(16) })).toThrow(/"new" must have 32 bytes/);
  });
});

describe('what was tampered with', () => {
  it('is refused, whichever byte was changed', async () => {
    const payload = await encrypted({ amountMinor: 1200 });
    const data = Buffer.from(payload.data ?? []);
    for (let position = 0; position < data.length; position++) {
      const changed = Buffer.from(data);
      changed.writeUInt8(changed.readUInt8(position) ^ 1, position);
      await expect(codec.decode([{ ...payload, data: changed }])).rejects.toThrow(PayloadDecryptionError);
    }
  });

  it('is refused when it is cut off, empty, or says it was written by another of our keys', async () => {
    const payload = await encrypted('value');
    const data = payload.data ?? new Uint8Array();
    const metadata = { ...payload.metadata, 'encryption-key-id': Buffer.from('old') };

    await expect(codec.decode([{ ...payload, data: data.slice(0, -1) }])).rejects.toThrow(
      PayloadDecryptionError,
    );
    await expect(codec.decode([{ ...payload, data: new Uint8Array() }])).rejects.toThrow(/cut off/);
    await expect(codec.decode([{ ...payload, metadata }])).rejects.toThrow(
      /does not match encryption key "old"/,
    );
  });
});

it('passes on what was never encrypted, such as histories from before the codec', async () => {
  const plain = defaultPayloadConverter.toPayload('plain') as Payload;
  expect(await codec.decode([plain])).toEqual([plain]);
});
