import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStore } from './store.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
  path = join(folder, 'deep', 'state.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

it('what was committed is there after a restart, in the order it was first put', () => {
  const store = openStore({ path });
  const cards = store.collection<{ brand: string }>('cards');
  cards.put('b', { brand: 'visa' });
  cards.put('a', { brand: 'mastercard' });
  cards.put('c', { brand: 'amex' });
  store.commit();
  cards.put('b', { brand: 'visa debit' });
  cards.delete('c');
  store.commit();

  const again = openStore({ path }).collection<{ brand: string }>('cards');
  expect(again.values()).toEqual([{ brand: 'visa debit' }, { brand: 'mastercard' }]);
  expect(again.keys()).toEqual(['b', 'a']);
});

it('what was not committed never happened', () => {
  openStore({ path }).collection<number>('numbers').put('one', 1);
  expect(openStore({ path }).collection<number>('numbers').get('one')).toBeUndefined();
});

it('a line cut by a kill is dropped, whole lines before it are kept', () => {
  const store = openStore({ path });
  store.collection<number>('numbers').put('one', 1);
  store.commit();
  appendFileSync(path, '{"collection":"numbers","id":"two","val');
  const numbers = openStore({ path }).collection<number>('numbers');
  expect([numbers.get('one'), numbers.get('two')]).toEqual([1, undefined]);
});

it('a restart drops the history and keeps the state', () => {
  const store = openStore({ path });
  for (let count = 0; count < 10; count += 1) {
    store.collection<number>('numbers').put('one', count);
    store.commit();
  }
  openStore({ path });
  expect(readFileSync(path, 'utf8')).toBe('{"collection":"numbers","id":"one","value":9}\n');
});

it('clearing forgets, on disk too', () => {
  const store = openStore({ path });
  store.collection<number>('numbers').put('one', 1);
  store.commit();
  store.clear();
  expect(store.collection('numbers').values()).toEqual([]);
  expect(openStore({ path }).collection('numbers').values()).toEqual([]);
});
