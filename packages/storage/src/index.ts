export * from './replicated-table.ts';
