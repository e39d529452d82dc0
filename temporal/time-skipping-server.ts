// The test server on which days pass in milliseconds. It lacks schedules, list and count: those are tested on the
// dev server. Pass the path to TestWorkflowEnvironment.createTimeSkipping as
// `server: { executable: { type: 'existing-path', path } }`.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  buildOnce,
  findOnPath,
  isExecutable,
  MissingProgramError,
  type Report,
  runWithProgress,
} from '../config/local-binaries.ts';
import { downloadBySdk } from './sdk-download.ts';

const JAR_VERSION = '1.38.0';
const LAUNCHER = 'temporal-test-server';

/** The path of the program: from the cache, the SDK's own download, or its jars by Maven behind a launcher. */
export async function findTimeSkippingServer({
  cacheDir,
  report,
  env = process.env,
  download = downloadBySdk,
}: {
  cacheDir: string;
  report: Report;
  env?: NodeJS.ProcessEnv;
  download?: typeof downloadBySdk;
}): Promise<string> {
  const cached = cachedTimeSkippingServer(cacheDir);
  const java = findOnPath('java', env);
  if (java && isExecutable(cached)) return cached;

  const downloaded = await download({ server: 'time-skipping', cacheDir, report });
  if (downloaded) return downloaded;

  const maven = findOnPath('mvn', env);
  if (!java || !maven) throw new MissingProgramError(choices('Java and Maven are not both installed.'));
  try {
    return await buildOnce({
      folder: dirname(cached),
      file: LAUNCHER,
      build: (into) => fetchJars({ maven, into, report }),
    });
  } catch (error) {
    throw new MissingProgramError(choices(`Fetching it with Maven failed: ${(error as Error).message}`));
  }
}

/** Where the program is kept once it has been fetched. */
export function cachedTimeSkippingServer(cacheDir: string): string {
  return join(cacheDir, `temporal-test-server-${JAR_VERSION}`, LAUNCHER);
}

async function fetchJars({
  maven,
  into,
  report,
}: {
  maven: string;
  into: string;
  report: Report;
}): Promise<void> {
  const project = join(into, 'project');
  await mkdir(project, { recursive: true });
  await writeFile(join(project, 'pom.xml'), pom);
  await runWithProgress({
    label: `Fetching Temporal's test server ${JAR_VERSION} with Maven (once)`,
    command: maven,
    args: [
      ...['--batch-mode', '--quiet', 'dependency:copy-dependencies'],
      ...['-DincludeScope=runtime', `-DoutputDirectory=${join(into, 'lib')}`],
    ],
    cwd: project,
    report,
  });
  await writeFile(join(into, LAUNCHER), launcher);
  await chmod(join(into, LAUNCHER), 0o755);
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>test-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${JAR_VERSION}</version>
    </dependency>
    <!-- Without a logger the server would complain at every start that there is none. -->
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

/** The flags make a start take one second instead of two; a test server lives too briefly to gain by more. */
const launcher = `#!/bin/sh
folder=$(dirname "$0")
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$folder/lib/*" io.temporal.testserver.TestServer "$@"
`;

function choices(reason: string): string {
  return [
    `Temporal's time-skipping test server was not found, and its download is not reachable. ${reason}`,
    'Either of these helps:',
    '  - install Java 11 or newer and Maven (https://maven.apache.org) and run this again;',
    '  - allow this machine to reach temporal.download, where the SDK fetches it from.',
  ].join('\n');
}
