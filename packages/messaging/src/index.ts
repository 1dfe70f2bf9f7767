export type { BusConnection } from './bus-link.ts';
export {
  type EnsureQueueOptions,
  ensureQueue,
  inspectQueue,
  type QueueDifference,
  readQueueCounts,
} from './ensure-queue.ts';
export {
  createServiceBusQueueViewer,
  type ServiceBusQueueViewerOptions,
} from './queue-viewer.ts';
export {
  createServiceBusPublisher,
  type ServiceBusPublisherOptions,
} from './service-bus-publisher.ts';
export {
  createServiceBusReceiver,
  type ServiceBusReceiverOptions,
} from './service-bus-receiver.ts';
export { isStrayOfLinkLayer } from './translate-bus-error.ts';
