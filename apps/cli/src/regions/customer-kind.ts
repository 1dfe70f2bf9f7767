import type { customerKind } from '@tandem/core/customers';

export type CustomerKind = typeof customerKind;
