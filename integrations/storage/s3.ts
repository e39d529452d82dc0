/**
 * Files in a bucket of S3, or of a server that speaks as S3 does.
 *
 * Why it is safe to run twice: an object appears whole or not at all, and the same put again stores the same bytes.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import { checkType, contentTypeOf, type ObjectStorage } from '../../domain/operations/object-storage.ts';
import { interruptedCode, wasNeverSent } from '../lost-requests.ts';

export type S3Settings = {
  bucket: string;
  region: string;
  /** Another server than Amazon's. */
  endpoint?: string | undefined;
  /** The bucket in the path, not in the host's name: what most servers but Amazon's want. */
  pathStyle?: boolean;
  /** Where absent, what the machine gives (environment, role). */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
  timeoutMs?: number;
};

export function createS3Storage({
  bucket,
  region,
  endpoint,
  pathStyle = false,
  credentials,
  timeoutMs = 15_000,
}: S3Settings): ObjectStorage & { close(): void } {
  const client = new S3Client({
    region,
    forcePathStyle: pathStyle,
    maxAttempts: 3,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  });
  const within = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });
  return {
    async put({ key, bytes, contentType }) {
      checkType(key, contentType);
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: bytes,
        ContentType: contentType,
        // Whoever reaches the bucket's own address gets a file to save and never a page to look at.
        ContentDisposition: 'attachment',
        CacheControl: 'private, no-store',
      });
      try {
        await client.send(command, within());
      } catch (error) {
        throw toVendorError(error, { mutates: true });
      }
    },
    async get(key) {
      const contentType = contentTypeOf(key);
      try {
        const { Body: body } = await client.send(
          new GetObjectCommand({ Bucket: bucket, Key: key }),
          within(),
        );
        const bytes = await body?.transformToByteArray();
        return { bytes: bytes ?? new Uint8Array(), contentType };
      } catch (error) {
        if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return null;
        throw toVendorError(error, { mutates: false });
      }
    },
    async delete(key) {
      contentTypeOf(key);
      try {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), within());
      } catch (error) {
        if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return;
        throw toVendorError(error, { mutates: true });
      }
    },
    close: () => client.destroy(),
  };
}

/** The SDK's errors hold the request with its signature: only the name and the status are passed on. */
function toVendorError(error: unknown, { mutates }: { mutates: boolean }): VendorError {
  const status = statusOf(error);
  const name = error instanceof Error ? error.name : 'unknown';
  const vendorRequestId = error instanceof S3ServiceException ? error.$metadata.requestId : undefined;
  return new VendorError({
    code: codeOf(error, status, mutates),
    message: `Object storage: ${name}${status === undefined ? '' : ` (status ${status})`}`,
    ...(vendorRequestId !== undefined && { vendorRequestId }),
  });
}

function codeOf(error: unknown, status: number | undefined, mutates: boolean): ErrorCode {
  if (status === undefined) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    // Nobody to sign as: the settings are wrong.
    if (name === 'CredentialsProviderError') return 'vendor_rejected_request';
    return wasNeverSent(code) ? 'vendor_unavailable' : interruptedCode(mutates);
  }
  const name = error instanceof Error ? error.name : '';
  if (status === 429 || name === 'SlowDown') return 'rate_limited';
  // Two puts at the same time: this one was not stored.
  if (status === 409) return 'vendor_unavailable';
  if (status >= 500) return interruptedCode(mutates);
  return 'vendor_rejected_request';
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}
