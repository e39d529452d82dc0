// Looks for paths that exist on one machine only, and for package addresses other than npm's own, in every file that
// belongs to the repository. Run by `npm run check`.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './processes.ts';

export type Finding = { line: number; text: string };

/** Home folders and the like. */
const machineOnly = [/(?<![\w.$}/-])\/(?:root|work|home\/[\w.-]+|Users\/[\w.-]+)\//, /[A-Z]:\\Users\\/];

/** An entry of a lock file that was resolved elsewhere than at npm's own registry. */
const foreignRegistry = /^"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/;

/** The lines of a text that hold such a path. */
export function findMachinePaths(text: string): Finding[] {
  return text
    .split('\n')
    .map((line, index) => ({ line: index + 1, text: line.trim().slice(0, 160) }))
    .filter(({ text: line }) => [...machineOnly, foreignRegistry].some((pattern) => pattern.test(line)));
}

function main(): void {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: checkout,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const findings = listed
    .split('\n')
    .filter((file) => file !== '')
    .flatMap((file) => findMachinePaths(read(file)).map(({ line, text }) => `${file}:${line}: ${text}`));
  if (findings.length > 0) {
    console.error(findings.join('\n'));
    process.exitCode = 1;
  }
}

/** A file that git lists may be deleted already; a binary file has no lines to look at. */
function read(file: string): string {
  try {
    const text = readFileSync(join(checkout, file), 'utf8');
    return text.includes('\0') ? '' : text;
  } catch {
    return '';
  }
}

if (import.meta.main) main();
