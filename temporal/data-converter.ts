/**
 * How values travel between us and Temporal: JSON, failures with their text as a payload, everything encrypted.
 * Every client and worker uses this one converter; a workflow bundle built ahead needs `failureConverterPath` too.
 */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { createEncryptionCodec, type EncryptionKeys } from './codec.ts';

export function createDataConverter(keys: EncryptionKeys): DataConverter {
  return { payloadCodecs: [createEncryptionCodec(keys)], failureConverterPath };
}

/** File of the failure converter, for the workflow bundler. */
export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));
