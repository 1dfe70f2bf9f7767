#!/usr/bin/env bash
# Builds the images of this commit, scans, pushes and signs them: pipelines/publish-images.sh <registry> <tag>
# Needs docker, trivy and cosign, and a login at the registry. What a run before left half done is gone on with. Signs by
# the token of the job where the signers take that, else by COSIGN_KEY, a key that never leaves its vault.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "$1" >&2
  exit "${2:-1}"
}

[[ $# -eq 2 ]] || fail 'Usage: pipelines/publish-images.sh <registry> <tag>' 2
readonly REGISTRY=$1 TAG=$2
[[ $TAG != latest ]] || fail 'latest is no tag of a release: give one that names a single commit.' 2
[[ $TAG =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] ||
  fail "$TAG is no tag of an image: up to 128 letters, digits, \".\", \"_\" and \"-\"." 2
for tool in docker trivy cosign; do
  command -v "$tool" >/dev/null || fail "$tool is missing on this machine: install it before the images are built."
done
revision=$(git rev-parse HEAD)
readonly revision
sign=(--yes)
[[ -z ${COSIGN_KEY:-} ]] || sign+=(--key "$COSIGN_KEY")
readonly sign
readonly IMAGES=(customer-api table-endpoint replicator operator)

# Prints of which commit an image is, and nothing where there is none.
revision_of() {
  docker inspect --format '{{index .Config.Labels "org.opencontainers.image.revision"}}' "$1" 2>/dev/null || true
}

# What a tag names may run in a region already, so it never changes.
for image in "${IMAGES[@]}"; do
  name=$REGISTRY/tandem-$image:$TAG
  docker pull --quiet "$name" >/dev/null 2>&1 || continue
  there=$(revision_of "$name")
  [[ $there == "$revision" ]] || fail "$name is there already, of commit $there: give this commit a tag of its own."
done

node scripts/docker/build-images.mjs --tag "$TAG"
# All are scanned before the first is pushed.
for image in "${IMAGES[@]}"; do
  trivy image --exit-code 1 --severity HIGH,CRITICAL --ignore-unfixed "tandem-$image:$TAG"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for image in "${IMAGES[@]}"; do
  name=$REGISTRY/tandem-$image:$TAG
  docker tag "tandem-$image:$TAG" "$name"
  docker push "$name"
  digest=$(docker inspect --format '{{index .RepoDigests 0}}' "$name")
  trivy image --format cyclonedx --output "$work/$image.json" "$name"
  # By its digest: a signature of a tag would be one of whatever the tag names later.
  cosign sign "${sign[@]}" "$digest"
  cosign attest "${sign[@]}" --type cyclonedx --predicate "$work/$image.json" "$digest"
  echo "published $digest"
done
