import { describe, expect, it } from 'vitest';
import { advanceEndpoint, type EndpointEvent, type EndpointState } from './endpoint-state.ts';

const TOLERATED_FAILURES = 3;

const checking = (failures: number): EndpointState => ({
  kind: 'checking',
  consecutiveFailures: failures,
});
const online = (failures: number): EndpointState => ({
  kind: 'online',
  consecutiveFailures: failures,
});
const degraded = (failures: number): EndpointState => ({
  kind: 'degraded',
  consecutiveFailures: failures,
});
const disabled: EndpointState = { kind: 'disabled' };

describe('one endpoint, three tolerated failures', () => {
  const cases: readonly (readonly [EndpointState, EndpointEvent, EndpointState])[] = [
    [checking(0), 'probe-succeeded', online(0)],
    [checking(0), 'probe-failed', checking(1)],
    [checking(3), 'probe-failed', degraded(4)],
    [checking(2), 'enable', checking(2)],
    [checking(2), 'disable', disabled],
    [online(0), 'probe-succeeded', online(0)],
    [online(3), 'probe-succeeded', online(0)],
    [online(0), 'probe-failed', online(1)],
    [online(2), 'probe-failed', online(3)],
    [online(3), 'probe-failed', degraded(4)],
    [online(2), 'enable', online(2)],
    [online(2), 'disable', disabled],
    [degraded(4), 'probe-succeeded', online(0)],
    [degraded(4), 'probe-failed', degraded(5)],
    [degraded(4), 'enable', degraded(4)],
    [degraded(4), 'disable', disabled],
    [disabled, 'probe-succeeded', disabled],
    [disabled, 'probe-failed', disabled],
    [disabled, 'enable', checking(0)],
    [disabled, 'disable', disabled],
  ];

  it.each(cases)('%j on %s becomes %j', (state, event, expected) => {
    expect(advanceEndpoint(state, event, TOLERATED_FAILURES)).toEqual(expected);
  });

  it('is degraded by its first failure when none is tolerated', () => {
    expect(advanceEndpoint(online(0), 'probe-failed', 0)).toEqual(degraded(1));
  });

  it('starts to count anew after a success in between', () => {
    const events: EndpointEvent[] = [
      ...Array<EndpointEvent>(3).fill('probe-failed'),
      'probe-succeeded',
      ...Array<EndpointEvent>(3).fill('probe-failed'),
    ];
    const last = events.reduce(
      (state, event) => advanceEndpoint(state, event, TOLERATED_FAILURES),
      online(0),
    );
    expect(last).toEqual(online(3));
  });
});
