import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

/**
 * Validates with TypeBox and changes nothing: no field is removed, filled in or converted. Only in
 * a query, where everything is text, whole numbers become numbers, and the blank in a time, which is a plus
 * that was not encoded, becomes one.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (given: unknown) => {
    const value = httpPart === 'querystring' ? readQuery(schema, given) : given;
    const errors: readonly FastifySchemaValidationError[] = validator.Check(value)
      ? findUnfitText(schema, value)
      : validator.Errors(value).map((error) => nameRange(schema, error));
    if (errors.length > 0) return { error: errors as unknown as Error };
    // Headers that are given back are copied by the framework each time that someone looks at them.
    return value === given || { value };
  };
};

interface NumberSchema {
  readonly type?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What is not even a number is told which numbers there are, too. */
function nameRange(
  schema: TSchema,
  error: FastifySchemaValidationError,
): FastifySchemaValidationError {
  const { properties = {} } = schema as { properties?: Record<string, NumberSchema> };
  const name = error.instancePath.slice(1);
  const { type, minimum, maximum } = (Object.hasOwn(properties, name) && properties[name]) || {};
  if (type !== 'integer' || minimum === undefined || maximum === undefined) return error;
  return { ...error, message: `must be a whole number from ${minimum} to ${maximum}` };
}

const WHOLE_NUMBER = /^-?\d{1,15}$/;
const BLANK_BEFORE_OFFSET = / (?=\d{2}:\d{2}$)/;

interface QuerySchema {
  readonly type?: unknown;
  readonly format?: unknown;
}

function readQuery(schema: TSchema, given: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, QuerySchema> };
  const entries = Object.entries(given as Record<string, unknown>).map(([name, value]) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own === undefined || typeof value !== 'string') return [name, value];
    if (own.type === 'integer') return [name, WHOLE_NUMBER.test(value) ? Number(value) : value];
    return [name, own.format === 'date-time' ? value.replace(BLANK_BEFORE_OFFSET, '+') : value];
  });
  return Object.fromEntries(entries);
}

interface PartSchema {
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, PartSchema>>;
  readonly items?: PartSchema;
}

const HERE = { instancePath: '', schemaPath: '#' };
const NOTHING: readonly FastifySchemaValidationError[] = [];

/**
 * Finds the texts, however deep in a valid value, that a table would not give back as they are (half a
 * surrogate pair, NUL), or that are longer than `maxLength` code points. TypeBox counts graphemes,
 * and one grapheme has no length limit.
 */
function findUnfitText(
  schema: PartSchema | undefined,
  value: unknown,
): readonly FastifySchemaValidationError[] {
  if (typeof value === 'string') return judgeText(value, schema?.maxLength);
  if (typeof value !== 'object' || value === null) return NOTHING;
  const isList = Array.isArray(value);
  let found = NOTHING;
  for (const name of Object.keys(value)) {
    const inner = isList ? schema?.items : schema?.properties?.[name];
    const errors = findUnfitText(inner, (value as Record<string, unknown>)[name]);
    // Only what is found is given its place: nearly always there is nothing.
    if (errors.length > 0) found = [...found, ...errors.map((error) => within(name, error))];
  }
  return found;
}

function within(name: string, error: FastifySchemaValidationError): FastifySchemaValidationError {
  return { ...error, instancePath: `/${name}${error.instancePath}` };
}

function judgeText(
  text: string,
  maxLength: number | undefined,
): readonly FastifySchemaValidationError[] {
  if (!text.isWellFormed() || text.includes('\0')) {
    const message = 'must be well-formed Unicode without NUL';
    return [{ keyword: 'text', params: {}, message, ...HERE }];
  }
  if (maxLength === undefined || text.length <= maxLength || Array.from(text).length <= maxLength) {
    return NOTHING;
  }
  const message = `must not have more than ${maxLength} characters`;
  return [{ keyword: 'maxLength', params: { limit: maxLength }, message, ...HERE }];
}

/** Is one rule that one part of a request breaks, and never carries the value. */
export interface Violation {
  readonly in: 'body' | 'path' | 'query' | 'header';
  /** Points into that part, as a JSON pointer; it is empty for the whole of it. */
  readonly field: string;
  /** Names the JSON Schema keyword, or is `text` for characters that no table holds. */
  readonly rule: string;
  readonly message: string;
}

/** Has the shape in which validators report it: Ajv's, which TypeBox shares. */
interface ValidatorError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

const POINTER_LENGTH_MAX = 64;

const PARTS: Readonly<Record<string, Violation['in']>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'header',
};

/** A missing or unknown field is named by its own pointer. TypeBox stops at eight errors. */
export function describeViolations(
  errors: readonly ValidatorError[],
  httpPart: string,
): readonly Violation[] {
  const part = PARTS[httpPart] ?? 'body';
  return errors.flatMap((error) => describeViolation(error, part));
}

function describeViolation(error: ValidatorError, part: Violation['in']): Violation[] {
  const { keyword, instancePath, params, message = 'breaks the rule' } = error;
  const field = shorten(instancePath);
  switch (keyword) {
    case 'required':
      return names(params['requiredProperties']).map((name) => ({
        in: part,
        field: `${instancePath}/${name}`,
        rule: 'required',
        message: 'must be given',
      }));
    case 'boolean':
      // So TypeBox reports an unknown field: as one that the schema `false` refuses.
      return [
        { in: part, field, rule: 'additionalProperties', message: 'is no field of this object' },
      ];
    case 'additionalProperties':
      // A summary of the above.
      return [];
    default:
      return [{ in: part, field, rule: keyword, message }];
  }
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** Only the name of an unknown field can be long. */
function shorten(pointer: string): string {
  return pointer.length <= POINTER_LENGTH_MAX
    ? pointer
    : `${pointer.slice(0, POINTER_LENGTH_MAX)}…`;
}
