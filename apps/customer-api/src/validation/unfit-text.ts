import type { FastifySchemaValidationError } from 'fastify';

interface PropertySchema {
  readonly maxLength?: number;
}

/**
 * Finds the texts, among the properties of an object, that a table would not give back as they are
 * (half a surrogate pair, NUL), or that are longer than `maxLength` code points. TypeBox counts
 * graphemes, and one grapheme has no length limit.
 */
export function findUnfitText(schema: unknown, value: unknown): FastifySchemaValidationError[] {
  const { properties = {} } = schema as { properties?: Record<string, PropertySchema> };
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' ? judgeText(name, { text, schema: properties[name] }) : [],
  );
}

function judgeText(
  name: string,
  { text, schema }: { text: string; schema: PropertySchema | undefined },
): FastifySchemaValidationError[] {
  const instancePath = `/${name}`;
  if (!text.isWellFormed() || text.includes('\0')) {
    const message = 'must be well-formed Unicode without NUL';
    return [{ keyword: 'text', instancePath, schemaPath: '#', params: {}, message }];
  }
  const limit = schema?.maxLength;
  if (limit === undefined || text.length <= limit || Array.from(text).length <= limit) return [];
  const message = `must not have more than ${limit} characters`;
  return [{ keyword: 'maxLength', instancePath, schemaPath: '#', params: { limit }, message }];
}
