/** Statement files as bytes, cut as a test wants them, and what reading one gives. */
import { readStatement } from '../../integrations/statements/read-statement.ts';
import { StatementError } from '../../integrations/statements/statement-error.ts';
import type { StatementOptions, StatementPart } from '../../integrations/statements/statement-part.ts';

type Movement = Extract<StatementPart, { type: 'movement' }>;

export async function partsOf(
  file: string | Uint8Array,
  options: StatementOptions = {},
  chunkBytes: number | readonly number[] = 65_536,
): Promise<StatementPart[]> {
  const parts: StatementPart[] = [];
  for await (const part of readStatement(inChunks(bytesOf(file), chunkBytes), options)) parts.push(part);
  return parts;
}

export async function movementsIn(
  file: string | Uint8Array,
  options: StatementOptions = {},
): Promise<Movement['transaction'][]> {
  const parts = await partsOf(file, options);
  return parts.filter((part) => part.type === 'movement').map(({ transaction }) => transaction);
}

/** What a file is refused for. Fails where it is read. */
export async function refusalOf(
  file: string | Uint8Array,
  options: StatementOptions = {},
): Promise<{ reason: string; line: number | null }> {
  try {
    await partsOf(file, options);
  } catch (error) {
    if (error instanceof StatementError) return { reason: error.reason, line: error.line };
    throw error;
  }
  throw new Error('The file was read and should have been refused');
}

/** Chunks of one size, or of these sizes in turn. */
export async function* inChunks(
  bytes: Uint8Array,
  sizes: number | readonly number[],
): AsyncGenerator<Uint8Array> {
  const list = typeof sizes === 'number' ? [sizes] : sizes;
  let index = 0;
  for (let start = 0; start < bytes.length; index += 1) {
    const size = Math.max(1, list[index % list.length] ?? 1);
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

function bytesOf(file: string | Uint8Array): Uint8Array {
  return typeof file === 'string' ? new TextEncoder().encode(file) : file;
}
