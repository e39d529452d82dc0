import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freePorts, takenPorts } from './ports.ts';

const servers: Server[] = [];
afterEach(() =>
  Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))),
);

test('a port that is taken is named with the variable that moves ours', async () => {
  const { api } = await freePorts(['api']);
  await listen(api);
  expect(await takenPorts({ api })).toEqual([
    expect.stringMatching(new RegExp(`Port ${api} is taken.*API_PORT=\\d+`)),
  ]);
});

test('for Temporal there is a second way: use the server that is there', async () => {
  const { temporal } = await freePorts(['temporal']);
  await listen(temporal);
  expect((await takenPorts({ temporal })).join()).toContain(`TEMPORAL_ADDRESS=127.0.0.1:${temporal}`);
});

test('free ports are free and all different', async () => {
  const ports = await freePorts(['api', 'codec', 'worker', 'metrics', 'temporal']);
  expect(new Set(Object.values(ports)).size).toBe(5);
  expect(await takenPorts(ports)).toEqual([]);
});

function listen(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}
