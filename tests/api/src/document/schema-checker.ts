import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { ApiDocument, Schema } from './document.ts';

/** What is wrong with the value; undefined when nothing is. */
export type SchemaCheck = (value: unknown) => string | undefined;

/** Compiles schemas of the document, by a validator that is not the server's. */
export function createSchemaCompiler(document: ApiDocument): (schema: Schema) => SchemaCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats.default(ajv);
  const compiled = new Map<Schema, SchemaCheck>();
  return (schema) => {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const validate = ajv.compile({ allOf: [schema], components: document.components });
    const check: SchemaCheck = (value) => {
      if (validate(value)) return undefined;
      const [error] = validate.errors ?? [];
      return `${error?.instancePath || 'it'} ${error?.message ?? 'breaks the schema'}`;
    };
    compiled.set(schema, check);
    return check;
  };
}
