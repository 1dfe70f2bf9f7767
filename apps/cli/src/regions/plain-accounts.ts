// Accounts of plain tables, as the regions have them in `Tables.Sources`.
import { ADOPTED_WIRE_VERSION, catalogKind, type TableStore } from '@tandem/core';
import { createRetriedStore, tandemSettings } from '@tandem/storage';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';
import { type CliRegion, readSettingText, readWireVersion } from './region.ts';

/** Returns how a region reaches an account. Throws `UsageError`, naming what is missing. */
export async function connectionOf(region: CliRegion, name: string): Promise<string> {
  const text = await readSettingText(region, 'Tables.Sources');
  const parsed = text === undefined ? undefined : tandemSettings['Tables.Sources'].parse(text);
  const connection = parsed?.kind === 'value' ? parsed.value?.get(name)?.reveal() : undefined;
  if (connection !== undefined) return connection;
  throw new UsageError(
    `${region.name} knows no source "${name}": set Tables.Sources there (tandem config set), in every region.`,
  );
}

/** Opens an account; what fails for a moment is repeated. */
export async function openAccount(
  { io }: Pick<Session, 'io'>,
  region: CliRegion,
  name: string,
): Promise<TableStore> {
  return createRetriedStore(io.openStore(await connectionOf(region, name)), io);
}

/** Opens all regions. Throws `UsageError` for one that could not read how such a table is, before anything begins. */
export async function openAllForSources(session: Session): Promise<readonly CliRegion[]> {
  const { regions } = await session.inventory();
  const opened: CliRegion[] = [];
  for (const { name } of regions) {
    const region = await session.of(catalogKind).openOne(name);
    const wire = await readWireVersion(region);
    if (wire < ADOPTED_WIRE_VERSION) {
      throw new UsageError(
        `${name} has Messages.WireVersion ${wire}, and a table is taken over or mirrored from ${ADOPTED_WIRE_VERSION} on: ` +
          'upgrade every process of every region, then raise it everywhere.',
      );
    }
    opened.push(region);
  }
  return opened;
}
