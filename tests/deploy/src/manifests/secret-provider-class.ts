// The one kind for which there is no package: github.com/kubernetes-sigs/secrets-store-csi-driver,
// config/crd/bases, with the parameters that the Azure provider reads.
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Manifest } from './manifest.ts';

export const SECRET_PROVIDER_CLASS = 'secrets-store.csi.x-k8s.io/v1';

const closed = { additionalProperties: false } as const;
const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });

const SecretProviderClass = Type.Object(
  {
    apiVersion: Type.Literal(SECRET_PROVIDER_CLASS),
    kind: Type.Literal('SecretProviderClass'),
    metadata: Type.Object({ name: Type.String() }),
    spec: Type.Object(
      {
        provider: Type.Literal('azure'),
        parameters: Type.Object(
          {
            usePodIdentity: Type.Literal('false'),
            keyvaultName: Type.String({ pattern: '^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$' }),
            tenantId: Uuid,
            clientID: Uuid,
            objects: Type.String({ minLength: 1 }),
          },
          closed,
        ),
        secretObjects: Type.Array(
          Type.Object(
            {
              secretName: Type.String(),
              type: Type.Literal('Opaque'),
              data: Type.Array(
                Type.Object({ key: Type.String(), objectName: Type.String() }, closed),
              ),
            },
            closed,
          ),
        ),
      },
      closed,
    ),
  },
  closed,
);

/** One sentence for each problem. */
export function checkSecretProviderClass(manifest: Manifest): string[] {
  return Value.Errors(SecretProviderClass, manifest).map(
    ({ instancePath, message }) => `${instancePath} ${message}`,
  );
}
