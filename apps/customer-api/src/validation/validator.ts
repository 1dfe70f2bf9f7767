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
    const errors: FastifySchemaValidationError[] = validator.Check(value)
      ? findUnfitText(schema, value)
      : validator.Errors(value);
    return errors.length === 0 ? { value } : { error: errors as unknown as Error };
  };
};

const WHOLE_NUMBER = /^-?\d{1,15}$/;

function withNumbers(schema: TSchema, given: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, { type?: unknown }> };
  const entries = Object.entries(given as Record<string, unknown>).map(([name, value]) => {
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.type === 'integer';
    const isWhole = typeof value === 'string' && WHOLE_NUMBER.test(value);
    return [name, isNumber && isWhole ? Number(value) : value];
  });
  return Object.fromEntries(entries);
}
