#!/usr/bin/env bash
# Prints the name of the image that ours are built from: the official one when it is here or can be
# pulled, else a stand-in made on this Debian machine from debootstrap and the workspace's own Node.
# The stand-in has what the official image has and we use: Debian, node, npm and npx.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly OFFICIAL=node:24-bookworm-slim
readonly SUITE=bookworm
readonly DEBIAN=tandem-debian:$SUITE
readonly PULL_SECONDS_MAX=180
readonly DEBOOTSTRAP_SECONDS_MAX=300
readonly DEBOOTSTRAP_ATTEMPTS_MAX=3
readonly APT_SECONDS_MAX=300

say() { echo "base image: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

install_debootstrap() {
  command -v debootstrap >/dev/null && return
  [[ $EUID -eq 0 && -f /etc/debian_version ]] ||
    fail "$OFFICIAL cannot be pulled; a stand-in needs root on Debian. Pull it, or set BASE_IMAGE."
  say 'installing debootstrap from Debian'
  export DEBIAN_FRONTEND=noninteractive
  timeout "$APT_SECONDS_MAX" apt-get -o Acquire::Retries=3 update -qq
  timeout "$APT_SECONDS_MAX" apt-get -o Acquire::Retries=3 install -y -qq \
    --no-install-recommends debootstrap >/dev/null
}

# It gives up at the first package that does not come.
run_debootstrap() {
  for ((attempt = 1; attempt <= DEBOOTSTRAP_ATTEMPTS_MAX; attempt += 1)); do
    rm -rf "$work/root"
    timeout "$DEBOOTSTRAP_SECONDS_MAX" debootstrap --variant=minbase "$SUITE" "$work/root" \
      >"$work/debootstrap.log" 2>&1 && return
    tail -n 20 "$work/debootstrap.log" >&2
    say "debootstrap failed, attempt $attempt of $DEBOOTSTRAP_ATTEMPTS_MAX"
  done
  exit 1
}

import_debian() {
  install_debootstrap
  say "making $DEBIAN with debootstrap"
  run_debootstrap
  tar -C "$work/root" -c --numeric-owner --exclude=./var/cache/apt --exclude=./var/lib/apt/lists \
    --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale \
    --exclude=./dev . | docker import - "$DEBIAN" >/dev/null
}

# A machine whose traffic passes an inspecting proxy trusts one more authority than Node brings; so
# must what is built on it.
write_dockerfile() {
  cat <<-DOCKERFILE
	FROM $DEBIAN
	COPY rootfs/ /
	RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
	 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
	DOCKERFILE
  local bundle=${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-}}
  [[ -f "$bundle" ]] || return 0
  install -D -m 644 "$bundle" "$work/context/rootfs/etc/ssl/certs/machine.crt"
  echo 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/machine.crt SSL_CERT_FILE=/etc/ssl/certs/machine.crt'
}

make_stand_in() {
  has_image "$DEBIAN" || import_debian
  say "making $1"
  install -D -m 755 "$node" "$work/context/rootfs/usr/local/bin/node"
  mkdir -p "$work/context/rootfs/usr/local/lib/node_modules"
  # Asked for its folder, npm answers with that of the Node that comes first in PATH, which may have none.
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  cp -R "$npm" "$work/context/rootfs/usr/local/lib/node_modules/npm"
  write_dockerfile >"$work/context/Dockerfile"
  docker build -q -t "$1" "$work/context" >/dev/null
}

if [[ -n "${BASE_IMAGE:-}" ]]; then
  echo "$BASE_IMAGE"
elif has_image "$OFFICIAL" || timeout "$PULL_SECONDS_MAX" docker pull -q "$OFFICIAL" >&2; then
  echo "$OFFICIAL"
else
  node=$(readlink -f node_modules/.bin/node) || fail 'the workspace is not installed: pnpm install.'
  stand_in=tandem-node:$("$node" -p 'process.versions.node')-$SUITE
  if ! has_image "$stand_in"; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    make_stand_in "$stand_in"
  fi
  echo "$stand_in"
fi
