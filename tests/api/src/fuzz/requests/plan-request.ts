import fc from 'fast-check';
import type {
  ApiDocument,
  MediaType,
  Operation,
  Parameter,
  Schema,
} from '../../document/document.ts';
import type { SchemaCheck } from '../../document/schema-checker.ts';
import type { LearnedValues } from '../learned-values.ts';
import { brokenParameters, brokenValue } from '../values/broken-value.ts';
import { type ValueOptions, validValue } from '../values/valid-value.ts';
import { HOSTILITIES } from './hostilities.ts';
import { KINDS, type Kind, type PlannedRequest } from './planned-request.ts';

export interface PlanOptions {
  readonly document: ApiDocument;
  readonly compile: (schema: Schema) => SchemaCheck;
  readonly learned: LearnedValues;
  readonly seed: number;
}

/** Hostile ones take the longest, so there are as many as of the others. */
const KIND_OF_REQUEST = fc.constantFrom<Kind>(...KINDS);
const CHANCE_OF_OPTIONAL = 3;

/** The request of this number: of the same seed and the same answers before, always the same. */
export function planRequest(index: number, options: PlanOptions): PlannedRequest {
  const draw = createDraw(options.seed, index);
  const kind = draw.of(KIND_OF_REQUEST);
  const operation = draw.of(fc.constantFrom(...options.document.operations));
  const plan = describeRequest(operation, { ...options, draw, kind });
  switch (kind) {
    case 'valid':
    case 'boundary':
      return toRequest(plan, { index, kind, what: kind });
    case 'invalid':
      return breakOne(plan, { ...options, draw, index });
    default: {
      const hostility = draw.of(fc.constantFrom(...HOSTILITIES));
      const request = toRequest(plan, { index, kind, what: hostility.what });
      return { ...request, ...hostility.apply(request, draw.salt()) };
    }
  }
}

interface Draw {
  of<T>(arbitrary: fc.Arbitrary<T>): T;
  salt(): number;
}

const SALT_MAX = 1_000_003;
const DRAWS_PER_REQUEST = 64;

function createDraw(seed: number, index: number): Draw {
  let drawn = 0;
  const of = <T>(arbitrary: fc.Arbitrary<T>): T => {
    drawn += 1;
    const own = (seed * 1_000_003 + index * DRAWS_PER_REQUEST + drawn) | 0;
    const [value] = fc.sample(arbitrary, { seed: mixed(own), numRuns: 1 });
    return value as T;
  };
  return { of, salt: () => of(fc.nat({ max: SALT_MAX })) };
}

/** Seeds that are neighbours begin alike, and would pair kinds with operations; these do not. */
function mixed(seed: number): number {
  let bits = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

interface Plan {
  readonly operation: Operation;
  readonly values: Map<Parameter, string>;
  readonly media: readonly [string, MediaType] | undefined;
  value: unknown;
}

interface Context extends PlanOptions {
  readonly draw: Draw;
  readonly kind: Kind;
}

function describeRequest(operation: Operation, context: Context): Plan {
  const { draw, document, kind } = context;
  const values = new Map<Parameter, string>();
  for (const parameter of operation.parameters) {
    const isWanted = parameter.required === true || draw.salt() % CHANCE_OF_OPTIONAL === 0;
    if (isWanted) values.set(parameter, parameterValue(parameter, context));
  }
  const medias = Object.entries(operation.bodies);
  const media = medias.length === 0 ? undefined : draw.of(fc.constantFrom(...medias));
  const options = { resolve: document.resolve, isAtBounds: kind === 'boundary' };
  const value = media === undefined ? undefined : draw.of(bodyValue(media, options, document));
  return { operation, values, media, value };
}

const LINES_MAX = 20;

/** Where a stream of lines is taken: lines like those of the example, and whole customers. */
function bodyValue(
  [type, { schema = {}, example }]: readonly [string, MediaType],
  options: ValueOptions,
  { operations }: ApiDocument,
): fc.Arbitrary<unknown> {
  if (!isOfLines(type) || schema.type !== 'string') return validValue(schema, options);
  const customer = operations.find(({ operationId }) => operationId === 'createCustomer');
  const body = customer?.bodies['application/json']?.schema ?? {};
  const known = typeof example === 'string' ? example.split('\n') : [''];
  const line = fc.oneof(
    validValue(body, options).map((value) => JSON.stringify(value)),
    fc.constantFrom(...known, '', '{"email":1}'),
  );
  return fc.array(line, { minLength: 1, maxLength: LINES_MAX }).map((lines) => lines.join('\n'));
}

function isOfLines(type: string): boolean {
  return type.includes('ndjson');
}

/** Mostly what the server said before, else anything that the schema allows. */
function parameterValue(parameter: Parameter, { draw, learned, document, kind }: Context): string {
  const known = learned.pick(parameter.name, draw.salt());
  if (known !== undefined && draw.salt() % 4 !== 0) return known;
  if (parameter.in === 'header' && typeof parameter.example === 'string') return parameter.example;
  const options = { resolve: document.resolve, isAtBounds: kind === 'boundary' };
  const value = String(draw.of(validValue(parameter.schema, options)));
  // A field value of HTTP holds printable ASCII.
  return parameter.in === 'header' ? value.replaceAll(/[^\x21-\x7e]/gu, 'h') : value;
}

type Told = Pick<PlannedRequest, 'index' | 'kind' | 'what'>;

function toRequest({ operation, values, media, value }: Plan, told: Told): PlannedRequest {
  const of = (place: Parameter['in']): [string, string][] =>
    [...values].filter(([{ in: own }]) => own === place).map(([{ name }, text]) => [name, text]);
  const path = of('path').reduce(
    (filled, [name, text]) => filled.replace(`{${name}}`, encodeURIComponent(text)),
    operation.path,
  );
  const query = new URLSearchParams(of('query')).toString();
  const type = media === undefined ? [] : [['content-type', media[0]] as const];
  return {
    ...told,
    operation,
    method: operation.method,
    target: query === '' ? path : `${path}?${query}`,
    headers: [...of('header'), ...type],
    body: media === undefined ? undefined : encodeBody(media[0], value),
  };
}

function encodeBody(type: string, value: unknown): Buffer {
  if (!type.includes('json')) return Buffer.from(String(value));
  if (!isOfLines(type)) return Buffer.from(JSON.stringify(value));
  if (typeof value === 'string') return Buffer.from(value);
  const lines = [value].flat().map((line) => `${JSON.stringify(line)}\n`);
  return Buffer.from(lines.join(''));
}

interface Breaking extends PlanOptions {
  readonly draw: Draw;
  readonly index: number;
}

/** Breaks the body or one parameter; a request that has nothing to break stays valid. */
function breakOne(plan: Plan, { draw, index, document, compile }: Breaking): PlannedRequest {
  const breakable = plan.operation.parameters.flatMap((parameter) =>
    brokenParameters(parameter.schema)
      .filter((text) => parameter.in !== 'header' || /^[\x21-\x7e]+$/.test(text))
      .map((text) => ({ parameter, text })),
  );
  const isOfBody = plan.media?.[1].schema !== undefined && draw.salt() % 3 !== 0;
  if (isOfBody || (breakable.length === 0 && plan.media !== undefined)) {
    const schema = plan.media?.[1].schema ?? {};
    const value = draw.of(brokenValue(plan.value, document.resolve(schema)));
    const isWhole = plan.media !== undefined && !isOfLines(plan.media[0]);
    const isBroken = isWhole && compile(schema)(asSent(value)) !== undefined;
    const told = { index, kind: isBroken ? 'invalid' : 'hostile', what: 'a broken body' } as const;
    return toRequest({ ...plan, value }, told);
  }
  if (breakable.length === 0) return toRequest(plan, { index, kind: 'valid', what: 'valid' });
  const { parameter, text } = draw.of(fc.constantFrom(...breakable));
  plan.values.set(parameter, text);
  return toRequest(plan, { index, kind: 'invalid', what: `${parameter.name} broken` });
}

/** As the other side reads it. */
function asSent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
