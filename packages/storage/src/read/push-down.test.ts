import { createMemoryTableStore } from '@tandem/core/memory';
import { describePushDown } from '../testing/push-down-contract.ts';

describePushDown('memory', { openStore: async () => createMemoryTableStore(), runs: 150 });
