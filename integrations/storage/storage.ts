/** The storage that the settings name. */
import type { StorageConfig } from '../../config/storage-settings.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import { createDiskStorage } from './disk.ts';
import { createS3Storage } from './s3.ts';

export function createStorage(config: StorageConfig): ObjectStorage {
  return config.kind === 'disk' ? createDiskStorage(config) : createS3Storage(config);
}
