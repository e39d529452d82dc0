/** Plays every path and writes down the histories it left; called by scripts/record-histories.ts. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historiesOf } from '../stories/histories.ts';
import { createObserver } from '../stories/idle.ts';
import { createWorld } from '../stories/world.ts';
import { installation, jobs, type Path, paths } from './paths.ts';
import {
  type RecordedRun,
  readRuns,
  recordedFolder,
  recordedPaths,
  stepsOf,
  writtenRuns,
} from './recording.ts';

/**
 * Replaces the recorded set; with `only`, just these paths of it. A run that takes the same steps as one that is
 * recorded already is left out: it would protect nothing more.
 */
export async function recordHistories({
  only = Object.keys(paths),
  report,
}: {
  only?: readonly string[];
  report: (line: string) => void;
}): Promise<void> {
  await mkdir(recordedFolder, { recursive: true });
  for (const file of await readdir(recordedFolder)) {
    if (!(file.replace('.json', '') in paths)) await rm(join(recordedFolder, file));
  }
  const kept = recordedPaths().filter((name) => !only.includes(name));
  const known = new Set(kept.flatMap(readRuns).map(stepsOf));
  for (const name of only) {
    const path = paths[name];
    if (path === undefined)
      throw new Error(`There is no path ${name}; there are ${Object.keys(paths).join(', ')}.`);
    const runs = (await play(path)).filter((run) => !known.has(stepsOf(run)));
    for (const run of runs) known.add(stepsOf(run));
    const text = writtenRuns(runs);
    await writeFile(join(recordedFolder, `${name}.json`), text);
    report(`${name}: ${runs.length} runs, ${Math.round(text.length / 1024)} KiB`);
  }
}

async function play(path: Path): Promise<RecordedRun[]> {
  const world = await createWorld({ startsAt: '2031-01-15T10:00:00Z' });
  try {
    await path(world);
    await world.settle();
    const { db, client, tenantId } = world;
    const own = await createObserver({ db, client, tenantId }).workflowIds();
    const runs: RecordedRun[] = [];
    for await (const run of historiesOf(client, [...own, ...jobs, ...installation])) runs.push(run);
    return runs;
  } finally {
    await world.close();
  }
}
