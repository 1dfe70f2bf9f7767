import { atom, notFound, type AdminAction } from './admin-request.ts';

export const deleteQueue: AdminAction = async ({ namespace, path }) =>
  (await namespace.remove(path)) ? atom(200, '') : notFound(path);
