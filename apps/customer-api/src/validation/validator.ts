import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { findUnfitText } from './unfit-text.ts';

/**
 * Validates with TypeBox and changes nothing: no field is removed, filled in or converted. Only in
 * a query, where everything is text, whole numbers become numbers.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (given: unknown) => {
    const value = httpPart === 'querystring' ? withNumbers(schema, given) : given;
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

function withNumbers(schema: TSchema, given: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, NumberSchema> };
  const entries = Object.entries(given as Record<string, unknown>).map(([name, value]) => {
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.type === 'integer';
    const isWhole = typeof value === 'string' && WHOLE_NUMBER.test(value);
    return [name, isNumber && isWhole ? Number(value) : value];
  });
  return Object.fromEntries(entries);
}
