import { fileURLToPath } from 'node:url';

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export const ROOT = pathOf('../../../');
/** The document as the routes have it now. */
export const DOCUMENT_FILE = pathOf('../../../apps/customer-api/openapi.json');
/** The document as it was last released: what clients out there were written against. */
export const RELEASED_FILE = pathOf('../released/openapi.json');
export const SPECTRAL_RULES = pathOf('../rules/spectral.yaml');
export const REDOCLY_RULES = pathOf('../rules/redocly.yaml');
export const CLIENT_FOLDER = pathOf('../../../packages/customer-client');
export const CLIENT_SCHEMA_FILE = `${CLIENT_FOLDER}/src/schema.generated.ts`;
