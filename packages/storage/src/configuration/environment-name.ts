/**
 * Under which name the environment can override a setting: `Customer.Queue` is `CUSTOMER_QUEUE`,
 * `ServiceBusConnection` is `SERVICE_BUS_CONNECTION`.
 */
export function environmentNameOf(setting: string): string {
  return setting
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();
}
