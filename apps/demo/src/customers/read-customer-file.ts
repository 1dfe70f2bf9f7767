import { readFile, stat } from 'node:fs/promises';
import { type ParsedCustomers, parseCustomers } from './parse-customers.ts';

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
