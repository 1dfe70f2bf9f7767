import { describeRandomnessContract } from '@tandem/core/testing';
import { createSystemRandomness } from './system-randomness.ts';

describeRandomnessContract('system', createSystemRandomness);
