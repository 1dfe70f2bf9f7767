import { readFileSync } from 'node:fs';
import { DOCUMENT_FILE } from '../files.ts';

/** JSON Schema 2020-12, as far as anything here reads it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly additionalProperties?: boolean | Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface MediaType {
  readonly schema?: Schema;
  readonly example?: unknown;
}

export interface Answerable {
  readonly headers?: Readonly<Record<string, { readonly schema: Schema }>>;
  readonly content?: Readonly<Record<string, MediaType>>;
}

export interface Operation {
  readonly operationId: string;
  /** In capitals. */
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** By media type; empty where no body is taken. */
  readonly bodies: Readonly<Record<string, MediaType>>;
  readonly responses: Readonly<Record<string, Answerable>>;
}

export interface ApiDocument {
  readonly operations: readonly Operation[];
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  /** The schema that a reference leads to; itself where it is none. */
  resolve(schema: Schema): Schema;
}

interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, Answerable>>;
}

interface RawDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: ApiDocument['components'];
}

const REFERENCE = '#/components/schemas/';

/** The document in the repository, as a list of operations. Whatever is added there is in it. */
export function readDocument(file = DOCUMENT_FILE): ApiDocument {
  const { paths, components } = JSON.parse(readFileSync(file, 'utf8')) as RawDocument;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => ({
      operationId: raw.operationId,
      method: method.toUpperCase(),
      path,
      parameters: raw.parameters ?? [],
      bodies: raw.requestBody?.content ?? {},
      responses: raw.responses,
    })),
  );
  return {
    operations,
    components,
    resolve({ $ref, ...schema }) {
      if ($ref === undefined) return schema;
      const found = components.schemas[$ref.slice(REFERENCE.length)];
      if (found === undefined) throw new Error(`${$ref} leads nowhere.`);
      return found;
    },
  };
}
