// What the scripts say to a person at a terminal.

/** Prints a line of progress, apart from the output that other programs may read. */
export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Lays rows out in two columns. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join('\n');
}

/** Runs a script; a failure is told without the stack, which means nothing to the person who reads it. */
export async function runScript(script: () => Promise<void>): Promise<void> {
  try {
    await script();
  } catch (error) {
    progress(`\n${error instanceof Error ? error.message : String(error)}`);
    if (process.env['LOG_LEVEL'] === 'debug' && error instanceof Error) progress(String(error.stack));
    process.exitCode = 1;
  }
}
