import { fileURLToPath } from 'node:url';

/** The checked-in description of the API. */
export const OPENAPI_FILE = fileURLToPath(new URL('../../openapi.json', import.meta.url));

export function formatOpenapi(document: unknown): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
