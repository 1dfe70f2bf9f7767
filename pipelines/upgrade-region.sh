#!/usr/bin/env bash
# Upgrades one region, and takes it back when it is not well after: pipelines/upgrade-region.sh <region> <tag>
# Needs helm 4, kubectl with the context of the region's cluster, values.regions.yaml, and the inventory of `tandem`.
# TANDEM is how `tandem` is run here, if elsewhere than from this checkout.
# SOAK (10m) is for how long all regions must have been well after it, WITHIN (30m) how long that is waited for.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "$1" >&2
  exit "${2:-1}"
}

[[ $# -eq 2 ]] || fail 'Usage: pipelines/upgrade-region.sh <region> <tag>' 2
readonly REGION=$1 TAG=$2
readonly VALUES=helm/values.$REGION.yaml REGIONS=${REGIONS_FILE:-values.regions.yaml}
[[ -f $VALUES ]] || fail "$VALUES is missing: name a region of this deployment." 2
[[ -f $REGIONS ]] || fail "$REGIONS is missing: it is what \"pulumi stack output helmValues\" printed." 2

read -ra tandem <<< "${TANDEM:-node scripts/pnpm.mjs run --silent tandem}"
gate() {
  "${tandem[@]}" gate "$@"
}

# A region that is upgraded beside one that is unwell may be the last that is well.
gate --soak 1m --within 10m || fail "$REGION is not begun: the regions are not well before it. Nothing was changed."
# The last one may have failed, and what failed is nothing to go back to.
before=$(helm -n tandem history tandem --output json |
  node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).findLast(({ status }) => status === "deployed")?.revision ?? ""')
readonly before
[[ -n $before ]] || fail "$REGION has no revision that is deployed: release it by hand first, see docs/runbooks/deploy.md. Nothing was changed."

# It takes itself back when its pods do not become ready.
helm upgrade tandem helm/tandem -n tandem -f "$REGIONS" -f "$VALUES" -f helm/profiles/production.yaml \
  --set-string "global.image.tag=$TAG" --wait --timeout 15m --rollback-on-failure

take_back() {
  helm -n tandem rollback tandem "$before" --wait --timeout 15m ||
    fail "$REGION was not well after the upgrade, and could not be taken back to revision $before: see docs/runbooks/roll-back.md."
  fail "$REGION was not well after the upgrade: $1. It runs revision $before again; no other region was begun."
}
helm -n tandem test tandem --logs || take_back 'its test failed'
gate --soak "${SOAK:-10m}" --within "${WITHIN:-30m}" || take_back 'the gate did not open'
echo "$REGION runs $TAG, and all regions are well and equal"
