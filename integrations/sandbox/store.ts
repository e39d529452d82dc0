/**
 * A sandbox's memory: named collections kept as an append-only journal of JSON lines. What one request changed
 * is written with one write when the request commits, so a sandbox that is killed comes back with whole
 * requests only. Without a path everything stays in memory.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Objects by id, in the order they were first put. */
export type Collection<T> = {
  get(id: string): T | undefined;
  put(id: string, value: T): void;
  delete(id: string): void;
  keys(): string[];
  values(): T[];
};

export type Store = {
  collection<T>(name: string): Collection<T>;
  /** Writes what has changed since the last commit. */
  commit(): void;
  /** Forgets everything, on disk too. */
  clear(): void;
};

type JournalLine = { collection: string; id: string; value?: unknown };

/** Opens the journal, replays it and rewrites it without its history. */
export function openStore({ path }: { path?: string | undefined } = {}): Store {
  const collections = new Map<string, Map<string, unknown>>();
  const changed = new Map<string, { collection: string; id: string }>();

  const itemsOf = (name: string): Map<string, unknown> => {
    const items = collections.get(name) ?? new Map<string, unknown>();
    collections.set(name, items);
    return items;
  };

  if (path !== undefined) {
    mkdirSync(dirname(path), { recursive: true });
    for (const { collection, id, value } of readJournal(path)) {
      if (value === undefined) itemsOf(collection).delete(id);
      else itemsOf(collection).set(id, value);
    }
    rewriteJournal(path, collections);
  }

  return {
    collection<T>(name: string): Collection<T> {
      const touch = (id: string) => changed.set(`${name}/${id}`, { collection: name, id });
      return {
        get: (id) => itemsOf(name).get(id) as T | undefined,
        put(id, value) {
          itemsOf(name).set(id, value);
          touch(id);
        },
        delete(id) {
          itemsOf(name).delete(id);
          touch(id);
        },
        keys: () => [...itemsOf(name).keys()],
        values: () => [...itemsOf(name).values()] as T[],
      };
    },
    commit() {
      const lines = [...changed.values()].map((change) =>
        journalLine({ ...change, value: itemsOf(change.collection).get(change.id) }),
      );
      changed.clear();
      if (path !== undefined && lines.length > 0) appendFileSync(path, lines.join(''));
    },
    clear() {
      collections.clear();
      changed.clear();
      if (path !== undefined) writeFileSync(path, '');
    },
  };
}

/** A last line cut by a kill belongs to a request that was never answered and is dropped. */
function readJournal(path: string): JournalLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as JournalLine);
}

function rewriteJournal(path: string, collections: Map<string, Map<string, unknown>>): void {
  const lines = [...collections].flatMap(([collection, items]) =>
    [...items].map(([id, value]) => journalLine({ collection, id, value })),
  );
  writeFileSync(`${path}.new`, lines.join(''));
  renameSync(`${path}.new`, path);
}

function journalLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}
