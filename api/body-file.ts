/**
 * Files that come as the body of a request, as they are. They are written to a file of their own while they come in, so that
 * none is held in memory, whoever reads it can read it more than once, and no transaction waits for the network.
 */
import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Request } from 'express';
import { Problem } from './problem.ts';

/** What a route that takes a file says of it. */
export type UploadSpec = {
  /** The first one is the example of the document. */
  mediaTypes: readonly string[];
  maxBytes: number;
};

/** The body of such a request. Of two with the same bytes all that is kept for the Idempotency-Key is the same. */
export type Upload = {
  sha256: string;
  bytes: number;
  /** From the beginning, each time. */
  read(): AsyncIterable<Uint8Array>;
};

/** Calls `use` with the file, which is gone afterwards. Throws a `Problem` for what is too large or no file. */
export async function withUpload<T>(
  req: Request,
  spec: UploadSpec,
  use: (upload: Upload) => Promise<T>,
): Promise<T> {
  refuseDress(req, spec);
  const folder = await mkdtemp(join(tmpdir(), 'perennial-upload-'));
  const opened: ReadStream[] = [];
  try {
    const path = join(folder, 'body');
    const received = await receive(req, path, spec.maxBytes);
    return await use({
      ...received,
      read() {
        const stream = createReadStream(path);
        opened.push(stream);
        return stream;
      },
    });
  } finally {
    // What is left of a refused file is read past, so that the connection is free for the next request.
    req.resume();
    for (const stream of opened) stream.destroy();
    await rm(folder, { recursive: true, force: true });
  }
}

function refuseDress(req: Request, { mediaTypes, maxBytes }: UploadSpec): void {
  if (req.is([...mediaTypes]) === false) {
    throw new Problem({
      code: 'unsupported_media_type',
      detail: `Send the file itself as the body, as ${mediaTypes[0]}.`,
    });
  }
  const encoding = req.get('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new Problem({ code: 'unsupported_media_type', detail: 'Send the file as it is, not compressed.' });
  }
  if (Number(req.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/** The connection stays open on a refusal, so that the caller hears it. */
async function receive(
  req: Request,
  path: string,
  maxBytes: number,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await using file = await open(path, 'wx');
  for await (const chunk of chunksOf(req)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    hash.update(chunk);
    await file.appendFile(chunk);
  }
  return { sha256: hash.digest('hex'), bytes };
}

async function* chunksOf(req: Request): AsyncGenerator<Uint8Array> {
  try {
    yield* req.iterator({ destroyOnReturn: false });
  } catch (error) {
    throw new Problem({
      code: 'invalid_request',
      detail: 'The body did not arrive as announced.',
      cause: error,
    });
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem({
    code: 'payload_too_large',
    detail: `The file may have ${maxBytes / MEBIBYTE} MiB at most.`,
  });
}

export const MEBIBYTE = 1024 ** 2;
