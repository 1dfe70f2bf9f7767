import { describe, expect, it } from 'vitest';
import {
  createProfile,
  evolveProfile,
  type Profile,
  type ProfileEvent,
  TRANSITIONS_KEPT_MAX,
} from './profile.ts';

const ENDPOINTS = [
  { name: 'east', url: 'http://127.0.0.1:8081' },
  { name: 'west', url: 'http://127.0.0.1:8082' },
];

const up = (endpoint: string, at: number): ProfileEvent => ({
  kind: 'probed',
  endpoint,
  at,
  outcome: { ok: true, status: 200, durationMs: 1 },
});
const down = (endpoint: string, at: number): ProfileEvent => ({
  kind: 'probed',
  endpoint,
  at,
  outcome: { ok: false, error: 'ECONNREFUSED', durationMs: 1 },
});
const play = (profile: Profile, events: readonly ProfileEvent[]): Profile =>
  events.reduce(evolveProfile, profile);

describe('a profile', () => {
  it('gives the endpoints priorities in their order', () => {
    const { endpoints } = createProfile(ENDPOINTS, 3);
    expect(endpoints.map(({ name, priority }) => [name, priority])).toEqual([
      ['east', 1],
      ['west', 2],
    ]);
  });

  it('records each change of state with the endpoint that gets traffic from then on', () => {
    const events = [up('east', 1), up('west', 2), down('east', 3), down('east', 4), up('east', 5)];
    expect(play(createProfile(ENDPOINTS, 1), events).transitions).toEqual([
      { at: 1, endpoint: 'east', from: 'checking', to: 'online', current: 'east' },
      { at: 2, endpoint: 'west', from: 'checking', to: 'online', current: 'east' },
      { at: 4, endpoint: 'east', from: 'online', to: 'degraded', current: 'west' },
      { at: 5, endpoint: 'east', from: 'degraded', to: 'online', current: 'east' },
    ]);
  });

  it('records that no endpoint is left when the last is disabled', () => {
    const { transitions } = play(createProfile(ENDPOINTS, 1), [
      { kind: 'disable', endpoint: 'east', at: 1 },
      { kind: 'disable', endpoint: 'west', at: 2 },
    ]);
    expect(transitions.map(({ current }) => current)).toEqual(['west', null]);
  });

  it('keeps the last probe of an endpoint and does not note one of a disabled endpoint', () => {
    const profile = play(createProfile(ENDPOINTS, 3), [
      up('east', 1),
      down('east', 2),
      { kind: 'disable', endpoint: 'east', at: 3 },
      up('east', 4),
    ]);
    expect(profile.endpoints[0]).toMatchObject({
      state: { kind: 'disabled' },
      lastProbe: { at: 2, outcome: { ok: false, error: 'ECONNREFUSED' } },
    });
  });

  it('keeps only the newest transitions', () => {
    const flaps = Array.from({ length: TRANSITIONS_KEPT_MAX }, (_, index) => [
      up('east', 2 * index),
      down('east', 2 * index + 1),
    ]).flat();
    const { transitions } = play(createProfile(ENDPOINTS, 0), flaps);
    expect(transitions).toHaveLength(TRANSITIONS_KEPT_MAX);
    expect(transitions.at(-1)?.at).toBe(2 * TRANSITIONS_KEPT_MAX - 1);
  });

  it('does not change on an event of an endpoint that it does not have', () => {
    const profile = createProfile(ENDPOINTS, 3);
    expect(evolveProfile(profile, up('north', 1))).toBe(profile);
  });
});
