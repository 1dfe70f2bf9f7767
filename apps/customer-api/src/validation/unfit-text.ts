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
export function findUnfitText(schema: unknown, value: unknown): FastifySchemaValidationError[] {
  const found: FastifySchemaValidationError[] = [];
  const visit = (part: PartSchema | undefined, one: unknown, pointer: string): void => {
    if (typeof one === 'string') {
      const error = judgeText(one, part?.maxLength);
      if (error !== undefined) found.push({ ...error, instancePath: pointer });
      return;
    }
    if (typeof one !== 'object' || one === null) return;
    const isList = Array.isArray(one);
    for (const name of Object.keys(one)) {
      const inner = isList ? part?.items : part?.properties?.[name];
      visit(inner, (one as Record<string, unknown>)[name], `${pointer}/${name}`);
    }
  };
  visit(schema as PartSchema | undefined, value, '');
  return found;
}

function judgeText(
  text: string,
  maxLength: number | undefined,
): Omit<FastifySchemaValidationError, 'instancePath'> | undefined {
  if (!text.isWellFormed() || text.includes('\0')) {
    const message = 'must be well-formed Unicode without NUL';
    return { keyword: 'text', params: {}, schemaPath: '#', message };
  }
  if (maxLength === undefined || text.length <= maxLength || Array.from(text).length <= maxLength) {
    return undefined;
  }
  const message = `must not have more than ${maxLength} characters`;
  return { keyword: 'maxLength', params: { limit: maxLength }, schemaPath: '#', message };
}
