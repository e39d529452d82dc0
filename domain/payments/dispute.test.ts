import { expect, it } from 'vitest';
import { type DisputeChange, type DisputeStatus, disputeChanges } from './dispute.ts';

type Booked = Parameters<typeof disputeChanges>[0];
const booked = (status: DisputeStatus, isWithdrawn: boolean, isReinstated = false): Booked => ({
  status,
  isWithdrawn,
  isReinstated,
});

it.each<
  [what: string, before: Booked, status: DisputeStatus, isWithdrawn: boolean, changes: DisputeChange[]]
>([
  ['a new enquiry is opened', null, 'open', false, ['opened']],
  ['a new dispute is opened, and its money is gone', null, 'open', true, ['opened', 'withdrawn']],
  ['money that goes later goes once', booked('open', false), 'open', true, ['withdrawn']],
  ['what is known changes nothing', booked('open', true), 'open', true, []],
  ['a won dispute is won before its money is back', booked('open', true), 'won', true, ['won']],
  ['money of a won dispute comes back later, once', booked('won', true), 'won', false, ['reinstated']],
  [
    'a won dispute may have its money back already',
    booked('open', true),
    'won',
    false,
    ['reinstated', 'won'],
  ],
  ['money that came back does not come back again', booked('won', true, true), 'won', false, []],
  ['a lost dispute is lost', booked('open', true), 'lost', true, ['lost']],
  [
    'a lost dispute nobody told us the beginning of is all of it',
    null,
    'lost',
    true,
    ['opened', 'withdrawn', 'lost'],
  ],
  [
    'a lost dispute took the money, also where nobody said so',
    booked('open', false),
    'lost',
    false,
    ['withdrawn', 'lost'],
  ],
  ['a won dispute nobody told us the beginning of moves no money', null, 'won', false, ['opened', 'won']],
  ['a lost dispute is not open again', booked('lost', true), 'open', true, []],
  [
    'a lost dispute may be won after all, and its money come back with that',
    booked('lost', true),
    'won',
    false,
    ['overturned', 'reinstated'],
  ],
  ['or the money comes back later', booked('lost', true), 'won', true, ['overturned']],
  [
    'a won dispute is not open again, nor is its money out again',
    booked('won', true, true),
    'open',
    true,
    [],
  ],
  ['a won dispute is not lost after that', booked('won', true, true), 'lost', true, []],
  ['an enquiry that was closed moves no money', booked('open', false), 'won', false, ['won']],
  ['an open dispute whose money seems back is only an older look', booked('open', true), 'open', false, []],
])('%s', (_what, before, status, isWithdrawn, changes) => {
  expect(disputeChanges(before, { status, isWithdrawn })).toEqual(changes);
});
