// Rewrites openapi.json from the routes: `pnpm --filter @tandem/customer-api openapi`.
import { writeFile } from 'node:fs/promises';
import { formatOpenapi, OPENAPI_FILE } from '../plugins/openapi.ts';
import { createTestApp } from '../testing/create-test-app.ts';

const { app } = await createTestApp();
const document = (await app.inject({ url: '/openapi.json' })).json();
await writeFile(OPENAPI_FILE, formatOpenapi(document));
await app.close();
