import { expect, test } from 'vitest';
import { readDocument } from '../../document/document.ts';
import { createSchemaCompiler } from '../../document/schema-checker.ts';
import { createLearnedValues } from '../learned-values.ts';
import { planRequest } from './plan-request.ts';
import { KINDS, type PlannedRequest } from './planned-request.ts';

const document = readDocument();
const compile = createSchemaCompiler(document);
const COUNT = 1_500;

function plan(seed: number): PlannedRequest[] {
  const options = { document, compile, learned: createLearnedValues(), seed };
  return Array.from({ length: COUNT }, (_, index) => planRequest(index, options));
}

const planned = plan(1);

test('The same seed makes the same requests, another makes others', () => {
  const shown = (requests: readonly PlannedRequest[]): string => JSON.stringify(requests);
  expect(shown(plan(1))).toBe(shown(planned));
  expect(shown(plan(2))).not.toBe(shown(planned));
});

test('Every operation of the document is asked, in every kind that it has', () => {
  const asked = (kind: string): Set<string> =>
    new Set(
      planned.filter((one) => one.kind === kind).map(({ operation }) => operation.operationId),
    );
  const all = document.operations.map(({ operationId }) => operationId);
  for (const kind of KINDS) {
    const breakable = kind === 'invalid' ? all.filter((id) => hasRules(id)) : all;
    expect([...asked(kind)]).toEqual(expect.arrayContaining(breakable));
  }
});

/** Whether there is anything that a request could break: a closed body or a constrained parameter. */
function hasRules(operationId: string): boolean {
  const operation = document.operations.find((one) => one.operationId === operationId);
  return operation?.bodies['application/json'] !== undefined;
}

test('Valid bodies conform to the document, invalid ones do not', () => {
  const checked = planned.flatMap(({ kind, what, operation, headers, body }) => {
    if (kind === 'hostile') return [];
    const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
    const schema = operation.bodies[type]?.schema;
    if (schema === undefined || type.includes('ndjson')) return [];
    const conforms = compile(schema)(JSON.parse(body?.toString('utf8') ?? '')) === undefined;
    if (kind === 'valid' || kind === 'boundary') return [conforms];
    return kind === 'invalid' && what === 'a broken body' ? [!conforms] : [];
  });
  expect(checked.length).toBeGreaterThan(COUNT / 10);
  expect(checked).not.toContain(false);
});
