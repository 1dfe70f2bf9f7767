import '../require-node.ts';

export { type Customer, customerKind } from './customer.ts';
