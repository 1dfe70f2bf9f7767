import { atom, notFound, type AdminAction } from './admin-request.ts';
import { writeEntry } from './atom.ts';
import { toEntry } from './queue-description.ts';

export const getQueue: AdminAction = async ({ namespace, path, baseUrl }) => {
  const entity = namespace.find(path);
  return entity === undefined ? notFound(path) : atom(200, writeEntry(toEntry(entity, baseUrl)));
};
