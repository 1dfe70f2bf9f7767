import { resolve } from 'node:path';

/** The certificate of the image tandem-azurite, on this machine. */
export const AZURITE_CERTIFICATE = resolve(
  import.meta.dirname,
  '../../../../../scripts/docker/azurite-tls/azurite.crt',
);

/** Node reads it once, when the process starts: too late for a test to set it. */
export function checkTrust(): void {
  if (process.env['NODE_EXTRA_CA_CERTS'] === AZURITE_CERTIFICATE) return;
  throw new Error(
    `The tests on containers need NODE_EXTRA_CA_CERTS=${AZURITE_CERTIFICATE}, as pnpm e2e sets it.`,
  );
}
