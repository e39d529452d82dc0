// The page of the process shows the diagram that the rules draw; whoever changes a rule sees here what becomes of it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';
import { transferStateDiagram } from '../support/bank-transfer-state-diagram.ts';
import { stateDiagram } from '../support/crypto-state-diagram.ts';

test.each([
  ['crypto-invoice', stateDiagram],
  ['bank-transfer', transferStateDiagram],
])('docs/processes/%s.md shows the states as the rules have them', async (name, drawn) => {
  const page = await readFile(join(checkout, 'docs', 'processes', `${name}.md`), 'utf8');
  const [, shown] = /```mermaid\n(stateDiagram-v2\n[\s\S]*?)\n```/.exec(page) ?? [];
  expect(shown, 'put what was expected into the page').toBe(drawn());
});
