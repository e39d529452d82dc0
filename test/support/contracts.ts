/** Vendors' own descriptions of their APIs, which are no part of the repository. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const usual = join(import.meta.dirname, '..', '..', '..', 'shared', 'contracts');

/**
 * The path of a vendor's document; undefined, and a loud line that says where to take it from, where it is not there: `advice`
 * follows "Take the document from".
 */
export function findContract({
  vendor,
  file,
  advice,
}: {
  vendor: string;
  file: string;
  advice: string;
}): string | undefined {
  const document = join(process.env['PERENNIAL_CONTRACTS'] ?? usual, file);
  if (existsSync(document)) return document;
  console.warn(
    `SKIPPED: the contract with ${vendor} is not checked, there is no ${document}. Take the document from ${advice}`,
  );
  return undefined;
}
