import { AppError, decodeWatermark, isBelievable, type OutboundMessage } from '@tandem/core';
import { createForger } from '@tandem/core/testing';
import { hashText } from '../world/draw.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';

const MESSAGES_MAX = 30;
const IDS = 4;

/** Whether a message is one of a forger's. */
export function isForged(messageId: string): boolean {
  return messageId.startsWith('nemesis.forged');
}

/**
 * One who may send sends what the generator of the hostile run draws, the same to every region: about entities of
 * its own, of which no client knows.
 */
export function forgeMessages({ id, amount }: NemesisEvent, world: World): void {
  const forger = createForger({
    seed: hashText(id, world.seed),
    nowMs: () => world.scheduler.nowMs(),
    kindName: gadgetKind.name,
    bucketCount: world.plan.bucketCount,
    idPrefix: 'forged',
    idCount: IDS,
    writer: `f${id.replaceAll(/\D/g, '')}x`,
    // The fixed seeds hold what was drawn without either.
    cuts: false,
    conflicts: false,
  });
  for (let left = Math.ceil(amount * MESSAGES_MAX); left > 0; left -= 1) {
    const message = { ...forger.next(), messageId: `${id}.${left}` };
    if (isBelieved(message, world)) continue;
    for (const { name, namespace } of world.regions) {
      void namespace.bus.publisherFor(name, namespace.queue).publish([message]);
    }
  }
}

/** Who may send is believed: such a watermark deceives by right, and says nothing. */
function isBelieved({ subject, body }: OutboundMessage, { plan, scheduler }: World): boolean {
  if (subject !== 'watermark') return false;
  try {
    const { from, timeMs, appliedMs = 0 } = decodeWatermark(body);
    // Whatever clocks are wrong by, but for one that is off by a year.
    const own = { nowMs: scheduler.nowMs(), driftMsMax: PLAUSIBLE_MS };
    return plan.regions.includes(from) && isBelievable(Math.max(timeMs, appliedMs), own);
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

const PLAUSIBLE_MS = 30 * 24 * 3_600_000;
