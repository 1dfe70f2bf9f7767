import type { FastifySchemaValidationError } from 'fastify';

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
export function findUnfitText(
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
