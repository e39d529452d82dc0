import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTemporalAway, temporalTarget } from './connection.ts';

const defaults = { address: '127.0.0.1:7233', namespace: 'perennial' };
let home: string;
let file: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'perennial-'));
  file = join(home, 'temporal.toml');
  const profile = (name: string) =>
    `[profile.${name}]\naddress = "${name}.example.com:7233"\nnamespace = "${name}"\napi_key = "key"\n`;
  await writeFile(file, profile('default') + profile('staging'));
});
afterAll(() => rm(home, { recursive: true }));

describe('where Temporal is', () => {
  it('is this machine and our own namespace when nothing is set', () => {
    expect(temporalTarget(defaults, {})).toEqual({ ...defaults, credentials: {} });
  });

  it('is what the TEMPORAL_* variables say, with TLS as soon as there is an API key', () => {
    const env = {
      TEMPORAL_ADDRESS: 'cloud.example.com:7233',
      TEMPORAL_NAMESPACE: 'ours',
      TEMPORAL_API_KEY: 'k',
    };
    expect(temporalTarget(defaults, env)).toEqual({
      address: 'cloud.example.com:7233',
      namespace: 'ours',
      credentials: { apiKey: 'k', tls: true },
    });
  });

  it('is a profile of temporal.toml only where the environment names the file or the profile', () => {
    const byFile = temporalTarget(defaults, { TEMPORAL_CONFIG_FILE: file });
    expect(byFile).toMatchObject({ address: 'default.example.com:7233', namespace: 'default' });

    const byProfile = temporalTarget(defaults, { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'staging' });
    expect(byProfile).toMatchObject({ address: 'staging.example.com:7233', namespace: 'staging' });

    const overridden = temporalTarget(defaults, { TEMPORAL_CONFIG_FILE: file, TEMPORAL_NAMESPACE: 'ours' });
    expect(overridden).toMatchObject({ address: 'default.example.com:7233', namespace: 'ours' });
  });

  it("is never a person's default profile that nobody named", () => {
    expect(temporalTarget(defaults, { HOME: home, XDG_CONFIG_HOME: home }).address).toBe('127.0.0.1:7233');
  });
});

describe('an error of a call', () => {
  const withCode = (code: unknown) => Object.assign(new Error('failed'), { code });

  it('means that Temporal is away when its cause is an unreachable or overloaded server', () => {
    for (const code of [4, 8, 14]) {
      expect(isTemporalAway(withCode(code))).toBe(true);
      expect(isTemporalAway(new Error('wrapped', { cause: withCode(code) }))).toBe(true);
    }
  });

  it('means something else when the server refused the call or the error is not its own', () => {
    for (const error of [
      withCode(3),
      withCode(5),
      withCode('ECONNREFUSED'),
      new Error('x'),
      'text',
      undefined,
    ]) {
      expect(isTemporalAway(error)).toBe(false);
    }
  });
});
