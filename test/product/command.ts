/**
 * The commands of package.json as a person runs them: a process of its own, what it prints, Ctrl-C. Its settings come
 * from the test alone, whatever the environment or a file `.env` says.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { variableNames } from '../../config/env.ts';
import { checkout } from '../../scripts/processes.ts';

export type Settings = Readonly<Record<string, string>>;

export type Command = {
  /** What it has printed for other programs, and for people. */
  stdout(): string;
  stderr(): string;
  /** Waits until stdout has this text; throws when it ends before. */
  untilItPrints(text: string): Promise<void>;
  /** Ctrl-C in its terminal: a signal to every process of its group. Nothing when it has ended. */
  interrupt(): void;
  /** Resolves with its exit code. */
  ended: Promise<number | null>;
};

/** `npm run <args>`, without npm. */
export function runCommand(args: readonly string[], settings: Settings): Command {
  const child = spawn(process.execPath, [join(checkout, 'scripts', 'setup.mjs'), ...args], {
    cwd: checkout,
    env: environment(settings),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      printed[name] += chunk;
    });
  }
  let hasEnded = false;
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      hasEnded = true;
      resolve(code);
    });
  });
  return {
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    untilItPrints: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (printed.stdout.includes(text)) resolve();
        };
        child.stdout.on('data', look);
        look();
        void ended.then(
          (code) => reject(new Error(`${args.join(' ')} ended with code ${code}:\n${printed.stderr}`)),
          reject,
        );
      }),
    interrupt: () => {
      if (!hasEnded && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    },
    ended,
  };
}

/** A command that ends by itself: what came of it. */
export async function finish(
  command: Command,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const code = await command.ended;
  return { code, stdout: command.stdout(), stderr: command.stderr() };
}

/** An empty value means "not set", and a file `.env` does not fill it. */
function environment(settings: Settings): NodeJS.ProcessEnv {
  const unset = variableNames.filter((name) => name !== 'XDG_CACHE_HOME').map((name) => [name, '']);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  return { ...Object.fromEntries([...inherited, ...unset]), ...settings };
}
