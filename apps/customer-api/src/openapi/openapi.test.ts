import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatOpenapi, OPENAPI_FILE } from '../plugins/openapi.ts';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: object;
        readonly description: string;
        readonly content?: Readonly<
          Record<string, { readonly example?: object; readonly schema: { readonly $ref?: string } }>
        >;
      }
    >
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
  };
}

let test: TestApp;
let document: Document;

beforeAll(async () => {
  test = await createTestApp();
  document = (await test.app.inject({ url: '/openapi.json' })).json();
});

afterAll(async () => {
  await test.app.close();
});

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]): [string, Operation] => [`${method} ${path}`, one]),
  );

describe('the OpenAPI document', () => {
  it('is the one checked in (else run: pnpm --filter @tandem/customer-api openapi)', async () => {
    expect(formatOpenapi(document)).toBe(await readFile(OPENAPI_FILE, 'utf8'));
  });

  it('describes every route that clients use', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual([
      'delete /customers/{customerId}',
      'get /customers',
      'get /customers/export',
      'get /customers/{customerId}',
      'get /customers/{customerId}/history',
      'get /customers/{customerId}/receipt',
      'get /health',
      'get /health/live',
      'get /health/ready',
      'get /health/serving',
      'get /problems/{code}',
      'head /customers/{customerId}',
      'patch /customers/{customerId}',
      'post /customers',
      'post /customers/batch',
      'post /customers/import',
      'post /customers/search',
      'put /customers/{customerId}',
    ]);
  });

  it('names and explains every operation, each under its own id', () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, operation] of operations()) {
      expect(operation).toMatchObject({
        operationId: expect.any(String),
        summary: expect.any(String),
        tags: [expect.any(String)],
      });
    }
  });

  it('describes every response, and says on each that it names the region', () => {
    for (const [, { responses }] of operations()) {
      for (const response of Object.values(responses)) {
        expect(response.description).not.toBe('Default Response');
        expect(response.headers).toHaveProperty('x-tandem-region');
      }
    }
  });

  it('shows an example of every answer that has a body', () => {
    const { schemas } = document.components;
    for (const [name, { responses }] of operations()) {
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const { example, schema } of Object.values(content)) {
          const shared = schemas[schema.$ref?.split('/').at(-1) ?? ''];
          expect(example ?? shared?.examples, `${name} ${status}`).toBeDefined();
        }
      }
    }
  });

  it('refers to nothing that is not there, and carries no keyword of the table', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    const names = references.map(([, name]) => name);
    expect(new Set(names)).toEqual(new Set(Object.keys(document.components.schemas)));
    expect(text).not.toContain('"edm"');
  });

  it('is readable at /docs without any other host', async () => {
    const page = await test.app.inject({ url: '/docs' });
    expect(page.statusCode).toBe(200);
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect(source).not.toMatch(/^(https?:)?\/\//);
      const url = new URL(source ?? '', 'http://localhost/docs').pathname;
      expect((await test.app.inject({ url })).statusCode).toBe(200);
    }
  });
});
