import { TerminalError } from '@tandem/core';
import type { CliRegion } from './cli-region.ts';
import { readSettingText } from './region-setting.ts';

/**
 * A region that the others do not send to would fall behind the moment it is filled. Throws
 * `RECOVERY_REFUSED`, naming those that do not list it.
 */
export async function requirePeersKnow(name: string, sources: readonly CliRegion[]): Promise<void> {
  const ignorant: string[] = [];
  for (const source of sources) {
    const single = await readSettingText(source, 'Peer.Region');
    const listed = (await readSettingText(source, 'Peers')) ?? '[]';
    const peers = JSON.parse(listed) as readonly { readonly region?: unknown }[];
    if (single !== name && !peers.some(({ region }) => region === name)) ignorant.push(source.name);
  }
  if (ignorant.length === 0) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `${ignorant.join(', ')} do not list ${name} among their peers, so they would not send to it. Set ` +
      'Peers there (tandem config set), restart their services, then repeat this.',
  );
}
