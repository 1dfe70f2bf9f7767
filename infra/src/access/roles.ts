// Built-in roles of Azure, by the ids that are the same in every subscription. Those of the data
// plane are all that the services ever get.
export const DATA_ROLES = {
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3',
  storageTableDataReader: '76199698-9eea-4c19-bc75-cec21354c6b6',
  serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0',
  serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39',
  serviceBusDataOwner: '090c5cfd-751d-490a-894a-3ce6f1109419',
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6',
  acrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
} as const;

/** For a cluster's own identity, on the subnet of its nodes. */
export const NETWORK_CONTRIBUTOR = '4d97b98b-1d4f-4787-a291-c67834d212e7';

export type DataRole = keyof typeof DATA_ROLES;

export function roleDefinitionId(role: string): string {
  return `/providers/Microsoft.Authorization/roleDefinitions/${role}`;
}
