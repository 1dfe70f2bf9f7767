import { atom, type AdminAction } from './admin-request.ts';
import { element, writeEntry } from './atom.ts';

const STARTED_AT_MS = Date.parse('2026-01-01T00:00:00Z');

/** What the emulator is, in the service's terms. */
export const getNamespace: AdminAction = async ({ baseUrl, namespaceName }) => {
  const time = new Date(STARTED_AT_MS).toISOString();
  const inner = [
    element('CreatedTime', time),
    element('MessagingSKU', 'Standard'),
    element('ModifiedTime', time),
    element('Name', namespaceName),
    element('NamespaceType', 'Messaging'),
  ].join('');
  const id = `${baseUrl}/$namespaceinfo`;
  const content = { name: 'NamespaceInfo', inner };
  return atom(200, writeEntry({ id, title: namespaceName, updatedAtMs: STARTED_AT_MS, content }));
};
