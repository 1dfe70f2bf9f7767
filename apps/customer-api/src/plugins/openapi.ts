import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { assert } from '@tandem/core';
import fp from 'fastify-plugin';
import { BEARER } from './auth.ts';

/** Serves the description of every route registered after it, at /openapi.json and, to read, at /docs. */
export const openapiPlugin = fp(
  async (app) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Tandem customer API',
          version: '1',
          description:
            'Customers of one region. Each region serves reads and writes alone; what it has ' +
            'acknowledged reaches every other region.',
          license: { name: 'MIT', identifier: 'MIT' },
          contact: { name: 'The operators of this region' },
        },
        // Relative: every region serves the same document.
        servers: [{ url: '/' }],
        tags: [
          { name: 'customers', description: 'Read and write customers.' },
          { name: 'health', description: 'For probes.' },
          { name: 'problems', description: 'What the types of problems mean.' },
        ],
        components: {
          securitySchemes: {
            [BEARER]: {
              type: 'http',
              scheme: 'bearer',
              bearerFormat: 'JWT',
              description:
                'An OAuth 2 access token of the issuer that the operator has set, with the scope ' +
                'that the operation names. A region that listens on loopback only may ask for none.',
            },
          },
        },
      },
      refResolver: { buildLocalReference: componentName },
    });
    await app.register(swaggerUi, { routePrefix: '/docs' });
    app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  },
  { name: 'openapi' },
);

/** Schemas that the app registered keep the name they have there. */
function componentName({ $id }: { readonly $id?: unknown }): string {
  assert(typeof $id === 'string', 'a shared schema has an $id');
  return $id;
}

/** Is the checked-in description of the API. */
export const OPENAPI_FILE = fileURLToPath(new URL('../../openapi.json', import.meta.url));

export function formatOpenapi(document: unknown): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
