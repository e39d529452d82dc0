import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { variableNames } from '../../config/env.ts';
import { checkout } from '../../scripts/processes.ts';

const example = await readFile(join(checkout, '.env.example'), 'utf8');
const listed = [...example.matchAll(/^#([A-Z_]+)=/gm)].map(([, name]) => name ?? '');

test('.env.example lists exactly the variables that are read, by the programs or by docker-compose.yml', async () => {
  const compose = await readFile(join(checkout, 'docker-compose.yml'), 'utf8');
  const interpolated = [...compose.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name]) => name ?? '');
  expect(listed.toSorted()).toEqual([...new Set([...variableNames, ...interpolated])].toSorted());
});

test('every variable is explained, and marked where production needs it', () => {
  const paragraphs = example.split('\n\n').filter((paragraph) => /^#[A-Z_]+=/m.test(paragraph));
  for (const paragraph of paragraphs) expect(paragraph).toMatch(/^# \S/);
  const marked = paragraphs.filter((paragraph) => paragraph.includes('[production]'));
  const names = marked.flatMap((paragraph) =>
    [...paragraph.matchAll(/^#([A-Z_]+)=/gm)].map(([, name]) => name),
  );
  expect(names).toEqual([
    'PUBLIC_URL',
    'DATABASE_URL',
    'PERENNIAL_ENCRYPTION_KEYS',
    'PERSON_KEY_SECRET',
    'STRIPE_SECRET_KEY',
    'STRIPE_WEBHOOK_SECRETS',
    'RESEND_API_KEY',
    'MAIL_FROM',
    'STORAGE_FOLDER',
  ]);
});

test('nothing in it is set, so that copying it changes nothing', () => {
  expect(example.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});
