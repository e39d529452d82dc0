/**
 * Files in a folder of this machine: for development, and for an installation of one machine whose folder is backed up.
 *
 * Why it is safe to run twice: a file is written beside its place under a name of its own, flushed, and only then named, so
 * that a reader sees all of it or nothing, and what was answered survives a power cut. Whoever dies before the naming leaves a
 * file in `.unfinished`, which nobody reads and which may be deleted; after it, the same put again changes nothing.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { VendorError } from '../../domain/errors.ts';
import { checkType, contentTypeOf, type ObjectStorage } from '../../domain/operations/object-storage.ts';

/** Keeps objects below `folder`, which is made where it is missing. */
export function createDiskStorage({ folder }: { folder: string }): ObjectStorage {
  const root = resolve(folder);
  // A key has the form that it is made in, or is refused: no part of it can lead out of the folder.
  const pathOf = (key: string): string => {
    contentTypeOf(key);
    return join(root, key);
  };
  return {
    async put({ key, bytes, contentType }) {
      checkType(key, contentType);
      const path = pathOf(key);
      await translated(() => write({ root, path, bytes }));
    },
    async get(key) {
      const path = pathOf(key);
      const bytes = await translated(() => read(path));
      return bytes === null ? null : { bytes, contentType: contentTypeOf(key) };
    },
    async delete(key) {
      const path = pathOf(key);
      await translated(() => remove(path));
    },
  };
}

const UNFINISHED = '.unfinished';

async function write({
  root,
  path,
  bytes,
}: {
  root: string;
  path: string;
  bytes: Uint8Array;
}): Promise<void> {
  const unfinished = join(root, UNFINISHED);
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = join(unfinished, randomUUID());
  try {
    await writeFlushed(temporary, bytes);
    await rename(temporary, path);
    // The file's name is in its folder, and the folder's in the root: both are told to last.
    await flushFolder(dirname(path));
    await flushFolder(root);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  await using(await open(path, 'wx', 0o600), async (file) => {
    await file.writeFile(bytes);
    await file.sync();
  });
}

async function read(path: string): Promise<Uint8Array | null> {
  try {
    // A link that somebody put there leads elsewhere.
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    return await using(file, async () => new Uint8Array(await file.readFile()));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
    await flushFolder(dirname(path));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function flushFolder(path: string): Promise<void> {
  // Windows cannot, and does not need to.
  if (process.platform === 'win32') return;
  await using(await open(path, 'r'), (folder) => folder.sync());
}

async function using<Result>(file: FileHandle, act: (file: FileHandle) => Promise<Result>): Promise<Result> {
  try {
    return await act(file);
  } finally {
    await file.close();
  }
}

async function translated<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    const code = codeOf(cause);
    const isSetting = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EXDEV'].includes(code);
    throw new VendorError({
      code: isSetting ? 'vendor_rejected_request' : 'vendor_unavailable',
      message: `The folder of files: ${code}`,
      cause,
    });
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
