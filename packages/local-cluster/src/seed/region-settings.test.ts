import { tandemSettings } from '@tandem/storage';
import { describe, expect, it } from 'vitest';
import { connectingSettings } from './prepare-regions.ts';

const brokerOf = (name: string) =>
  `Endpoint=sb://${name};SharedAccessKeyName=k;SharedAccessKey=a2V5`;
const region = (name: string) => ({ name, addresses: { broker: brokerOf(name) } });
const [east, west, north] = [region('east'), region('west'), region('north')];

describe('the settings that connect regions', () => {
  it('are the two-region form for two', () => {
    expect(connectingSettings(west, [east, west], 'customer')).toEqual({
      'Customer.DataAccess': 'multi-region',
      'Customer.Queue': 'customer',
      ServiceBusConnection: brokerOf('west'),
      'Peer.Region': 'east',
      RedundancyServiceBusConnection: brokerOf('east'),
    });
  });

  it('list the peers when there are more', () => {
    const { Peers } = connectingSettings(west, [east, west, north], 'customer');
    expect(JSON.parse(Peers ?? '')).toEqual([
      { region: 'east', connection: brokerOf('east'), queue: 'customer' },
      { region: 'north', connection: brokerOf('north'), queue: 'customer' },
    ]);
  });

  it.each([[[east]], [[east, west]], [[east, west, north]]])(
    'are settings of Tandem: %j',
    (all) => {
      for (const [name, text] of Object.entries(connectingSettings(east, all, 'customer'))) {
        const definition = Object.entries(tandemSettings).find(([known]) => known === name)?.[1];
        expect(definition?.parse(text)).toMatchObject({ kind: 'value' });
      }
    },
  );

  it('leave a region without peers alone', () => {
    expect(connectingSettings(east, [east], 'customer')).toEqual({
      'Customer.DataAccess': 'single-region',
    });
  });
});
