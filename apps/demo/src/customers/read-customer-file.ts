import { readFile, stat } from 'node:fs/promises';
import { customerKind } from '@tandem/core/customers';
import {
  CUSTOMER_FIELDS,
  type CustomerField,
  type CustomerFields,
  type DemoCustomer,
} from './make-customers.ts';

const FILE_BYTES_MAX = 512 * 1024 * 1024;

/** Reads and checks the whole file; the problem names the file. */
export async function readCustomerFile(file: string): Promise<ParsedCustomers> {
  const parsed = await read(file);
  return parsed.kind === 'problem'
    ? { kind: 'problem', problem: `The file ${file} cannot be used: ${parsed.problem}.` }
    : parsed;
}

async function read(file: string): Promise<ParsedCustomers> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) {
      return { kind: 'problem', problem: `it has ${size} bytes, more than ${FILE_BYTES_MAX}` };
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
    return parseCustomers(text);
  } catch (error) {
    const problem = explain(error);
    if (problem === undefined) throw error;
    return { kind: 'problem', problem };
  }
}

function explain(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
      return 'this user may not read it';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8';
    default:
      return undefined;
  }
}

/** More than that does not fit into memory beside the two regions. */
const CUSTOMERS_MAX = 1_000_000;

type ParsedCustomers =
  | { readonly kind: 'customers'; readonly customers: readonly DemoCustomer[] }
  /** Says where it is and which rule it breaks; never a value. */
  | { readonly kind: 'problem'; readonly problem: string };

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const KEYS: ReadonlyMap<string, 'customerId' | CustomerField> = new Map(
  (['customerId', ...CUSTOMER_FIELDS] as const).flatMap((key) => [
    [key, key],
    [`${key.charAt(0).toUpperCase()}${key.slice(1)}`, key],
  ]),
);
const KEY_RULE = 'use CustomerId, Email, FirstName, LastName and PhoneNumber';

/**
 * Reads a JSON array of customers: keys in PascalCase or camelCase, null for what has no value. The
 * first thing that is wrong is the problem; what the API would refuse counts as wrong.
 */
export function parseCustomers(text: string): ParsedCustomers {
  const json = parseJson(text.replace(/^\uFEFF/, ''));
  if (json.kind === 'problem') return json;
  if (!Array.isArray(json.value)) return problem('it must be a JSON array of customers');
  const items: readonly unknown[] = json.value;
  if (items.length === 0) return problem('there is no customer in it');
  if (items.length > CUSTOMERS_MAX) {
    return problem(`there are ${items.length} customers in it, more than ${CUSTOMERS_MAX}`);
  }
  const customers: DemoCustomer[] = [];
  const indexById = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const parsed = parseCustomer(item);
    if (typeof parsed === 'string') return problem(`the item at index ${index} ${parsed}`);
    const { customerId } = parsed;
    const earlier = customerId === null ? undefined : indexById.get(customerId);
    if (earlier !== undefined) {
      return problem(`the item at index ${index} has the CustomerId of the item at ${earlier}`);
    }
    if (customerId !== null) indexById.set(customerId, index);
    customers.push(parsed);
  }
  return { kind: 'customers', customers };
}

function parseJson(text: string): { kind: 'json'; value: unknown } | ProblemResult {
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const position = /at position \d+(?: \(line \d+ column \d+\))?/.exec(error.message)?.[0];
    return problem(`it is not JSON${position === undefined ? '' : ` (${position})`}`);
  }
}

type ProblemResult = Extract<ParsedCustomers, { kind: 'problem' }>;

function problem(text: string): ProblemResult {
  return { kind: 'problem', problem: text };
}

/** Returns the customer, or what is wrong with it. */
function parseCustomer(item: unknown): DemoCustomer | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'is no object';
  const values: Partial<Record<'customerId' | CustomerField, string>> = {};
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(item)) {
    const key = KEYS.get(name);
    if (key === undefined) return `has the unknown key ${JSON.stringify(name)}: ${KEY_RULE}`;
    if (seen.has(key)) return `has ${key} twice, in two spellings`;
    seen.add(key);
    if (value === null) continue;
    if (typeof value !== 'string') return `has, as ${name}, neither a string nor null`;
    values[key] = value;
  }
  return toCustomer(values);
}

function toCustomer(
  values: Partial<Record<'customerId' | CustomerField, string>>,
): DemoCustomer | string {
  const { customerId, email, firstName = null, lastName = null, phoneNumber = null } = values;
  if (customerId !== undefined && !GUID.test(customerId)) {
    return 'has a CustomerId that is no GUID, such as 00b479c9-f61f-451a-86d2-ee8cc047c181';
  }
  if (email === undefined) return 'has no Email';
  const fields: CustomerFields = { email, firstName, lastName, phoneNumber };
  for (const field of CUSTOMER_FIELDS) {
    const broken = findBrokenRule(field, fields[field]);
    if (broken !== undefined) return `has, as ${field}, what ${broken}`;
  }
  return { customerId: customerId?.toLowerCase() ?? null, fields };
}

function findBrokenRule(field: CustomerField, value: string | null): string | undefined {
  if (value === null) return undefined;
  const { maxLength, pattern } = customerKind.schema.properties[field] as {
    maxLength?: number;
    pattern?: string;
  };
  if (!value.isWellFormed() || value.includes('\0')) return 'is not Unicode text without NUL';
  if (maxLength !== undefined && Array.from(value).length > maxLength) {
    return `is longer than ${maxLength} characters`;
  }
  const isMatch = pattern === undefined || new RegExp(pattern, 'u').test(value);
  return isMatch ? undefined : 'is not of the form that it must have (an e-mail address has one @)';
}
