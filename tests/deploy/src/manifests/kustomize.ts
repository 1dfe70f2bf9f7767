import { readdirSync } from 'node:fs';
import { KUSTOMIZE_FOLDER } from '../tools/folders.ts';
import { runTool, type ToolRun } from '../tools/run-tool.ts';
import { unpackTool } from '../tools/unpack-tools.ts';

export const OVERLAYS: readonly string[] = readdirSync(`${KUSTOMIZE_FOLDER}/overlays`).sort();

export function buildOverlay(overlay: string): Promise<ToolRun> {
  return runTool(unpackTool('kubectl'), ['kustomize', `${KUSTOMIZE_FOLDER}/overlays/${overlay}`]);
}
