import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkout, containerCommand, type EntryPoint, localCommand } from '../../scripts/processes.ts';
import { dynamicConfig } from '../../temporal/local-server.ts';

type Service = {
  command?: string[];
  ports?: string[];
  healthcheck?: object;
  read_only?: boolean;
  depends_on?: Record<string, { condition: string }>;
};
type ComposeFile = { services: Record<string, Service>; configs: Record<string, { content: string }> };

const read = (file: string) => readFile(join(checkout, file), 'utf8');
const compose = parse(await read('docker-compose.yml'), { merge: true }) as ComposeFile;
const dockerfile = await read('Dockerfile');

const programs: Record<string, EntryPoint> = { api: 'api', workers: 'workers', migrate: 'migrate' };

test('docker-compose.yml follows the compose specification', async () => {
  const schema = JSON.parse(await read('test/setup/recorded/compose-spec.schema.json')) as object;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ services: { api: { imag: 'x' } } })).toBe(false);
});

test.each(Object.entries(programs))(
  'the container %s runs the command that development and tests run',
  (service, name) => {
    expect(compose.services[service]?.command).toEqual(containerCommand(name));
    expect(localCommand(name).args).toEqual(containerCommand(name).slice(1));
  },
);

test('the image runs the API when it is told nothing', () => {
  const command = /^CMD (\[.+\])$/m.exec(dockerfile)?.[1] ?? '[]';
  expect(JSON.parse(command)).toEqual(containerCommand('api'));
});

test('every port is published on this machine only', () => {
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
  expect(published).toHaveLength(7);
  expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
});

test('every service that stays says whether it is healthy, but for the page that only shows', () => {
  const jobs = ['migrate', 'temporal-schema', 'temporal-ui'];
  const silent = Object.entries(compose.services).filter(([, { healthcheck }]) => !healthcheck);
  expect(silent.map(([name]) => name).toSorted()).toEqual(jobs);
});

test('API and workers wait for the migration', () => {
  for (const name of ['api', 'workers']) {
    expect(compose.services[name]?.depends_on?.['migrate']).toEqual({
      condition: 'service_completed_successfully',
    });
  }
});

test('the server in the container has the settings of the one in development', () => {
  const settings = parse(compose.configs['dynamic-config']?.content ?? '') as Record<
    string,
    { value: unknown }[]
  >;
  const flat = Object.entries(settings).map(([key, values]) => [key, values[0]?.value]);
  expect(Object.fromEntries(flat)).toEqual(dynamicConfig);
});

test('the image has the folders that exist, the prebuilt workflows, and neither root nor development packages', () => {
  const copied = [...dockerfile.matchAll(/^COPY (\w+) \1$/gm)].map(([, folder]) => folder ?? '');
  expect(copied.filter((folder) => !existsSync(join(checkout, folder)))).toEqual([]);
  expect(copied.toSorted()).toEqual(
    [
      'activities',
      'api',
      'config',
      'db',
      'domain',
      'integrations',
      'temporal',
      'workers',
      'workflows',
    ].toSorted(),
  );
  const final = dockerfile.slice(dockerfile.lastIndexOf('FROM '));
  expect(final).toMatch(/^USER node$/m);
  expect(final).toContain('WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js');
  expect(final).not.toMatch(/^RUN npm|--from=build .*node_modules/m);
  expect(dockerfile).toContain('npm ci --omit=dev');
});

test('secrets and local state never enter an image', async () => {
  const ignored = (await read('.dockerignore')).split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['.env', '.env.*', '.git', '.perennial', 'node_modules']));
});
