export { createApp } from './app.ts';
export { createEndpoint, type Endpoint, type EndpointOptions } from './endpoint.ts';
export type { Answer, EndpointRequest, IncomingRequest } from './exchange.ts';
export { createRegionServedTables, type ServedRegion } from './region-tables.ts';
export type { ServedTable, ServedTables } from './served-tables.ts';
