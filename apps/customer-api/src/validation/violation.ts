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
