/**
 * Files that are sent in a form. One at a time is taken, it is held in memory while it is looked at, and only so many are held
 * at once; for a sender that hangs up nothing more is done. Its name and type, as the sender says them, are not even read.
 */
import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import multer, { MulterError } from 'multer';
import { z } from 'zod';
import { PROOF_MAX_BYTES, PROOF_MAX_MIB } from '../domain/payments/bank-proof.ts';
import { Problem } from './problem.ts';

/** What was sent in the field of the form. */
export class UploadedFile {
  readonly bytes: Uint8Array;
  /** Of the bytes, in hexadecimal digits. */
  readonly sha256: string;
  /** Aborted once the sender has hung up without an answer. */
  readonly gone: AbortSignal;

  constructor(bytes: Uint8Array, gone: AbortSignal) {
    this.bytes = bytes;
    this.gone = gone;
    this.sha256 = createHash('sha256').update(bytes).digest('hex');
  }

  /** What makes two requests the same under an Idempotency-Key. */
  toJSON() {
    return { sha256: this.sha256 };
  }
}

/** A file among the fields of a body. */
export const uploadedFile = z
  .instanceof(UploadedFile, { error: 'must be a file' })
  .meta({ type: 'string', format: 'binary' });

const FILES_AT_ONCE = 8;

/** Handlers after which the body of the request has the form's fields, and the file under the name of its field. */
export function receiveFile(field: string): RequestHandler[] {
  const parse = multer({ storage: multer.memoryStorage(), limits }).single(field);
  return [
    requireForm,
    takePlace,
    (req, res, next) => {
      parse(req, res, (error: unknown) => next(error == null ? undefined : problemOf(error)));
    },
    (req, res, next) => {
      const { file } = req;
      const gone = res.locals['gone'] as AbortSignal;
      req.body = { ...req.body, ...(file !== undefined && { [field]: new UploadedFile(file.buffer, gone) }) };
      next();
    },
  ];
}

const limits = {
  fileSize: PROOF_MAX_BYTES,
  files: 1,
  fields: 10,
  parts: 12,
  fieldSize: 64 * 1024,
  fieldNameSize: 100,
  headerPairs: 20,
};

const requireForm: RequestHandler = (req, _res, next) => {
  if (req.is('multipart/form-data') !== false) return next();
  throw new Problem({ code: 'unsupported_media_type', detail: 'Send the body as multipart/form-data.' });
};

let held = 0;

const takePlace: RequestHandler = (_req, res, next) => {
  if (held >= FILES_AT_ONCE) {
    throw new Problem({
      code: 'too_many_uploads',
      detail: 'Many files are being sent just now. Send yours again in a moment.',
      headers: { 'Retry-After': '5' },
    });
  }
  held += 1;
  const hangUp = new AbortController();
  res.locals['gone'] = hangUp.signal;
  res.once('close', () => {
    held -= 1;
    if (!res.writableFinished) hangUp.abort(hungUp());
  });
  next();
};

function hungUp(): Problem {
  return new Problem({
    code: 'invalid_request',
    detail: 'The connection was closed before the file was looked at; nothing of it is kept.',
  });
}

/** What the parser of forms finds wrong: beyond its limits an error of its own, else the form is not one. */
function problemOf(cause: unknown): Problem {
  if (!(cause instanceof MulterError)) {
    return new Problem({ code: 'invalid_request', detail: 'The form is broken off or malformed.', cause });
  }
  if (cause.code === 'LIMIT_FILE_SIZE') {
    return new Problem({
      code: 'payload_too_large',
      detail: `A file may have ${PROOF_MAX_MIB} MiB at most. Send a smaller one, such as a screenshot.`,
      cause,
    });
  }
  return new Problem({
    code: 'invalid_request',
    detail: 'The form has more fields, files or text than it should, or the file under another name.',
    errors: [{ path: 'body', message: cause.message }],
    cause,
  });
}
