/** The part of a request of the Azure SDK that must change. */
interface PipelineRequest {
  url: string;
  allowInsecureConnection?: boolean;
}

interface PipelinePolicy {
  readonly name: string;
  sendRequest<Request extends PipelineRequest, Response>(
    request: Request,
    next: (request: Request) => Promise<Response>,
  ): Promise<Response>;
}

/** A ServiceBusAdministrationClient, or any other client of the Azure SDK. */
export interface PipelineClient {
  readonly pipeline: { addPolicy(policy: PipelinePolicy): void };
}

/**
 * Makes an administration client talk plain HTTP. @azure/service-bus 7.9.5 asks for https whatever
 * its connection string says; the emulator has no certificate. Returns the client.
 */
export function usePlainHttp<Client extends PipelineClient>(client: Client): Client {
  client.pipeline.addPolicy({
    name: 'usePlainHttp',
    sendRequest(request, next) {
      request.url = request.url.replace(/^https:/, 'http:');
      request.allowInsecureConnection = true;
      return next(request);
    },
  });
  return client;
}
