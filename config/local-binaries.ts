// Where the server programs of development and tests come from: the PATH, or a build that is made once and kept
// in the user's cache folder under its version, so that a second checkout does not build again.

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';

/** Receives one line of progress for people. */
export type Report = (line: string) => void;

/** A program is missing and could not be fetched; the message names the choices a person has. */
export class MissingProgramError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MissingProgramError';
  }
}

/** The executable called `name` in the first folder of the PATH that has one. */
export function findOnPath(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const names = process.platform === 'win32' ? [`${name}.exe`, `${name}.cmd`, name] : [name];
  return folders.flatMap((folder) => names.map((file) => join(folder, file))).find(isExecutable);
}

/** Whether the path is a file that may be run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Makes `folder` by calling `build` with a temporary folder beside it and renaming that when it is complete: an
 * interrupted build leaves nothing that looks finished, and of two builds at the same time the first one stays.
 * Returns the path of `file` inside.
 */
export async function buildOnce({
  folder,
  file,
  build,
}: {
  folder: string;
  file: string;
  build: (into: string) => Promise<void>;
}): Promise<string> {
  const result = join(folder, file);
  if (isExecutable(result)) return result;

  await mkdir(dirname(folder), { recursive: true });
  const unfinished = await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
  try {
    await build(unfinished);
    if (!isExecutable(join(unfinished, file))) throw new MissingProgramError(`The build left no ${file}.`);
    await moveUnlessThere(unfinished, { folder, result });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return result;
}

/** A rename onto a folder with content fails, so that the first of two builds stays. */
async function moveUnlessThere(
  from: string,
  { folder, result }: { folder: string; result: string },
): Promise<void> {
  try {
    await rename(from, folder);
  } catch (error) {
    if (isExecutable(result)) return;
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await rm(folder, { recursive: true, force: true });
    await rename(from, folder);
  }
}

/** A server program of one version, from the PATH or built with Go. */
export type GoProgram = {
  name: string;
  version: string;
  /** What `go install` is given, without the version. */
  source: string;
  /** Where people find it. */
  home: string;
  /** How long building takes, and how often it is done. */
  takes: string;
};

/** The path of the program where it is already: on the PATH, or in the cache under its version. */
export function locateGoProgram({ name, version }: GoProgram, cacheDir: string): string | undefined {
  const cached = join(cacheDir, `${name}-${version}`, name);
  return findOnPath(name) ?? (isExecutable(cached) ? cached : undefined);
}

/** The path of the program, which is built where it is not there yet. Throws a `MissingProgramError` where there is no Go. */
export async function findGoProgram(
  program: GoProgram,
  { cacheDir, report }: { cacheDir: string; report: Report },
): Promise<string> {
  const found = locateGoProgram(program, cacheDir);
  if (found) return found;

  const { name, version, source, home, takes } = program;
  const go = findOnPath('go');
  if (!go) {
    throw new MissingProgramError(
      `${name} was not found. Put it on the PATH (${home}), or install Go 1.24 or newer (https://go.dev/dl) and run ` +
        'this again: it is then built once.',
    );
  }
  return buildOnce({
    folder: join(cacheDir, `${name}-${version}`),
    file: name,
    build: (into) =>
      goInstall({
        go,
        program: `${source}@${version}`,
        into,
        label: `Building ${name} ${version} with Go (${takes})`,
        report,
      }),
  });
}

/** Builds a Go program into `into`. */
export async function goInstall({
  go,
  program,
  into,
  label,
  report,
}: {
  go: string;
  program: string;
  into: string;
  label: string;
  report: Report;
}): Promise<void> {
  const env = { ...process.env, GOBIN: into, GOWORK: 'off' };
  await runWithProgress({
    label,
    command: go,
    args: ['install', '-ldflags=-s -w', program],
    env,
    report,
  });
}

const PROGRESS_EVERY_MS = 15_000;
const OUTPUT_KEPT = 4_000;

/** Runs a command to its end, telling every few seconds that it is still at work; throws with its last output. */
export async function runWithProgress({
  label,
  command,
  args,
  cwd,
  env = process.env,
  report,
}: {
  label: string;
  command: string;
  args: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  report: Report;
}): Promise<string> {
  report(`${label} …`);
  const startedAt = Date.now();
  const seconds = () => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  const ticker = setInterval(() => report(`${label} … ${seconds()}`), PROGRESS_EVERY_MS);
  try {
    const output = await runToEnd({ command, args, cwd, env });
    report(`${label}: done in ${seconds()}`);
    return output;
  } catch (error) {
    report(`${label}: failed after ${seconds()}`);
    throw error;
  } finally {
    clearInterval(ticker);
  }
}

function runToEnd({
  command,
  args,
  cwd,
  env,
}: {
  command: string;
  args: readonly string[];
  cwd: string | undefined;
  env: NodeJS.ProcessEnv;
}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: cwd ?? process.cwd(), env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else
        reject(new Error(`${basename(command)} ended with ${signal ?? `code ${code}`}:\n${output.trim()}`));
    });
  });
}
