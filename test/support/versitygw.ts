/** An S3 server of a test's own, with one bucket. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../integrations/storage/s3.ts';
import { startProcess, untilReady } from '../../scripts/managed-process.ts';
import { freePorts } from '../../scripts/ports.ts';
import { isListening } from '../../scripts/processes.ts';
import { versitygwCommand, versitygwEnvironment, versitygwLogin } from '../../scripts/versitygw.ts';

export type TestS3 = {
  /** With which the bucket is reached. */
  settings: S3Settings;
  /** Nobody answers from here on. */
  down(): Promise<void>;
  /** Ends it and removes what it kept. */
  stop(): Promise<void>;
};

/** Starts a server within a second. */
export async function startVersitygw(executable: string): Promise<TestS3> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-s3-'));
  const [dataDir, metadataDir] = [join(folder, 'objects'), join(folder, 'metadata')];
  await mkdir(dataDir);
  await mkdir(metadataDir);
  const { port } = await freePorts(['port']);
  const server = await startProcess({
    name: 'versitygw',
    ...versitygwCommand({ executable, port, dataDir, metadataDir }),
    cwd: folder,
    env: { ...process.env, ...versitygwEnvironment() },
    logFile: join(folder, 'versitygw.log'),
  });
  await untilReady({ process: server, isReady: () => isListening(port) });
  const settings: S3Settings = {
    bucket: 'proofs',
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    pathStyle: true,
    credentials: versitygwLogin,
  };
  await makeBucket(settings);
  const down = async () => void (await server.stop());
  return {
    settings,
    down,
    stop: async () => {
      await down();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeBucket({
  bucket,
  region,
  endpoint = '',
  credentials = versitygwLogin,
}: S3Settings): Promise<void> {
  const client = new S3Client({ region, endpoint, forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}
