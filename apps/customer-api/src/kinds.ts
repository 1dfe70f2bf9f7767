import type { EntityKind } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';

/** The entity kinds whose tables this API opens. */
export const KINDS: readonly EntityKind[] = [customerKind];
