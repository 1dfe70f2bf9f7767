import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { afterEach, expect, test } from 'vitest';
import { type LoadReport, runLoad } from './run-load.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
});

/** Loads a server that answers every change of a customer so; everything else with success. */
async function loadWith(
  answer: (response: ServerResponse) => void,
  hostilePercent = 0,
): Promise<LoadReport> {
  server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    if (request.method === 'PATCH') answer(response);
    else response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const region = { url, port, pid: process.pid, crashes: [], stop: async () => undefined };
  return runLoad({ region, connections: 4, seconds: 2, hostilePercent });
}

test('An answer that says when to come back is no error', async () => {
  const report = await loadWith((response) =>
    response.writeHead(503, { 'retry-after': '0' }).end(),
  );
  expect(report).toMatchObject({ errors: 0, crashes: 0 });
  expect(report.shed).toBeGreaterThan(0);
});

test.each<[string, (response: ServerResponse) => void]>([
  ['a 503 that does not say when to come back', (response) => response.writeHead(503).end()],
  ['a 500', (response) => response.writeHead(500).end()],
  ['a refusal', (response) => response.writeHead(400).end('{}')],
  ['no answer', (response) => response.destroy()],
])('%s to a good request is an error', async (_what, answer) => {
  const report = await loadWith(answer);
  expect(report.errors).toBeGreaterThan(0);
  expect(report.findings.length).toBeGreaterThan(0);
});

test('Hostile requests are as many as their share', async () => {
  const report = await loadWith((response) => response.end('{}'), 20);
  const share = report.hostile / (report.hostile + report.good);
  expect(share).toBeGreaterThan(0.1);
  expect(share).toBeLessThan(0.3);
});
