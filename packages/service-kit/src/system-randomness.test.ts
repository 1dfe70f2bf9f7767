import { describeRandomnessContract } from '@tandem/core/testing';
import { createSystemRandomness } from './system-clock.ts';

describeRandomnessContract('system', createSystemRandomness);
