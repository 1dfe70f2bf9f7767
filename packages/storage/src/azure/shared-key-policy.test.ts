import {
  createEmptyPipeline,
  createHttpHeaders,
  createPipelineRequest,
  type Pipeline,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';
import { TableServiceClient } from '@azure/data-tables';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createSharedKeyPolicy } from './table-account.ts';

const HOST = 'https://someone.table.core.windows.net';
const KEY = Buffer.from('a key of no account').toString('base64');
const CONNECTION = `DefaultEndpointsProtocol=https;AccountName=someone;AccountKey=${KEY};EndpointSuffix=core.windows.net`;

/** The headers with which a request leaves a pipeline. */
async function sentThrough(pipeline: Pipeline, path: string, body?: string) {
  const request = createPipelineRequest({
    url: `${HOST}/${path}`,
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body }),
  });
  await pipeline.sendRequest(
    {
      sendRequest: async (sent): Promise<PipelineResponse> => ({
        request: sent,
        status: 204,
        headers: createHttpHeaders(),
      }),
    },
    request,
  );
  const { headers } = request;
  return ['authorization', 'x-ms-date', 'content-length'].map((name) => headers.get(name));
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the signature of a request', () => {
  test.each([
    ['Devices()?$top=3&$filter=RowKey%20ge%20%27%C3%A9%27', undefined],
    ["Devices(PartitionKey='00',RowKey='%7Eo%7E1')", undefined],
    ['$batch', '--é--'],
  ])('of %s is that of the SDK', async (path, body) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const policy = createSharedKeyPolicy(CONNECTION);
    const own = createEmptyPipeline();
    if (policy !== undefined) own.addPolicy(policy);
    const { pipeline } = TableServiceClient.fromConnectionString(CONNECTION);
    const signed = await sentThrough(own, path, body);
    expect(signed).toEqual(await sentThrough(pipeline, path, body));
    expect(signed[0]).toMatch(/^SharedKeyLite someone:/);
  });

  test('is left to the SDK where there is no key', () => {
    const shared = `TableEndpoint=${HOST};SharedAccessSignature=sv=2019-02-02&sig=AccountKey`;
    expect(createSharedKeyPolicy(shared)).toBeUndefined();
    expect(createSharedKeyPolicy(`${CONNECTION};SharedAccessSignature=sig`)).toBeUndefined();
    expect(createSharedKeyPolicy('UseDevelopmentStorage=true')).toBeUndefined();
  });
});
