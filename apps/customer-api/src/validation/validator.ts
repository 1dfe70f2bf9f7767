import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { findUnfitText } from './unfit-text.ts';

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
