import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildExample } from '../testing/build-example.ts';
import { type AskedResource, EXAMPLE } from '../testing/mock-deployment.ts';
import { CONTAINER_APPS, OPERATED, settingsOf, VARIANTS } from '../testing/variants.ts';
import { LOG_ALERTS } from './alert-rules.ts';

const ROOT = `${import.meta.dirname}/../../..`;

describe.each(VARIANTS)('the alerts of a deployment: $variant', ({ changes }) => {
  const { regions } = settingsOf(changes);
  const hasCanary = 'canary' in changes;
  let asked: readonly AskedResource[] = [];
  beforeAll(async () => {
    ({ asked } = await buildExample(changes));
  });

  const all = (type: string) => asked.filter((one) => one.type === `azure-native:${type}`);
  const inputsOf = (type: string) => all(type).map(({ inputs }) => inputs);

  it('are on lag, outbox age, silence and dead letters in each region, and on a lost one', () => {
    const names = [...all('monitor:ScheduledQueryRule'), ...all('monitor:MetricAlert')].map(
      ({ name, inputs }) => {
        expect(inputs).toMatchObject({ enabled: true });
        expect(JSON.stringify(inputs['actions'])).toContain('tandem-operators');
        return name;
      },
    );
    const expected = regions.flatMap(({ name }) =>
      [
        'claims-refused',
        'clock-ahead',
        'conflicts',
        'dead-letters',
        'lag',
        'outbox-age',
        'silence',
        ...(hasCanary ? ['canary'] : []),
      ].map((alert) => `tandem-${name}-${alert}`),
    );
    const lost = ['tandem-endpoint-degraded'];
    if ('tables' in changes) lost.push('tandem-table-endpoint-degraded');
    const unreachable = all('applicationinsights:WebTest').map(({ name }) =>
      name.replace(/answers$/, 'unreachable'),
    );
    expect(names.sort()).toEqual([...lost, ...expected, ...unreachable].sort());
  });

  it('are looked for every minute where data is lost, and raised at the first sight of it', () => {
    const rules = all('monitor:ScheduledQueryRule').filter(
      ({ name }) => !/-(?:silence|canary)$/.test(name),
    );
    expect(rules.length).toBe(5 * regions.length);
    for (const { inputs } of rules) {
      expect(inputs).toMatchObject({
        evaluationFrequency: 'PT1M',
        criteria: {
          allOf: [
            { failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 } },
          ],
        },
      });
    }
    for (const { inputs } of all('monitor:MetricAlert')) {
      expect(inputs['evaluationFrequency']).toBe('PT1M');
    }
  });

  it('say in what their runbook has a part of its own: an outage, and a certificate that is about to end', () => {
    const said = inputsOf('monitor:MetricAlert').map(({ description }) => String(description));
    const ends = said.filter((text) => text.includes('or its certificate ends within 14 days'));
    expect(ends.length).toBe(all('applicationinsights:WebTest').length);
    for (const text of ends) {
      const [runbook] = /docs\/runbooks\/[a-z-]+\.md/.exec(text) ?? [];
      expect(readFileSync(`${ROOT}/${runbook}`, 'utf8')).toMatch(
        /^## .*its certificate is about to end$/m,
      );
    }
  });

  it('have every product asked from other places, in each region and behind the shared name', () => {
    const tests = inputsOf('applicationinsights:WebTest') as readonly Record<string, unknown>[];
    const hosts = [
      EXAMPLE.publicHost,
      ...regions.map(({ host }) => host),
      ...('tables' in changes
        ? ['tables.example.com', ...regions.map(({ name }) => `${name}.tables.example.com`)]
        : []),
    ];
    expect(
      tests.map(({ request }) => (request as { requestUrl: string }).requestUrl).sort(),
    ).toEqual(hosts.map((host) => `https://${host}/health/ready`).sort());
    for (const one of tests) {
      expect(one).toMatchObject({
        enabled: true,
        validationRules: {
          expectedHttpStatusCode: 200,
          sSLCheck: true,
          sSLCertRemainingLifetimeCheck: 14,
        },
      });
      expect((one['locations'] as readonly unknown[]).length).toBeGreaterThanOrEqual(5);
    }
    // They are kept where the loss of the first region leaves them.
    const [component] = inputsOf('applicationinsights:Component');
    expect(component?.['workspaceResourceId']).toContain(`tandem-${regions.at(-1)?.name}-logs`);
  });
});

describe('the health score', () => {
  it('is a function of each workspace, which takes off for all that an alert is raised for', async () => {
    const { asked } = await buildExample();
    const searches = asked.filter(({ type }) => type.endsWith(':SavedSearch'));
    expect(searches.map(({ name }) => name).sort()).toEqual([
      'tandem-east-TandemRegionScore',
      'tandem-west-TandemProductScores',
      'tandem-west-TandemRegionScore',
    ]);
    const query = String(
      searches.find(({ name }) => name.startsWith('tandem-east'))?.inputs['query'],
    );
    for (const { measure, threshold } of LOG_ALERTS) {
      expect(query).toContain(`coalesce(${measure}, 0) > ${threshold}, `);
    }
    expect(query).toContain('lines == 0, 0');
  });
});

describe('who is told of an alert', () => {
  const receiversOf = async (changes: object) => {
    const { asked } = await buildExample(changes);
    return asked.find(({ type }) => type.endsWith(':ActionGroup'))?.inputs;
  };

  it('is one mail, and who is named besides', async () => {
    expect(await receiversOf({})).toMatchObject({
      emailReceivers: [{ emailAddress: EXAMPLE.alertEmail }],
      smsReceivers: [],
      webhookReceivers: [],
    });
    const alertReceivers = {
      emails: ['night@example.com'],
      phones: [{ countryCode: '49', number: '1701234567' }],
      webhooks: ['https://duty.example.com/tandem'],
    };
    expect(await receiversOf({ alertReceivers })).toMatchObject({
      emailReceivers: [{ emailAddress: EXAMPLE.alertEmail }, { emailAddress: 'night@example.com' }],
      smsReceivers: [{ countryCode: '49', phoneNumber: '1701234567' }],
      webhookReceivers: [{ serviceUri: 'https://duty.example.com/tandem' }],
    });
  });
});

describe('the canary', () => {
  it('raises an alert when none of a region got through, by three of its turns', async () => {
    const windows = async (everyMinutes: number) => {
      const { asked } = await buildExample({
        ...CONTAINER_APPS,
        ...OPERATED,
        canary: { everyMinutes },
      });
      const rule = asked.find(
        ({ type, name }) => type.endsWith(':ScheduledQueryRule') && name === 'tandem-west-canary',
      );
      expect(JSON.stringify(rule?.inputs)).toContain("== 'canary' and tobool(entry.ok)");
      return rule?.inputs['windowSize'];
    };
    expect([await windows(5), await windows(10), await windows(15), await windows(30)]).toEqual([
      'PT15M',
      'PT30M',
      'PT1H',
      'PT2H',
    ]);
  });
});
