#!/usr/bin/env bash
# Logs `az` in as the identity AZURE_CLIENT_ID of the tenant AZURE_TENANT_ID, by the token that GitHub gives to a job with
# `id-token: write`: there is no secret that could be stolen, or would end.
set -euo pipefail

for name in AZURE_CLIENT_ID AZURE_TENANT_ID ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN; do
  [[ -n ${!name:-} ]] || {
    echo "$name is not set: the first two are variables of the environment, the others come with \"id-token: write\"." >&2
    exit 2
  }
done
# Neither token is an argument of a program, which every process of the machine could read.
token=$(curl --fail --silent --show-error --max-time 30 --retry 3 \
  --header @<(printf 'Authorization: Bearer %s' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN") \
  "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=api://AzureADTokenExchange" |
  node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).value')
file=$(mktemp)
trap 'rm -f "$file"' EXIT
printf '%s' "$token" > "$file"
az login --service-principal --username "$AZURE_CLIENT_ID" --tenant "$AZURE_TENANT_ID" \
  --federated-token "@$file" --output none
