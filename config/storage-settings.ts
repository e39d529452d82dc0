// Where files are kept that people send: a folder of this machine, or a bucket.

import { join } from 'node:path';
import { z } from 'zod';

export type StorageConfig =
  | { readonly kind: 'disk'; readonly folder: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly region: string;
      /** Undefined means Amazon itself. */
      readonly endpoint: string | undefined;
      /** The bucket in the path and not in the host's name, as most servers but Amazon's want it. */
      readonly pathStyle: boolean;
      /** Undefined means what the machine gives: its environment, or the role it has. */
      readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
    };

export const storageVariables = {
  STORAGE_FOLDER: z
    .string()
    .regex(/^(?:[/]|[A-Za-z]:[\\/])/, 'must be the whole path of a folder, such as /var/lib/perennial/files.')
    .optional(),
  STORAGE_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket.')
    .optional(),
  STORAGE_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be the name of a region, such as eu-central-1.')
    .optional(),
  STORAGE_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL, such as https://s3.example.com.' })
    .transform((value) => value.replace(/\/+$/, ''))
    .optional(),
  STORAGE_PATH_STYLE: z.enum(['on', 'off'], { error: 'must be on or off.' }).optional(),
  STORAGE_ACCESS_KEY_ID: z.string().min(3, 'must be the id of an access key.').optional(),
  STORAGE_SECRET_ACCESS_KEY: z.string().min(8, 'must be the secret of the access key.').optional(),
} as const;

type Variables = z.infer<z.ZodObject<typeof storageVariables>>;

/** A bucket where one is named, else a folder; in development one beside the other state. */
export function storageConfig(env: Variables, { home }: { home: string }): StorageConfig {
  const {
    STORAGE_BUCKET: bucket,
    STORAGE_ENDPOINT: endpoint,
    STORAGE_PATH_STYLE: pathStyle,
    STORAGE_ACCESS_KEY_ID: accessKeyId,
    STORAGE_SECRET_ACCESS_KEY: secretAccessKey,
  } = env;
  if (bucket === undefined) return { kind: 'disk', folder: env.STORAGE_FOLDER ?? join(home, 'files') };
  const isGiven = accessKeyId !== undefined && secretAccessKey !== undefined;
  return {
    kind: 's3',
    bucket,
    region: env.STORAGE_REGION ?? 'us-east-1',
    endpoint,
    pathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === 'on',
    credentials: isGiven ? { accessKeyId, secretAccessKey } : undefined,
  };
}

/** What is wrong in combination, as sentences without values. */
export function storageMistakes(env: Readonly<Record<string, string | undefined>>): string[] {
  const mistakes: string[] = [];
  const isProduction = env['NODE_ENV'] === 'production';
  if (isProduction && !env['STORAGE_FOLDER'] && !env['STORAGE_BUCKET']) {
    mistakes.push(
      'STORAGE_FOLDER is required in production; set it to a folder that is backed up and that the API and the workers share, or set STORAGE_BUCKET.',
    );
  }
  if (Boolean(env['STORAGE_ACCESS_KEY_ID']) !== Boolean(env['STORAGE_SECRET_ACCESS_KEY'])) {
    mistakes.push(
      'STORAGE_ACCESS_KEY_ID and STORAGE_SECRET_ACCESS_KEY belong together; set both, or neither for what the machine gives.',
    );
  }
  if (!env['STORAGE_BUCKET']) {
    const others = Object.keys(storageVariables).filter((name) => name !== 'STORAGE_FOLDER' && env[name]);
    mistakes.push(
      ...others.map((name) => `${name} is set without STORAGE_BUCKET; set that too, or unset it.`),
    );
  }
  return mistakes;
}
