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
