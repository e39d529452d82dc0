/** When a chain is believed, and when not. */
import { describe, expect, it } from 'vitest';
import { type ChainEvidence, type ChainTrust, nextTrust, pausedBy, resumed } from './chain-trust.ts';
import { cryptoPolicyOn } from './crypto-policy.ts';

const policy = cryptoPolicyOn('mainnet');
const now = '2026-03-01T12:00:00.000Z';

const trusted: ChainTrust = {
  pausedAt: null,
  pauseReason: null,
  pausedBy: null,
  disagreeingSince: null,
  agreedSinceHeight: 90,
  cautiousUntil: null,
};
const paused: ChainTrust = {
  ...trusted,
  pausedAt: '2026-03-01T11:00:00.000Z',
  pauseReason: 'a reason',
  agreedSinceHeight: null,
};
const fine: ChainEvidence = {
  family: 'bitcoin',
  height: 100,
  reorgDepth: 0,
  isFinalKept: true,
  agree: true,
  tipTime: '2026-03-01T11:50:00.000Z',
  now,
};

const trustAfter = (trust: ChainTrust, evidence: Partial<ChainEvidence>) =>
  nextTrust(trust, { ...fine, ...evidence }, policy);

describe('a chain', () => {
  it('that does nothing unusual is believed', () => {
    expect(trustAfter(trusted, {})).toEqual(trusted);
  });

  it.each<[string, Partial<ChainEvidence>, string | null]>([
    ['two blocks that left it', { reorgDepth: 2 }, null],
    ['three', { reorgDepth: 3 }, 'a reorganisation has taken 3 blocks out of the chain'],
    ['63 on an EVM chain', { family: 'evm', reorgDepth: 63, tipTime: now }, null],
    ['64 there', { family: 'evm', reorgDepth: 64 }, 'a reorganisation has taken 64 blocks out of the chain'],
    ['a final block that changed', { isFinalKept: false }, 'a block that was final has been replaced'],
    ['a tip of 90 minutes', { tipTime: '2026-03-01T10:30:00.000Z' }, null],
    [
      'one a moment older',
      { tipTime: '2026-03-01T10:29:59.999Z' },
      'the last block is from 2026-03-01T10:29:59.999Z',
    ],
    ['five minutes on an EVM chain', { family: 'evm', tipTime: '2026-03-01T11:55:00.000Z' }, null],
    [
      'more there',
      { family: 'evm', tipTime: '2026-03-01T11:54:59.000Z' },
      'the last block is from 2026-03-01T11:54:59.000Z',
    ],
    ['a tip of no known time', { tipTime: null }, null],
  ])('with %s', (_name, evidence, reason) => {
    const trust = trustAfter(trusted, evidence);
    expect([trust.pausedAt, trust.pauseReason]).toEqual(reason === null ? [null, null] : [now, reason]);
    expect(trust.agreedSinceHeight).toBe(reason === null ? 90 : null);
  });

  it.each([
    ['30 minutes', '2026-03-01T11:30:00.000Z', null],
    ['longer', '2026-03-01T11:29:59.000Z', 'two nodes have disagreed since 2026-03-01T11:29:59.000Z'],
  ])('about which nodes have disagreed for %s', (_name, disagreeingSince, reason) => {
    expect(trustAfter({ ...trusted, disagreeingSince }, { agree: false }).pauseReason).toBe(reason);
  });
});

describe('nodes', () => {
  it('disagree since they first did, until they agree', () => {
    const first = trustAfter(trusted, { agree: false });
    expect([first.disagreeingSince, first.agreedSinceHeight]).toEqual([now, null]);
    const second = trustAfter(first, { agree: false, now: '2026-03-01T12:05:00.000Z' });
    expect(second.disagreeingSince).toBe(now);
    const again = trustAfter(second, { agree: true, height: 103 });
    expect([again.disagreeingSince, again.agreedSinceHeight]).toEqual([null, 103]);
  });

  it('of which one cannot be asked change nothing', () => {
    const disagreeing = { ...trusted, disagreeingSince: now, agreedSinceHeight: null };
    expect(trustAfter(disagreeing, { agree: null })).toEqual(disagreeing);
  });
});

describe('a pause', () => {
  it('keeps its first reason and its time', () => {
    expect(trustAfter(paused, { reorgDepth: 9 })).toEqual(paused);
  });

  it('ends after six blocks without anything unusual, with a day of caution', () => {
    const begun = trustAfter(paused, { height: 100 });
    expect([begun.pausedAt, begun.agreedSinceHeight]).toEqual([paused.pausedAt, 100]);
    expect(trustAfter(begun, { height: 105 }).pausedAt).toBe(paused.pausedAt);
    expect(trustAfter(begun, { height: 106 })).toEqual({
      ...trusted,
      agreedSinceHeight: 100,
      cautiousUntil: '2026-03-02T12:00:00.000Z',
    });
  });

  it('begins to count anew where something unusual comes in between', () => {
    const disturbed = trustAfter({ ...paused, agreedSinceHeight: 100 }, { height: 104, agree: false });
    expect(disturbed.agreedSinceHeight).toBeNull();
  });

  it('ends at once when an operator says so', () => {
    expect(resumed({ ...paused, disagreeingSince: now }, now, policy)).toEqual({
      ...paused,
      pausedAt: null,
      pauseReason: null,
      cautiousUntil: '2026-03-02T12:00:00.000Z',
    });
  });
});

describe('a pause of an operator', () => {
  const asked = { operator: 'api_key:1', reason: 'repairs', now };

  it('stands however long the nodes agree, until an operator resumes it', () => {
    const byHand = pausedBy(trusted, asked);
    expect(byHand).toEqual({ ...trusted, pausedAt: now, pauseReason: 'repairs', pausedBy: 'api_key:1' });
    expect(trustAfter(byHand, { height: 1_000 })).toEqual(byHand);
    expect(resumed(byHand, now, policy)).toMatchObject({ pausedAt: null, pauseReason: null, pausedBy: null });
  });

  it('takes over one that evidence began, since when it stands, and is not taken over itself', () => {
    const byHand = pausedBy(paused, asked);
    expect(byHand).toEqual({ ...paused, pauseReason: 'repairs', pausedBy: 'api_key:1' });
    expect(pausedBy(byHand, { operator: 'api_key:2', reason: 'other', now })).toEqual(byHand);
    expect(trustAfter(byHand, { reorgDepth: 9 })).toMatchObject({
      pauseReason: 'repairs',
      pausedBy: 'api_key:1',
    });
  });
});
