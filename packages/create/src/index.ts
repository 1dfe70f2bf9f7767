// What writes a new project, named one by one.
export { CreateError, type CreateOptions, createProject } from './create-project.ts';
