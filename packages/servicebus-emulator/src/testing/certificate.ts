import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SUBJECT = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];

/** A certificate for localhost that signs itself, made by openssl. Throws where that is absent. */
export async function createCertificate(): Promise<{
  readonly key: string;
  readonly cert: string;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'certificate.'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', keyFile, '-out', certFile];
    const args = ['req', '-x509', ...algorithm, '-days', '2', ...SUBJECT, ...files];
    await promisify(execFile)('openssl', args);
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
