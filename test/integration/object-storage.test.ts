import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ObjectStorage, objectKey } from '../../domain/operations/object-storage.ts';
import { createDiskStorage } from '../../integrations/storage/disk.ts';
import { createS3Storage } from '../../integrations/storage/s3.ts';
import { versitygwPath } from '../support/services.ts';
import { startVersitygw, type TestS3 } from '../support/versitygw.ts';

const newKey = (tenantId = 'ten_1') => objectKey({ tenantId, id: randomUUID(), ending: 'pdf' });
const bytesOf = (text: string) => new TextEncoder().encode(text);
const contentType = 'application/pdf';

/** What every storage promises. */
function promises(storage: () => ObjectStorage): void {
  it('gives back what was put, byte by byte, with its type', async () => {
    const key = objectKey({ tenantId: 'ten_1', id: randomUUID(), ending: 'png' });
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 31) % 256);
    await storage().put({ key, bytes, contentType: 'image/png' });
    expect(await storage().get(key)).toEqual({ bytes, contentType: 'image/png' });
  });

  it('has nothing where nothing was put, of no tenant', async () => {
    const key = newKey();
    await storage().put({ key, bytes: bytesOf('one'), contentType });
    expect(await storage().get(newKey())).toBeNull();
    expect(await storage().get(key.replace('ten_1', 'ten_2'))).toBeNull();
  });

  it('replaces what is there', async () => {
    const key = newKey();
    await storage().put({ key, bytes: bytesOf('one'), contentType });
    await storage().put({ key, bytes: bytesOf('two'), contentType });
    expect((await storage().get(key))?.bytes).toEqual(bytesOf('two'));
  });

  it('has one of many that come at the same time, whole', async () => {
    const key = newKey();
    const texts = Array.from({ length: 8 }, (_, at) => String(at).repeat(20_000));
    await Promise.all(texts.map((text) => storage().put({ key, bytes: bytesOf(text), contentType })));
    expect(texts.map(bytesOf)).toContainEqual((await storage().get(key))?.bytes);
  });

  it('deletes, twice as well', async () => {
    const key = newKey();
    await storage().put({ key, bytes: bytesOf('one'), contentType });
    await storage().delete(key);
    await storage().delete(key);
    expect(await storage().get(key)).toBeNull();
    await storage().put({ key, bytes: bytesOf('two'), contentType });
    expect((await storage().get(key))?.bytes).toEqual(bytesOf('two'));
  });

  it.each([
    '../outside.pdf',
    '/etc/passwd',
    'ten_1/../../outside.pdf',
    `ten_1/${randomUUID()}.svg`,
    `ten_1/${randomUUID()}`,
    '',
  ])('refuses the key %j', async (key) => {
    await expect(storage().put({ key, bytes: bytesOf('x'), contentType })).rejects.toThrow(RangeError);
    await expect(storage().get(key)).rejects.toThrow(RangeError);
    await expect(storage().delete(key)).rejects.toThrow(RangeError);
  });

  it('refuses a type that is not the key’s', async () => {
    await expect(
      storage().put({ key: newKey(), bytes: bytesOf('x'), contentType: 'image/png' }),
    ).rejects.toThrow(RangeError);
  });
}

describe('a folder', () => {
  let folder: string;
  let storage: ObjectStorage;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'perennial-files-'));
    storage = createDiskStorage({ folder: join(folder, 'files') });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  promises(() => storage);

  it('leaves nothing unfinished behind, and lets only its owner read', async () => {
    const key = newKey();
    await storage.put({ key, bytes: bytesOf('one'), contentType });
    await storage.put({ key, bytes: bytesOf('two'), contentType });
    expect(await readdir(join(folder, 'files', '.unfinished'))).toEqual([]);
    expect(await readFile(join(folder, 'files', key), 'utf8')).toBe('two');
    expect((await stat(join(folder, 'files', key))).mode & 0o777).toBe(0o600);
  });

  it('does not follow a link that leads elsewhere', async () => {
    const key = newKey();
    const path = join(folder, 'files', key);
    await writeFile(join(folder, 'elsewhere'), 'secret');
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(folder, 'elsewhere'), path);
    await expect(storage.get(key)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    await storage.put({ key, bytes: bytesOf('one'), contentType });
    expect(await readFile(join(folder, 'elsewhere'), 'utf8')).toBe('secret');
  });

  it('that cannot be written to is a mistake in the settings', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await chmod(file, 0o600);
    const broken = createDiskStorage({ folder: file });
    await expect(broken.put({ key: newKey(), bytes: bytesOf('x'), contentType })).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_rejected_request',
    });
  });
});

const server = versitygwPath();
if (server === null) {
  console.warn(
    '\n  SKIPPED: nothing is known of S3, as there is no versitygw and no Go to build it (https://go.dev/dl).\n',
  );
}

describe.skipIf(server === null)('a bucket', () => {
  let s3: TestS3;
  let storage: ReturnType<typeof createS3Storage>;
  beforeAll(async () => {
    s3 = await startVersitygw(server ?? '');
    storage = createS3Storage(s3.settings);
  });
  afterAll(async () => {
    storage.close();
    await s3.stop();
  });

  promises(() => storage);

  const failing = async (differs: object): Promise<unknown> => {
    const other = createS3Storage({ ...s3.settings, ...differs });
    try {
      await other.put({ key: newKey(), bytes: bytesOf('x'), contentType });
      return null;
    } catch (error) {
      return error;
    } finally {
      other.close();
    }
  };

  it.each([
    ['a wrong secret', { credentials: { accessKeyId: 'perennial', secretAccessKey: 'mistyped-secret' } }],
    ['an unknown key', { credentials: { accessKeyId: 'nobody', secretAccessKey: 'development' } }],
    ['a bucket that is none', { bucket: 'elsewhere' }],
  ])('with %s is a mistake in the settings, told without a secret', async (_what, differs) => {
    const error = await failing(differs);
    expect(error).toMatchObject({ name: 'VendorError', code: 'vendor_rejected_request' });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/mistyped-secret|Signature=|Credential=/);
  });

  it('of a server that is not there was never asked', async () => {
    expect(await failing({ endpoint: 'http://127.0.0.1:1' })).toMatchObject({ code: 'vendor_unavailable' });
  });

  it('of a bucket that is none is not an absent file', async () => {
    const other = createS3Storage({ ...s3.settings, bucket: 'elsewhere' });
    await expect(other.get(newKey())).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    other.close();
  });
});

it('a bucket that does not answer may have stored what it was sent', async () => {
  const connections = new Set<Socket>();
  const silent = createServer((connection) => connections.add(connection.on('error', () => {})));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const storage = createS3Storage({
    ...{ bucket: 'proofs', region: 'us-east-1', pathStyle: true, timeoutMs: 200 },
    endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'perennial', secretAccessKey: 'development' },
  });
  const put = storage.put({ key: newKey(), bytes: bytesOf('x'), contentType });
  await expect(put).rejects.toMatchObject({ code: 'outcome_unknown' });
  await expect(storage.get(newKey())).rejects.toMatchObject({ code: 'vendor_unavailable' });
  storage.close();
  for (const connection of connections) connection.destroy();
  await new Promise((resolve) => silent.close(resolve));
});
