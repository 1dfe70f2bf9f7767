import type { FastifySchemaValidationError } from 'fastify';

interface PartSchema {
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, PartSchema>>;
  readonly items?: PartSchema;
}

/**
 * Finds the texts, however deep in a valid value, that a table would not give back as they are (half a
 * surrogate pair, NUL), or that are longer than `maxLength` code points. TypeBox counts graphemes,
 * and one grapheme has no length limit.
 */
export function findUnfitText(
  schema: unknown,
  value: unknown,
  pointer = '',
): FastifySchemaValidationError[] {
  const { properties = {}, items, maxLength } = (schema ?? {}) as PartSchema;
  if (typeof value === 'string') return judgeText(value, { pointer, maxLength });
  if (Array.isArray(value)) {
    return value.flatMap((one, index) => findUnfitText(items, one, `${pointer}/${index}`));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) =>
    findUnfitText(properties[name], one, `${pointer}/${name}`),
  );
}

function judgeText(
  text: string,
  { pointer, maxLength }: { readonly pointer: string; readonly maxLength: number | undefined },
): FastifySchemaValidationError[] {
  const broken = { instancePath: pointer, schemaPath: '#' };
  if (!text.isWellFormed() || text.includes('\0')) {
    const message = 'must be well-formed Unicode without NUL';
    return [{ ...broken, keyword: 'text', params: {}, message }];
  }
  if (maxLength === undefined || text.length <= maxLength || Array.from(text).length <= maxLength) {
    return [];
  }
  const message = `must not have more than ${maxLength} characters`;
  return [{ ...broken, keyword: 'maxLength', params: { limit: maxLength }, message }];
}
