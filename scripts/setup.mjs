// Makes a fresh clone ready and runs one of the scripts beside this file: `node scripts/setup.mjs start [arguments]`.
// It is plain JavaScript without dependencies, because it must run on any Node from version 20 on, before anything
// is installed. The scripts themselves are TypeScript and run on Node 24.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(checkout, 'node_modules', '.perennial-setup');
const PROGRESS_EVERY_MS = 10_000;

/**
 * Whether node_modules holds what the lock file says. npm notes what it installed in a lock file of its own; packages
 * for other systems are in ours only.
 */
export function isInstalled(folder) {
  const wanted = readJson(join(folder, 'package-lock.json'));
  const installed = readJson(join(folder, 'node_modules', '.package-lock.json'));
  if (!wanted || !installed) return false;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '') return true;
    const present = installed.packages[path];
    if (!present) return entry.optional === true || entry.peer === true;
    return present.version === entry.version && present.integrity === entry.integrity;
  });
}

/** Whether a Node of this version runs our TypeScript as it is and our tools. */
export function isUsableNode(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return (major === 22 && minor >= 18) || major === 24 || major >= 26;
}

async function main([name, ...args]) {
  if (!name) fail('Say which script to run: node scripts/setup.mjs <name>.');
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 20) {
    fail(`Node ${process.versions.node} is too old.`, 'Install Node 20 or newer from https://nodejs.org.');
  }
  await installDependencies();
  process.exitCode = await runScript({ name, args, node: findNode() });
}

async function installDependencies() {
  const lock = join(checkout, 'package-lock.json');
  if (!existsSync(lock)) fail('package-lock.json is missing.', 'Restore it: git checkout package-lock.json');
  const fingerprint = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint) return;

  if (!isInstalled(checkout)) await npmCi();
  writeFileSync(stampFile, fingerprint);
}

async function npmCi() {
  const options = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const cli = process.env.npm_execpath;
  const [command, args] = cli?.endsWith('.js') ? [process.execPath, [cli, ...options]] : ['npm', options];
  if (command === 'npm' && spawnSync('npm', ['--version'], { shell: isWindows }).status !== 0) {
    fail('npm is missing.', 'It comes with Node: install Node 20 or newer from https://nodejs.org.');
  }
  const code = await withProgress('Installing dependencies (one to three minutes, once)', () =>
    run(command, args),
  );
  if (code !== 0) {
    fail(
      'npm ci failed; its reason is above.',
      'If it is about the network, check that this machine reaches the npm registry (npm ping).',
      'If package.json and package-lock.json disagree, run: npm install',
      'Otherwise delete node_modules and run this again.',
    );
  }
}

/** The Node that runs this, when it is new enough; otherwise the one that came as a dependency. */
function findNode() {
  if (isUsableNode(process.versions.node)) return process.execPath;
  const carried = join(checkout, 'node_modules', 'node', 'bin', isWindows ? 'node.exe' : 'node');
  if (spawnSync(carried, ['--version']).status === 0) return carried;
  return fail(
    `This needs Node 22.18 or 24; here is ${process.versions.node}, and the npm package that carries Node 24 did not`,
    'install its program (npm may be set to ignore install scripts).',
    'Either run: npm rebuild node --ignore-scripts=false   or install Node 24 from https://nodejs.org.',
  );
}

function runScript({ name, args, node }) {
  const script = ['.ts', '/main.ts']
    .map((end) => join(checkout, 'scripts', `${name}${end}`))
    .find(existsSync);
  if (!script) fail(`There is no scripts/${name}.ts.`);
  const programs = [dirname(node), join(checkout, 'node_modules', '.bin'), process.env.PATH ?? ''];
  const env = { ...process.env, PATH: programs.join(delimiter) };
  return run(node, [script, ...args], env, true);
}

/** The child decides when to end, and this process ends with it. */
function run(command, args, env = process.env, passSignals = false) {
  const child = spawn(command, args, {
    cwd: checkout,
    env,
    stdio: 'inherit',
    shell: isWindows && command === 'npm',
  });
  if (passSignals) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve) => {
    child.once('error', (error) => fail(`${command} could not be started: ${error.message}`));
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

async function withProgress(label, work) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  console.error(`${label} …`);
  const ticker = setInterval(() => console.error(`${label} … ${seconds()} s`), PROGRESS_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(ticker);
    console.error(`${label}: ${seconds()} s`);
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function fail(...lines) {
  console.error(lines.join('\n'));
  process.exit(1);
}

const isWindows = process.platform === 'win32';

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
