export { type Customer, customerKind } from './customer.ts';
