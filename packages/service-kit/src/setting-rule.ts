type SettingValue = string | number | boolean;

/** The part of a JSON schema that the schema of one setting may use. */
export interface SettingSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: SettingValue;
  readonly examples?: SettingValue | readonly SettingValue[];
  readonly const?: SettingValue;
  readonly enum?: readonly SettingValue[];
  readonly anyOf?: readonly SettingSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string | RegExp;
  readonly format?: string;
}

/** What a value has to be, as the rest of a sentence that begins "it must be". */
export function describeRule(schema: SettingSchema): string {
  const choices = choicesOf(schema);
  if (choices !== undefined) return `one of ${choices.join(', ')}`;
  switch (schema.type ?? 'string') {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    default:
      return `a text${textLimits(schema)}`;
  }
}

function choicesOf(schema: SettingSchema): readonly string[] | undefined {
  if (schema.const !== undefined) return [String(schema.const)];
  if (schema.enum !== undefined) return schema.enum.map(String);
  return schema.anyOf?.flatMap((one) => choicesOf(one) ?? [describeRule(one)]);
}

function range({ minimum, maximum }: SettingSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` not less than ${minimum}`;
  return maximum === undefined ? '' : ` not greater than ${maximum}`;
}

function textLimits({ minLength, maxLength, pattern, format }: SettingSchema): string {
  const limits = [
    ...(minLength !== undefined && minLength > 1 ? [`of at least ${minLength} characters`] : []),
    ...(maxLength === undefined ? [] : [`of at most ${maxLength} characters`]),
    ...(pattern === undefined ? [] : [`that matches ${sourceOf(pattern)}`]),
    ...(format === undefined ? [] : [`in the form of a ${format}`]),
  ];
  return limits.length === 0 ? '' : ` ${limits.join(', ')}`;
}

function sourceOf(pattern: string | RegExp): string {
  return typeof pattern === 'string' ? pattern : pattern.source;
}
