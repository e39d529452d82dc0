/** Files of a test: in a folder of their own of this machine. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import { createDiskStorage } from '../../integrations/storage/disk.ts';

export function createTestStorage(): ObjectStorage {
  return createDiskStorage({ folder: mkdtempSync(join(tmpdir(), 'perennial-files-')) });
}
